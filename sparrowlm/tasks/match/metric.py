"""How good a matcher is: F1 of "means the same", precision of the ranking, calibration, hits.

Shape letters: B pairs or questions.

Source: Efron 1979, "Bootstrap methods" (percentile intervals); Guo et al. 2017, arXiv:1706.04599
(expected calibration error); Voorhees 1999, "The TREC-8 question answering track report" (mean
reciprocal rank).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float, Int64
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.tasks.calibration import calibration_error, error_by_chance

_RESAMPLES = 1000

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class PairFigures:
    """Figures of a pair classifier, 0 to 1.

    Attributes:
        f1: of the pairs that mean the same.
        precision: share of the pairs said to mean the same that do.
        recall: share of those that do that were found.
        accuracy: share of right decisions.
        average_precision: of the ranking by score.
        calibration_error: mean distance between probability and truth.
        calibration_error_by_chance: what exactly right probabilities would show on as many pairs.
        f1_interval: 95 % interval of f1.
    """

    f1: float
    precision: float
    recall: float
    accuracy: float
    average_precision: float
    calibration_error: float
    calibration_error_by_chance: float
    f1_interval: Interval


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """Figures of a search, 0 to 1.

    Attributes:
        hit_1: share of the questions whose right answer came first.
        hit_5: among the first five.
        hit_10: among the first ten.
        reciprocal_rank: mean of one over the place of the right answer.
        hit_1_interval: 95 % interval of hit_1.
    """

    hit_1: float
    hit_5: float
    hit_10: float
    reciprocal_rank: float
    hit_1_interval: Interval


def pair_figures(
    is_same_B: Bool[np.ndarray, " pairs"],
    probabilities_B: Float[np.ndarray, " pairs"],
    threshold: float,
    seed: int = 0,
) -> PairFigures:
    """Return all figures of a pair classifier.

    Args:
        is_same_B: the truth.
        probabilities_B: given to "means the same".
        threshold: least probability that decides for it; chosen on other pairs.
        seed: of the interval.
    """
    is_said_B = probabilities_B >= threshold
    right = int((is_same_B & is_said_B).sum())
    return PairFigures(
        f1=f1(is_same_B, is_said_B),
        precision=right / max(int(is_said_B.sum()), 1),
        recall=right / max(int(is_same_B.sum()), 1),
        accuracy=float((is_same_B == is_said_B).mean()) if len(is_same_B) else 0.0,
        average_precision=average_precision(is_same_B, probabilities_B),
        calibration_error=calibration_error(probabilities_B, is_same_B),
        calibration_error_by_chance=error_by_chance(probabilities_B),
        f1_interval=interval(
            lambda rows: f1(is_same_B[rows], is_said_B[rows]), len(is_same_B), seed
        ),
    )


def f1(is_same_B: Bool[np.ndarray, " pairs"], is_said_B: Bool[np.ndarray, " pairs"]) -> float:
    """Return the harmonic mean of precision and recall of the positive class."""
    right = int((is_same_B & is_said_B).sum())
    return 2 * right / max(int(is_same_B.sum()) + int(is_said_B.sum()), 1)


def best_threshold(
    is_same_B: Bool[np.ndarray, " pairs"], scores_B: Float[np.ndarray, " pairs"]
) -> float:
    """Return the least score to be called the same that gives the best F1.

    It lies half way to the next smaller score, so that rounding does not decide.
    """
    order = np.argsort(-scores_B, kind="stable")
    sorted_B = scores_B[order].astype(np.float64)
    right_B = np.cumsum(is_same_B[order])
    f1_B = 2 * right_B / (np.arange(1, len(order) + 1) + right_B[-1])
    is_last_B = np.append(sorted_B[1:] < sorted_B[:-1], True)
    best = int(np.argmax(np.where(is_last_B, f1_B, -1.0)))
    below = sorted_B[best + 1] if best + 1 < len(sorted_B) else sorted_B[best] - 1e-6
    return float(0.5 * (sorted_B[best] + below))


def average_precision(
    is_same_B: Bool[np.ndarray, " pairs"], scores_B: Float[np.ndarray, " pairs"]
) -> float:
    """Return the area under precision over recall, as a sum over the steps of recall."""
    if not is_same_B.any():
        return 0.0
    order = np.argsort(-scores_B, kind="stable")
    sorted_B, right_B = scores_B[order], np.cumsum(is_same_B[order])
    # Equal scores are one step.
    ends = np.flatnonzero(np.append(sorted_B[1:] != sorted_B[:-1], True))
    precision, recall = right_B[ends] / (ends + 1), right_B[ends] / right_B[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def search_figures(places_B: Int64[np.ndarray, " questions"], seed: int = 0) -> SearchFigures:
    """Return all figures of a search.

    Args:
        places_B: where the right answer stood, from 0; negative where it was not among the found.
        seed: of the interval.
    """
    hits = [float(hits_within(places_B, k).mean()) if len(places_B) else 0.0 for k in (1, 5, 10)]
    first_B = hits_within(places_B, 1)
    return SearchFigures(
        hit_1=hits[0],
        hit_5=hits[1],
        hit_10=hits[2],
        reciprocal_rank=reciprocal_rank(places_B),
        hit_1_interval=interval(lambda rows: float(first_B[rows].mean()), len(places_B), seed),
    )


def hits_within(places_B: Int64[np.ndarray, " questions"], most: int) -> Bool[np.ndarray, " q"]:
    """Say of every question whether its answer is among the first ones."""
    return (places_B >= 0) & (places_B < most)


def reciprocal_rank(places_B: Int64[np.ndarray, " questions"]) -> float:
    """Return the mean of one over the place, counted from 1; not found counts as 0."""
    if not len(places_B):
        return 0.0
    return float(np.where(places_B >= 0, 1 / (np.maximum(places_B, 0) + 1.0), 0.0).mean())


def interval(
    figure: Callable[[np.ndarray[Any, np.dtype[np.int64]]], float], count: int, seed: int = 0
) -> Interval:
    """Return the 95 % interval of a figure, by drawing its rows anew a thousand times."""
    if not count:
        return 0.0, 1.0
    random = random_generator(seed, "bootstrap of matching")
    drawn = [figure(random.integers(count, size=count)) for _ in range(_RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return low, high
