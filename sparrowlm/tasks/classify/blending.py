"""Whom to believe: weights for the scores of several models, learnt on texts none of them saw.

    probability of a label = softmax over labels of sum over models of weight_m score_m(label)

(for several labels a text: one sigmoid per label, with one more weight, the same for all labels).
The weights minimise the loss in nats, so the probabilities come out calibrated: a single model's
weight is the inverse of its temperature.

Shape letters: M models, B texts, L labels.

Source: Guo et al. 2017, arXiv:1706.04599, section 4.2 (temperature scaling); Hinton 2002 (products
of experts).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float, Float32, Float64

_ROUNDS = 60
_TOLERANCE = 1e-8
# Pulls the weights towards one as a tenth of a text would, so that texts which are all right cannot
# drive them to infinity.
_RIDGE_TEXTS = 0.1

Scores = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Blend:
    """How scores become probabilities.

    Attributes:
        weights: of every model that has a say.
        offset: added to every score where labels are apart; 0.0 for exactly one label a text.
        is_multi_label: labels are apart.
    """

    weights: dict[str, float]
    offset: float = 0.0
    is_multi_label: bool = False

    def logits(
        self, scores: Mapping[str, Float32[np.ndarray, "texts labels"]]
    ) -> Float32[np.ndarray, "texts labels"]:
        """Return the blended scores of texts."""
        logits_BL = np.full_like(scores[next(iter(self.weights))], self.offset)
        for name, weight in self.weights.items():
            logits_BL += scores[name] * np.float32(weight)
        return logits_BL

    def probabilities(
        self, scores: Mapping[str, Float32[np.ndarray, "texts labels"]]
    ) -> Float32[np.ndarray, "texts labels"]:
        """Return the probability of every label for every text."""
        return label_probabilities(self.logits(scores), is_multi_label=self.is_multi_label)

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"weights": self.weights, "offset": self.offset, "multi_label": self.is_multi_label}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Blend:
        """Rebuild from as_json."""
        return Blend(dict(values["weights"]), float(values["offset"]), bool(values["multi_label"]))


def label_probabilities(
    logits_BL: Float[np.ndarray, "texts labels"], *, is_multi_label: bool
) -> Float[np.ndarray, "texts labels"]:
    """Turn scores into probabilities: exactly one label, or each label apart."""
    if is_multi_label:
        halves_BL: Scores = 0.5 * (1 + np.tanh(0.5 * logits_BL))
        return halves_BL
    powers_BL = np.exp(logits_BL - logits_BL.max(axis=1, keepdims=True))
    shares_BL: Scores = powers_BL / powers_BL.sum(axis=1, keepdims=True)
    return shares_BL


def loss_nats(
    logits_BL: Float[np.ndarray, "texts labels"],
    targets_BL: Float[np.ndarray, "texts labels"],
    *,
    is_multi_label: bool,
) -> float:
    """Return the mean cross-entropy per text (per decision where labels are apart)."""
    if is_multi_label:
        losses = np.logaddexp(0.0, logits_BL) - targets_BL * logits_BL
        return float(losses.mean())
    top_B1 = logits_BL.max(axis=1, keepdims=True)
    total_B1 = np.log(np.exp(logits_BL - top_B1).sum(axis=1, keepdims=True)) + top_B1
    return float((targets_BL * (total_B1 - logits_BL)).sum(axis=1).mean())


def learnt_blend(
    scores: Mapping[str, Float32[np.ndarray, "texts labels"]],
    targets_BL: Float32[np.ndarray, "texts labels"],
    *,
    is_multi_label: bool = False,
) -> Blend:
    """Find the weights with the least loss; a model that would get a negative one is left out.

    Args:
        scores: of every model for texts that it was not trained on.
        targets_BL: probability of every label.
        is_multi_label: labels are apart.
    """
    names = list(scores)
    while True:
        weights, offset = _fitted([scores[name] for name in names], targets_BL, is_multi_label)
        if len(names) == 1 or min(weights) > 0:
            kept = dict(zip(names, weights, strict=True))
            return Blend(kept, offset, is_multi_label)
        names.pop(int(np.argmin(weights)))


def _fitted(
    scores: Sequence[Float32[np.ndarray, "texts labels"]],
    targets_BL: Float32[np.ndarray, "texts labels"],
    is_multi_label: bool,
) -> tuple[list[float], float]:
    """Minimise the loss by Newton's method with step halving."""
    columns = [score.astype(np.float64) for score in scores]
    if is_multi_label:
        columns.append(np.ones_like(columns[0]))
    inputs_MBL = np.stack(columns)
    wanted_BL = targets_BL.astype(np.float64)
    scale_M = np.sqrt((inputs_MBL**2).mean(axis=(1, 2))) + 1e-12
    inputs_MBL /= scale_M[:, None, None]
    weights_M = np.ones(len(columns))
    anchor_M = weights_M.copy()
    value = _objective(weights_M, anchor_M, inputs_MBL, wanted_BL, is_multi_label)
    for _round in range(_ROUNDS):
        step_M = _newton_step(weights_M, anchor_M, inputs_MBL, wanted_BL, is_multi_label)
        size = 1.0
        while size > 1e-4:
            tried_M = weights_M - size * step_M
            tried = _objective(tried_M, anchor_M, inputs_MBL, wanted_BL, is_multi_label)
            if tried <= value:
                break
            size /= 2
        if size <= 1e-4 or value - tried < _TOLERANCE:
            break
        weights_M, value = tried_M, tried
    plain = (weights_M / scale_M).tolist()
    offset = plain.pop() if is_multi_label else 0.0
    return plain, offset


def _objective(
    weights_M: Scores, anchor_M: Scores, inputs_MBL: Scores, wanted_BL: Scores, is_multi: bool
) -> float:
    logits_BL = np.tensordot(weights_M, inputs_MBL, axes=1)
    pull = _RIDGE_TEXTS / len(wanted_BL)
    ridge = 0.5 * pull * float(((weights_M - anchor_M) ** 2).sum())
    return loss_nats(logits_BL, wanted_BL, is_multi_label=is_multi) + ridge


def _newton_step(
    weights_M: Scores, anchor_M: Scores, inputs_MBL: Scores, wanted_BL: Scores, is_multi: bool
) -> Float64[np.ndarray, " models"]:
    logits_BL = np.tensordot(weights_M, inputs_MBL, axes=1)
    given_BL = label_probabilities(logits_BL, is_multi_label=is_multi)
    count = given_BL.size if is_multi else len(given_BL)
    gradient_M = np.einsum("mbl,bl->m", inputs_MBL, given_BL - wanted_BL) / count
    if is_multi:
        spread_BL = given_BL * (1 - given_BL)
        curvature_MM = np.einsum("mbl,nbl,bl->mn", inputs_MBL, inputs_MBL, spread_BL)
    else:
        mean_MB = np.einsum("mbl,bl->mb", inputs_MBL, given_BL)
        curvature_MM = np.einsum("mbl,nbl,bl->mn", inputs_MBL, inputs_MBL, given_BL)
        curvature_MM = curvature_MM - mean_MB @ mean_MB.T
    pull = _RIDGE_TEXTS / len(wanted_BL)
    curvature_MM = curvature_MM / count + (pull + 1e-9) * np.eye(len(weights_M))
    gradient_M = gradient_M + pull * (weights_M - anchor_M)
    step_M: Scores = np.linalg.solve(curvature_MM, gradient_M)
    return step_M
