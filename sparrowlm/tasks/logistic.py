"""Logistic regression with few weights: evidence about a thing becomes its probability.

    z    = inputs w
    loss = sum over examples of importance (ln(1 + e^z) - target z)
           + 1/2 sum of ridge (w - anchor)^2

Newton's method; a step that makes the loss larger is halved, so that weights never run away.

Shape letters: B examples, F inputs.

Source: Hosmer and Lemeshow, "Applied logistic regression", section 2.2; Platt 1999, "Probabilistic
outputs for support vector machines" (one input and an offset).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float, Float64

_ROUNDS = 100
_TOLERANCE = 1e-9
_SMALLEST_STEP = 1e-6

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def sigmoid(logits: Float[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """Return 1 / (1 + exp(-x)), without overflow."""
    halves: Numbers = 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
    return halves


class LogisticProblem(NamedTuple):
    """What is to be explained by what.

    Attributes:
        inputs_BF: evidence; a column of ones where there is an offset.
        targets_B: probability of being true, 0 to 1.
        ridge_F: how strongly each weight is pulled to its anchor, >= 0.
        anchor_F: where the weights begin and are pulled to.
        importance_B: how much each example counts.
    """

    inputs_BF: Float64[np.ndarray, "examples inputs"]
    targets_B: Float64[np.ndarray, " examples"]
    ridge_F: Float64[np.ndarray, " inputs"]
    anchor_F: Float64[np.ndarray, " inputs"]
    importance_B: Float64[np.ndarray, " examples"]

    def loss(self, weights_F: Float64[np.ndarray, " inputs"]) -> float:
        """Return the loss, nats."""
        logits_B = self.inputs_BF @ weights_F
        nats_B = np.logaddexp(0.0, logits_B) - self.targets_B * logits_B
        pull = 0.5 * (self.ridge_F * (weights_F - self.anchor_F) ** 2).sum()
        return float((self.importance_B * nats_B).sum() + pull)

    def newton_step(
        self, weights_F: Float64[np.ndarray, " inputs"]
    ) -> Float64[np.ndarray, " inputs"]:
        """Return what is to be taken from the weights."""
        given_B = sigmoid(self.inputs_BF @ weights_F)
        error_B = self.importance_B * (given_B - self.targets_B)
        gradient_F = self.inputs_BF.T @ error_B + self.ridge_F * (weights_F - self.anchor_F)
        spread_B = self.importance_B * given_B * (1 - given_B)
        curvature_FF = (self.inputs_BF * spread_B[:, None]).T @ self.inputs_BF
        step_F: Numbers = np.linalg.solve(curvature_FF + np.diag(self.ridge_F + 1e-9), gradient_F)
        return step_F


def fitted_logistic(
    inputs_BF: Float64[np.ndarray, "examples inputs"],
    targets_B: Float[np.ndarray, " examples"],
    ridge_F: Float64[np.ndarray, " inputs"],
    *,
    anchor_F: Float64[np.ndarray, " inputs"] | None = None,
    importance_B: Float64[np.ndarray, " examples"] | None = None,
) -> Float64[np.ndarray, " inputs"]:
    """Return the weights with the least loss.

    Args:
        inputs_BF: see LogisticProblem, as the others.
        targets_B: probability of being true, 0 to 1.
        ridge_F: pull of each weight.
        anchor_F: None for zeros.
        importance_B: None counts every example once.
    """
    count, num_inputs = inputs_BF.shape
    problem = LogisticProblem(
        inputs_BF,
        targets_B.astype(np.float64),
        ridge_F,
        np.zeros(num_inputs) if anchor_F is None else anchor_F,
        np.ones(count) if importance_B is None else importance_B,
    )
    weights_F = problem.anchor_F.copy()
    value = problem.loss(weights_F)
    for _round in range(_ROUNDS):
        step_F, size = problem.newton_step(weights_F), 1.0
        while (tried := problem.loss(weights_F - size * step_F)) > value and size > _SMALLEST_STEP:
            size /= 2
        if size <= _SMALLEST_STEP:
            break
        weights_F = weights_F - size * step_F
        if float(np.abs(size * step_F).max()) < _TOLERANCE:
            break
        value = tried
    return weights_F
