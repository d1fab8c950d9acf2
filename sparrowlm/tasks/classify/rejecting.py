"""Knowing when none of the labels fits: a small detector over the scores, learnt from examples.

A text that belongs nowhere has low scores everywhere, and the gap between its two best labels is
small. How much each of these says is learnt, by logistic regression, on texts that the models did
not see, from examples of what does not belong. The threshold then allows a chosen share of false
refusals among texts that do belong.

Shape letters: B texts, L labels, F signs.

Source: Larson et al. 2019, "An evaluation dataset for intent classification and out-of-scope
prediction", arXiv:1909.02027 (the problem); Hendrycks and Gimpel 2017, arXiv:1610.02136 (the
largest probability as a sign).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float, Float32, Float64
from sparrowlm.tasks.classify.blending import label_probabilities
from sparrowlm.tasks.logistic import fitted_logistic

# Labels with such names hold examples of what belongs nowhere.
REJECT_LABELS = frozenset((
    "oos", "ood", "out_of_scope", "out-of-scope", "out of scope", "none_of_these",
    "none of these", "范围外", "超出范围", "无关", "以上都不是",
))  # fmt: skip
FALSE_REFUSALS = 0.01
_RIDGE = 1e-2

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Scores = Mapping[str, Float32[np.ndarray, "texts labels"]]


def reject_label(labels: tuple[str, ...]) -> int | None:
    """Return the number of the label that means "none of these"; None where there is none."""
    for number, label in enumerate(labels):
        if label.strip().casefold() in REJECT_LABELS:
            return number
    return None


def signs(
    scores: Scores, logits_BL: Float[np.ndarray, "texts labels"], rejected: int
) -> Float64[np.ndarray, "texts signs"]:
    """Return what tells a text that belongs nowhere from one that belongs somewhere.

    Args:
        scores: of every part.
        logits_BL: the blend of them.
        rejected: number of the label that means "none of these".
    """
    inside = np.delete(np.arange(logits_BL.shape[1]), rejected)
    given_BL = label_probabilities(logits_BL[:, inside].astype(np.float64), is_multi_label=False)
    best_two = np.sort(given_BL, axis=1)[:, -2:]
    entropy_B = -(given_BL * np.log(np.maximum(given_BL, 1e-12))).sum(axis=1)
    columns = [np.log(best_two[:, -1]), best_two[:, -1] - best_two[:, 0], entropy_B]
    for name in sorted(scores):
        own_BL = scores[name].astype(np.float64)
        columns += [own_BL[:, inside].max(axis=1), own_BL[:, rejected]]
    return np.stack(columns, axis=1)


@dataclass(frozen=True, slots=True)
class Detector:
    """Says how likely a text belongs nowhere.

    Attributes:
        label: number of the label that means so.
        means: of the signs.
        scales: of the signs.
        weights: of the signs, standardised.
        offset: added.
        threshold: sums above it are refused.
    """

    label: int
    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    offset: float
    threshold: float

    def sums(self, signs_BF: Float64[np.ndarray, "texts signs"]) -> Float64[np.ndarray, " texts"]:
        """Return the evidence that each text belongs nowhere."""
        standard_BF = (signs_BF - np.array(self.means)) / np.array(self.scales)
        sums_B: Matrix = standard_BF @ np.array(self.weights) + self.offset
        return sums_B

    def refuses(self, signs_BF: Float64[np.ndarray, "texts signs"]) -> Bool[np.ndarray, " texts"]:
        """Say which texts belong nowhere."""
        refused_B: np.ndarray[Any, np.dtype[np.bool_]] = self.sums(signs_BF) > self.threshold
        return refused_B

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "label": self.label, "means": list(self.means), "scales": list(self.scales),
            "weights": list(self.weights), "offset": self.offset, "threshold": self.threshold,
        }  # fmt: skip

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Detector:
        """Rebuild from as_json."""
        lists = {name: tuple(map(float, values[name])) for name in ("means", "scales", "weights")}
        return Detector(
            label=int(values["label"]), offset=float(values["offset"]),
            threshold=float(values["threshold"]), **lists,
        )  # fmt: skip


def learnt_detector(
    signs_BF: Float64[np.ndarray, "texts signs"],
    is_outside_B: Bool[np.ndarray, " texts"],
    label: int,
    false_refusals: float = FALSE_REFUSALS,
) -> Detector | None:
    """Learn weights and threshold.

    Args:
        signs_BF: of texts that the models did not see.
        is_outside_B: whether each belongs nowhere.
        label: number of the label that means so.
        false_refusals: share of the texts that belong somewhere which may be refused.

    Returns:
        None where there are too few examples of either kind.
    """
    num_outside = int(is_outside_B.sum())
    if num_outside < 5 or len(is_outside_B) - num_outside < 5:
        return None
    means_F, scales_F = signs_BF.mean(axis=0), signs_BF.std(axis=0) + 1e-9
    inputs_BF = np.column_stack([(signs_BF - means_F) / scales_F, np.ones(len(signs_BF))])
    weights_F = _weights(inputs_BF, is_outside_B)
    sums_B = inputs_BF @ weights_F
    threshold = float(np.quantile(sums_B[~is_outside_B], 1 - false_refusals))
    return Detector(
        label, tuple(means_F.tolist()), tuple(scales_F.tolist()),
        tuple(weights_F[:-1].tolist()), float(weights_F[-1]), threshold,
    )  # fmt: skip


def _weights(
    inputs_BF: Float64[np.ndarray, "texts inputs"], is_outside_B: Bool[np.ndarray, " texts"]
) -> Float64[np.ndarray, " inputs"]:
    """Fit the weights and, last, the offset; both kinds of texts weigh the same."""
    share = is_outside_B.mean()
    importance_B = np.where(is_outside_B, 0.5 / share, 0.5 / (1 - share)) / len(is_outside_B)
    ridge_F = np.full(inputs_BF.shape[1], _RIDGE)
    ridge_F[-1] = 1e-9
    targets_B = is_outside_B.astype(np.float64)
    return fitted_logistic(inputs_BF, targets_B, ridge_F, importance_B=importance_B)
