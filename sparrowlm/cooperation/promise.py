"""A threshold with a promise: of the answers it lets through, few are wrong, and this is proven.

    score      any number that is larger the surer an answer is
    t          a threshold: answers with score >= t are given
    R(t)       P(wrong | score >= t), for texts like those that were calibrated on
    promise    P(R(chosen t) <= max_error) >= confidence; the probability is over calibration rows

A threshold at which the errors counted in the rows are just few enough breaks its promise about
every other time: the count is below its expectation as often as above. So every threshold t_1 >
t_2 > ... of a grid is a hypothesis "R(t_j) > max_error" to be refuted. Of rows drawn independently,
n_j have a score >= t_j, and of these k_j are wrong. Given n_j, k_j is binomial with R(t_j), because
t_j was fixed before these rows were looked at. So p_j = P(Bin(n_j, max_error) <= k_j) is a p-value,
exact and not asymptotic.

Refuted is in sequence, the safest first (fallback procedure): each t_j brings a part w_j of 1 -
confidence, the parts add up to 1, and one that is refuted leaves all it had to the next one. One
that is not refuted takes its part with it. Whatever the dependence of the p_j, and they share rows,
some true hypothesis is refuted with probability at most 1 - confidence: of the true ones, take the
first that is refuted; the true one before it stood and took all parts with it, so the level is at
most that of the parts between the two, and these add up to 1 over all true ones (union bound). The
lowest refuted threshold is taken, because it answers most.

Grid and parts come from other rows (the scale part): the threshold where these expect the strongest
proof gets most, so that the walk begins where it cannot stumble over three texts, and two safer
ones get the rest, in case it was expected wrongly. From there the walk tests at the full level.

For labels of their own thresholds, 1 - confidence is divided by the number of groups (Bonferroni):
all groups' promises hold together with the stated confidence.

Source: Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then test: calibrating predictive
algorithms to achieve risk control", arXiv:2110.01052, sections 1.1 and 2; Wiens 2003, "A fixed
sequence Bonferroni procedure for testing multiple endpoints" (fallback); Geifman and El-Yaniv 2017,
arXiv:1705.08500 (selective risk).

Shape letters: B rows, T thresholds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from sparrowlm.cooperation.binomial import chance_of_so_few, fewest_answers, upper_bound
from sparrowlm.cooperation.scales import fitted_platt
from sparrowlm.foundation.array_types import Bool, Float64, Int64
from sparrowlm.foundation.errors import SettingError

_GRID_STEP = 0.005
_FIRST_PART = 0.9
# The safer starts, as shares of the answers expected at the first one.
_SAFER = (0.25, 0.5)

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Integers = np.ndarray[Any, np.dtype[np.int64]]
Kind = Literal["answered", "everything"]


@dataclass(frozen=True, slots=True)
class PromiseSettings:
    """What is to be promised.

    Attributes:
        max_error: largest share of wrong answers, above 0 and below 1.
        confidence: with which this is proven, above 0 and below 1.
    """

    max_error: float = 0.05
    confidence: float = 0.9

    def __post_init__(self) -> None:
        """Refuse shares that are none, or that nothing could prove."""
        for name in ("max_error", "confidence"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise SettingError(
                    "cooperation.promise-share", name=name, received=getattr(self, name)
                )


@dataclass(frozen=True, slots=True)
class Promise:
    """A threshold, and what is proven about the answers it lets through.

    Attributes:
        kind: "answered": of the answers given, at most max_error are wrong; "everything": of all
            final answers, the small model's and the large one's together.
        max_error: see PromiseSettings.
        confidence: of this promise, after division among several.
        threshold: least score of an answer that is given; -inf gives all.
        num_rows: that proved it.
        num_answered: of these, by the small model.
        num_wrong: of the answers the promise is about.
        bound: error rate that is not exceeded, with the confidence, at this threshold alone.
    """

    kind: Kind
    max_error: float
    confidence: float
    threshold: float
    num_rows: int
    num_answered: int
    num_wrong: int
    bound: float

    @property
    def coverage(self) -> float:
        """Share of the rows that the small model answers."""
        return self.num_answered / self.num_rows


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is promised.

    Attributes:
        num_rows: that were there to prove it.
        error: share of wrong answers where the model is surest, of as many as a proof takes.
        rows_needed: how many rows would probably do; None: no number, it is wrong too often even
            where it is surest.
    """

    num_rows: int
    error: float
    rows_needed: int | None


@dataclass(frozen=True)
class Scored:
    """Rows whose answers were judged.

    Attributes:
        scores_B: how sure each answer is.
        is_wrong_B: whether the small model's answer is wrong.
        large_is_wrong_B: the same of the large model; None where it is not known.
    """

    scores_B: Float64[np.ndarray, " rows"]
    is_wrong_B: Bool[np.ndarray, " rows"]
    large_is_wrong_B: Bool[np.ndarray, " rows"] | None = None

    def __len__(self) -> int:
        return len(self.scores_B)

    def part(self, chosen: np.ndarray[Any, np.dtype[Any]]) -> Scored:
        """Return some of the rows."""
        large = self.large_is_wrong_B
        return Scored(
            self.scores_B[chosen], self.is_wrong_B[chosen], None if large is None else large[chosen]
        )

    def counts(self, thresholds_T: Float64[np.ndarray, " thresholds"], kind: Kind) -> Counts:
        """Count answers and errors at every threshold.

        Args:
            thresholds_T: least scores of the small model's answers.
            kind: of the promise.
        """
        order_B = np.argsort(-self.scores_B, kind="stable")
        small_T = np.searchsorted(-self.scores_B[order_B], -thresholds_T, side="right")
        wrong_T = _sums(self.is_wrong_B[order_B])[small_T]
        if kind == "answered" or self.large_is_wrong_B is None:
            return Counts(small_T, small_T, wrong_T)
        large = _sums(self.large_is_wrong_B[order_B])
        return Counts(
            small_T, np.full(len(small_T), len(self)), wrong_T + large[-1] - large[small_T]
        )


class Counts(NamedTuple):
    """What lies above thresholds.

    Attributes:
        small_T: answers of the small model.
        answers_T: answers that the promise is about.
        wrong_T: of these, wrong ones.
    """

    small_T: Int64[np.ndarray, " thresholds"]
    answers_T: Int64[np.ndarray, " thresholds"]
    wrong_T: Int64[np.ndarray, " thresholds"]


def promised(
    proof: Scored, scale: Scored, settings: PromiseSettings, kind: Kind = "answered"
) -> Promise | Refusal:
    """Find the lowest threshold whose promise is proven.

    Args:
        proof: rows that prove; nothing about them decided grid or score.
        scale: other rows, from which the grid is taken.
        settings: what is to be promised.
        kind: of the promise; "everything" needs the large model's answers on all rows.

    Returns:
        The promise, or why there is none.
    """
    delta = 1.0 - settings.confidence
    thresholds_T = _grid(scale.scores_B)
    parts_T = _parts(thresholds_T, scale, len(proof), settings, kind)
    counts = proof.counts(thresholds_T, kind)
    best, level = None, 0.0
    for number in np.arange(len(thresholds_T)):
        level += parts_T[number] * delta
        if level == 0.0:
            continue
        num_answers, num_wrong = int(counts.answers_T[number]), int(counts.wrong_T[number])
        if chance_of_so_few(num_wrong, num_answers, settings.max_error) <= level:
            best = number
        else:
            level = 0.0
    if best is None:
        return _refusal(proof, settings, kind)
    num_answers, num_wrong = int(counts.answers_T[best]), int(counts.wrong_T[best])
    return Promise(
        kind=kind,
        max_error=settings.max_error,
        confidence=settings.confidence,
        threshold=float(thresholds_T[best]),
        num_rows=len(proof),
        num_answered=int(counts.small_T[best]),
        num_wrong=num_wrong,
        bound=upper_bound(num_wrong, num_answers, settings.confidence),
    )


def naive_threshold(rows: Scored, max_error: float) -> float:
    """Return the threshold that answers most with few enough errors counted: promises nothing.

    Args:
        rows: to count on.
        max_error: largest share of wrong answers counted.

    Returns:
        inf where no threshold will do.
    """
    order_B = np.argsort(-rows.scores_B, kind="stable")
    scores_B = rows.scores_B[order_B]
    shares_B = np.cumsum(rows.is_wrong_B[order_B]) / np.arange(1, len(rows) + 1)
    # Of equal scores all are answered, or none.
    is_end_B = np.append(scores_B[1:] < scores_B[:-1], True) if len(rows) else np.zeros(0, bool)
    fitting = np.flatnonzero(is_end_B & (shares_B <= max_error))
    return float(scores_B[fitting[-1]]) if len(fitting) else math.inf


def _grid(scores_B: Numbers) -> Numbers:
    """Return thresholds, the safest first: quantiles of scores, and -inf at the end."""
    shares = np.arange(1.0 - _GRID_STEP, 0.0, -_GRID_STEP)
    found = np.quantile(scores_B, shares) if len(scores_B) else np.zeros(0)
    thresholds_T: Numbers = np.append(np.unique(found)[::-1], -math.inf)
    return thresholds_T


def _parts(
    thresholds_T: Numbers, scale: Scored, num_rows: int, settings: PromiseSettings, kind: Kind
) -> Numbers:
    """Return the part of the level that each threshold brings; they add up to 1."""
    counts = scale.counts(thresholds_T, kind)
    rates_T = _expected_wrong(scale, counts) / np.maximum(counts.answers_T, 1)
    chances_T = np.ones(len(thresholds_T))
    for number in np.flatnonzero(counts.answers_T):
        num_answers = round(int(counts.answers_T[number]) * num_rows / len(scale))
        num_wrong = math.ceil(float(rates_T[number]) * num_answers)
        chances_T[number] = chance_of_so_few(num_wrong, num_answers, settings.max_error)
    first = int(chances_T.argmin())
    parts_T = np.zeros(len(thresholds_T))
    parts_T[first] = _FIRST_PART
    for share in _SAFER:
        place = int(np.searchsorted(counts.small_T, share * counts.small_T[first]))
        parts_T[min(place, first)] += (1.0 - _FIRST_PART) / len(_SAFER)
    return parts_T


def _expected_wrong(scale: Scored, counts: Counts) -> Numbers:
    """Return the errors expected at every threshold: few rows say more by a curve than counted."""
    if not len(scale):
        return np.zeros(len(counts.small_T))
    order_B = np.argsort(-scale.scores_B, kind="stable")
    curve = fitted_platt(scale.scores_B, ~scale.is_wrong_B)
    expected_N = np.concatenate(
        [[0.0], np.cumsum(1.0 - curve.probabilities(scale.scores_B[order_B]))]
    )
    counted_N = _sums(scale.is_wrong_B[order_B])
    found_T: Numbers = expected_N[counts.small_T] + counts.wrong_T - counted_N[counts.small_T]
    return found_T


def _refusal(proof: Scored, settings: PromiseSettings, kind: Kind) -> Refusal:
    """Say how many rows it would take, by the errors among the surest answers."""
    fewest = fewest_answers(settings.max_error, settings.confidence) or 1
    shares = np.linspace(0.05, 1.0, 20)
    shares = shares[shares * len(proof) >= min(fewest, len(proof))]
    if not len(proof):
        return Refusal(0, 1.0, None)
    counts = proof.counts(np.quantile(proof.scores_B, 1.0 - shares), kind)
    needed, error = None, 1.0
    for answers, wrong in zip(counts.answers_T.tolist(), counts.wrong_T.tolist(), strict=True):
        rate = wrong / answers
        error = min(error, rate)
        enough = fewest_answers(settings.max_error, settings.confidence, rate)
        if enough is not None:
            rows = math.ceil(enough * len(proof) / answers)
            needed = rows if needed is None else min(needed, rows)
    return Refusal(len(proof), error, needed)


def _sums(flags_B: Flags) -> Integers:
    """Return how many are true among the first n, for every n from 0."""
    found_N: Integers = np.concatenate([[0], np.cumsum(flags_B)])
    return found_N
