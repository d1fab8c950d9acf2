"""How good a classifier is: accuracy, F1, a confusion table, calibration, and how sure all that is.

Shape letters: B texts, L labels.

Source: Wilson 1927 (interval of a share).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float, Int64
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.tasks.calibration import confidence_bins

_NORMAL_QUANTILE = 1.959963984540054
_RESAMPLES = 1000

Counts = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One label's figures, 0 to 1.

    Attributes:
        label: its name.
        precision: share of the predictions that were right.
        recall: share of the texts with the label that were found.
        f1: harmonic mean of the two.
        support: texts with the label.
        num_predicted: texts that were given the label.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    num_predicted: int


def confusion(
    true_B: Int64[np.ndarray, " texts"],
    predicted_B: Int64[np.ndarray, " texts"],
    num_labels: int,
) -> Int64[np.ndarray, "labels labels"]:
    """Count pairs (true label, predicted label)."""
    flat = np.bincount(true_B * num_labels + predicted_B, minlength=num_labels * num_labels)
    return flat.reshape(num_labels, num_labels)


def label_scores(
    true_BL: Bool[np.ndarray, "texts labels"],
    predicted_BL: Bool[np.ndarray, "texts labels"],
    labels: Sequence[str],
) -> list[LabelScore]:
    """Return every label's figures, also where a text may have several."""
    right = (true_BL & predicted_BL).sum(axis=0)
    predicted, support = predicted_BL.sum(axis=0), true_BL.sum(axis=0)
    found = []
    for index, label in enumerate(labels):
        precision = right[index] / max(int(predicted[index]), 1)
        recall = right[index] / max(int(support[index]), 1)
        f1 = 2 * right[index] / max(int(predicted[index] + support[index]), 1)
        counts = int(support[index]), int(predicted[index])
        found.append(LabelScore(label, float(precision), float(recall), float(f1), *counts))
    return found


def macro_f1(scores: Sequence[LabelScore]) -> float:
    """Return the mean F1 of the labels that occur, in truth or in a prediction."""
    counted = [score.f1 for score in scores if score.support or score.num_predicted]
    return float(np.mean(counted)) if counted else 0.0


def micro_f1(
    true_BL: Bool[np.ndarray, "texts labels"], predicted_BL: Bool[np.ndarray, "texts labels"]
) -> float:
    """Return the F1 of all decisions together."""
    right = int((true_BL & predicted_BL).sum())
    return 2 * right / max(int(true_BL.sum() + predicted_BL.sum()), 1)


def reliability(
    confidence_B: Float[np.ndarray, " texts"], is_right_B: Bool[np.ndarray, " texts"]
) -> list[tuple[float, float, int]]:
    """Return (mean confidence, accuracy, texts) of every bin that is not empty."""
    bins_B = confidence_bins(confidence_B)
    rows = []
    for number in np.unique(bins_B).tolist():
        inside = bins_B == number
        mean = float(confidence_B[inside].mean())
        rows.append((mean, float(is_right_B[inside].mean()), int(inside.sum())))
    return rows


def share_interval(num_right: int, num_all: int) -> tuple[float, float]:
    """Return the 95 % interval of a share.

    >>> tuple(round(end, 3) for end in share_interval(90, 100))
    (0.826, 0.945)
    """
    if not num_all:
        return 0.0, 1.0
    share, square = num_right / num_all, _NORMAL_QUANTILE**2
    middle = (share + square / (2 * num_all)) / (1 + square / num_all)
    spread = math.sqrt(share * (1 - share) / num_all + square / (4 * num_all**2))
    half = _NORMAL_QUANTILE * spread / (1 + square / num_all)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def macro_f1_interval(
    true_B: Int64[np.ndarray, " texts"],
    predicted_B: Int64[np.ndarray, " texts"],
    num_labels: int,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % interval of macro-F1, by drawing the texts anew a thousand times.

    Source: Efron 1979, "Bootstrap methods" (percentile interval). Drawing texts is drawing the
    cells of the confusion table from a multinomial.
    """
    table = confusion(true_B, predicted_B, num_labels).ravel()
    total = int(table.sum())
    if not total:
        return 0.0, 1.0
    cells = np.flatnonzero(table)
    drawn = random_generator(seed, "bootstrap").multinomial(total, table[cells] / total, _RESAMPLES)
    true, predicted = np.divmod(cells, num_labels)
    one_hot = np.arange(num_labels)
    support = drawn @ (true[:, None] == one_hot)
    guesses = drawn @ (predicted[:, None] == one_hot)
    right = drawn @ ((true[:, None] == one_hot) & (predicted[:, None] == one_hot))
    occurs = (support + guesses) > 0
    f1 = 2 * right / np.maximum(support + guesses, 1)
    means = f1.sum(axis=1) / np.maximum(occurs.sum(axis=1), 1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
