"""Learning whom to believe: the gate between the n-gram's orders and the network.

The gate is learnt on held-out text that neither expert was trained on. How long to learn, and what
the mixture is worth, is measured by cross-validation: the figure reported never comes from a gate
that has seen the positions it is scored on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparrowlm.foundation.array_types import Float, Float32
from sparrowlm.foundation.randomness import derive_seed
from sparrowlm.models.mixture import Gate
from sparrowlm.training.threads import threads

_HIDDEN = 32
_NUM_EPOCHS = 16
_BATCH = 2048
_RATE = 0.015
_WEIGHT_DECAY = 1e-3
# Neighbouring positions resemble one another, so the folds are made of long blocks.
_BLOCK_POSITIONS = 512
_NUM_FOLDS = 2
# With fewer positions than this a network of features cannot be learnt: one weight per expert.
_LEAST_POSITIONS = 2_000
_SMALLEST_PROBABILITY = 1e-12
_LEAST_SPREAD = 0.1

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class GateResult:
    """A gate and what it is worth.

    Attributes:
        gate: learnt on all positions.
        mixture_nats: mean loss per token of the mixture, cross-validated.
        expert_nats: mean loss per token of each expert alone, the n-gram's orders first.
    """

    gate: Gate
    mixture_nats: float
    expert_nats: tuple[float, ...]


def learn_gate(
    probabilities_TK: Float[np.ndarray, "time experts"],
    features_TF: Float32[np.ndarray, "time features"],
    seed: int,
) -> GateResult:
    """Learn the weights of experts from held-out positions.

    Args:
        probabilities_TK: what each expert gave to the id that came, 0 to 1.
        features_TF: see models.mixture.gate_features.
        seed: initial weights and order.

    Returns:
        The gate and cross-validated figures.
    """
    probabilities_TK = np.maximum(probabilities_TK, _SMALLEST_PROBABILITY).astype(np.float32)
    expert_nats = tuple(float(-np.log(column).mean()) for column in probabilities_TK.T)
    if len(probabilities_TK) < _LEAST_POSITIONS:
        gate = constant_gate(constant_weights(probabilities_TK), features_TF.shape[1])
        return GateResult(gate, _constant_nats(probabilities_TK), expert_nats)
    # So small a network gains nothing from a second thread.
    with threads(1):
        gate, mixture_nats = _cross_validated(probabilities_TK, features_TF, seed)
    return GateResult(gate, mixture_nats, expert_nats)


def _cross_validated(
    probabilities_TK: Matrix, features_TF: Matrix, seed: int
) -> tuple[Gate, float]:
    """Find on folds how long to learn, then learn that long on everything."""
    folds = (np.arange(len(probabilities_TK)) // _BLOCK_POSITIONS) % _NUM_FOLDS
    losses_OE = np.zeros((_NUM_FOLDS, _NUM_EPOCHS))
    for fold in range(_NUM_FOLDS):
        learner = _Learner(probabilities_TK[folds != fold], features_TF[folds != fold], seed)
        for epoch in range(_NUM_EPOCHS):
            learner.learn_epoch(epoch)
            losses_OE[fold, epoch] = _nats(
                learner.gate(), probabilities_TK[folds == fold], features_TF[folds == fold]
            )
    mean_E = losses_OE.mean(axis=0)
    num_epochs = int(mean_E.argmin()) + 1
    learner = _Learner(probabilities_TK, features_TF, seed)
    for epoch in range(num_epochs):
        learner.learn_epoch(epoch)
    return learner.gate(), float(mean_E.min())


def constant_weights(probabilities_TK: Float32[np.ndarray, "time experts"]) -> Matrix:
    """Find one weight per expert by expectation maximisation.

    Source: Jelinek and Mercer 1980; one pseudo-observation per expert keeps every weight above 0.
    """
    num_positions, num_experts = probabilities_TK.shape
    weights_K = np.full(num_experts, 1.0 / num_experts, dtype=np.float32)
    for _round in range(100):
        shares_TK = probabilities_TK * weights_K
        shares_TK /= shares_TK.sum(axis=1, keepdims=True)
        weights_K = (shares_TK.sum(axis=0) + 1.0) / (num_positions + num_experts)
    return weights_K.astype(np.float32)


def constant_gate(weights_K: Float32[np.ndarray, " experts"], num_features: int) -> Gate:
    """Make a gate that ignores its features.

    Args:
        weights_K: above 0, sum 1.
        num_features: F.
    """
    return Gate(
        mean_F=np.zeros(num_features, dtype=np.float32),
        scale_F=np.ones(num_features, dtype=np.float32),
        hidden_HF=np.zeros((1, num_features), dtype=np.float32),
        hidden_bias_H=np.zeros(1, dtype=np.float32),
        output_KH=np.zeros((len(weights_K), 1), dtype=np.float32),
        output_bias_K=np.log(weights_K).astype(np.float32),
    )


def _constant_nats(probabilities_TK: Matrix) -> float:
    """Score constant weights on the half they were not estimated from."""
    half = len(probabilities_TK) // 2
    total = 0.0
    for own, other in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        weights_K = constant_weights(probabilities_TK[other])
        total -= float(np.log(probabilities_TK[own] @ weights_K).sum())
    return total / max(len(probabilities_TK), 1)


def _nats(gate: Gate, probabilities_TK: Matrix, features_TF: Matrix) -> float:
    mixed_T = (gate.weights(features_TF) * probabilities_TK).sum(axis=1)
    return float(-np.log(mixed_T).mean())


class _Learner:
    """Adam on the mixture's own likelihood."""

    def __init__(self, probabilities_TK: Matrix, features_TF: Matrix, seed: int) -> None:
        self._mean_F = features_TF.mean(axis=0)
        # A feature that never changed here must not shout when it does elsewhere.
        self._scale_F = (1.0 / (features_TF.std(axis=0) + _LEAST_SPREAD)).astype(np.float32)
        self._features_TF = torch.from_numpy((features_TF - self._mean_F) * self._scale_F)
        self._logs_TK = torch.from_numpy(np.log(probabilities_TK))
        self._seed = seed
        generator = torch.Generator().manual_seed(derive_seed(seed, "gate"))
        num_features, num_experts = features_TF.shape[1], probabilities_TK.shape[1]
        self._hidden_HF = torch.randn(_HIDDEN, num_features, generator=generator)
        self._hidden_HF = (self._hidden_HF / num_features**0.5).requires_grad_()
        self._bias_H = torch.zeros(_HIDDEN, requires_grad=True)
        self._output_KH = torch.zeros(num_experts, _HIDDEN, requires_grad=True)
        start_K = torch.from_numpy(np.log(constant_weights(probabilities_TK)))
        self._bias_K = start_K.clone().requires_grad_()
        weights = [self._hidden_HF, self._bias_H, self._output_KH, self._bias_K]
        self._adam = torch.optim.AdamW(weights, lr=_RATE, weight_decay=_WEIGHT_DECAY)

    def learn_epoch(self, epoch: int) -> None:
        """See every position once."""
        generator = torch.Generator().manual_seed(derive_seed(self._seed, f"gate epoch {epoch}"))
        order = torch.randperm(len(self._logs_TK), generator=generator)
        for group in self._adam.param_groups:
            group["lr"] = _RATE * (1 - epoch / _NUM_EPOCHS)
        for start in range(0, len(order), _BATCH):
            loss = self._loss(order[start : start + _BATCH])
            self._adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self._adam.step()

    def _loss(self, rows: Tensor) -> Tensor:
        hidden_TH = torch.tanh(self._features_TF[rows] @ self._hidden_HF.T + self._bias_H)
        scores_TK = hidden_TH @ self._output_KH.T + self._bias_K
        mixed_T = torch.logsumexp(scores_TK.log_softmax(dim=1) + self._logs_TK[rows], dim=1)
        return -mixed_T.mean()

    def gate(self) -> Gate:
        """Return what has been learnt so far."""
        return Gate(
            mean_F=self._mean_F.astype(np.float32),
            scale_F=self._scale_F,
            hidden_HF=self._hidden_HF.detach().numpy().copy(),
            hidden_bias_H=self._bias_H.detach().numpy().copy(),
            output_KH=self._output_KH.detach().numpy().copy(),
            output_bias_K=self._bias_K.detach().numpy().copy(),
        )
