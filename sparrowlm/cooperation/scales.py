"""From a score to a probability: monotone, so that the order of answers stays what it was.

    as it is     1 / (1 + e^-score): nothing is learnt
    platt        1 / (1 + e^-(a score + b)), a > 0
    isotonic     the best that never falls, drawn out between its steps

A change that keeps the order moves no answer across a threshold; so all rows may be used for it,
also those that prove a promise.

Shape letters: B answers.

Source: Platt 1999; Zadrozny and Elkan 2002, "Transforming classifier scores into accurate
multiclass probability estimates" (isotonic; pool adjacent violators, Ayer et al. 1955).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from sparrowlm.cooperation.named_values import from_named_json, named_json
from sparrowlm.foundation.array_types import Bool, Float64
from sparrowlm.tasks.logistic import fitted_logistic, sigmoid

_SMALLEST_SLOPE = 1e-3
# One made-up right and one made-up wrong answer at either end: no end is ever sure.
_END = 0.5

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@runtime_checkable
class Scale(Protocol):
    """Turns scores into probabilities."""

    name: ClassVar[str]

    def probabilities(
        self, scores_B: Float64[np.ndarray, " answers"]
    ) -> Float64[np.ndarray, " answers"]:
        """Return the probability of being right; never falls where the score rises."""
        ...


@dataclass(frozen=True, slots=True)
class PlattScale:
    """A logistic curve.

    Attributes:
        slope: above 0.
        offset: added to the score times slope.
    """

    slope: float = 1.0
    offset: float = 0.0

    name: ClassVar[str] = "platt"

    def probabilities(
        self, scores_B: Float64[np.ndarray, " answers"]
    ) -> Float64[np.ndarray, " answers"]:
        """Return 1 / (1 + e^-(slope score + offset))."""
        return sigmoid(self.slope * scores_B + self.offset)


@dataclass(frozen=True, slots=True)
class IsotonicScale:
    """Straight lines between points.

    Attributes:
        scores: ascending.
        shares: never falling, 0 to 1.
    """

    scores: tuple[float, ...]
    shares: tuple[float, ...]

    name: ClassVar[str] = "isotonic"

    def probabilities(
        self, scores_B: Float64[np.ndarray, " answers"]
    ) -> Float64[np.ndarray, " answers"]:
        """Return what lies between the points; beyond the ends, that of the ends."""
        found_B: Numbers = np.interp(scores_B, self.scores, self.shares)
        return found_B


_SCALES: dict[str, Callable[..., Scale]] = {"platt": PlattScale, "isotonic": IsotonicScale}


def scale_as_json(scale: Scale) -> dict[str, Any]:
    """Return JSON values."""
    return named_json(scale)


def scale_from_json(values: Mapping[str, Any]) -> Scale:
    """Rebuild from scale_as_json.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    return from_named_json(values, _SCALES)


def fitted_nothing(_scores_B: Numbers, _is_right_B: Flags) -> Scale:
    """Return the scale that needs no rows."""
    return PlattScale()


def fitted_platt(
    scores_B: Float64[np.ndarray, " answers"], is_right_B: Bool[np.ndarray, " answers"]
) -> Scale:
    """Return the logistic curve with the least loss, pulled a little to the one as it is."""
    inputs_BF = np.column_stack([scores_B, np.ones(len(scores_B))])
    anchor_F = np.array([1.0, 0.0])
    targets_B = is_right_B.astype(np.float64)
    slope, offset = fitted_logistic(inputs_BF, targets_B, np.full(2, 0.5), anchor_F=anchor_F)
    return PlattScale(max(float(slope), _SMALLEST_SLOPE), float(offset))


def fitted_isotonic(
    scores_B: Float64[np.ndarray, " answers"], is_right_B: Bool[np.ndarray, " answers"]
) -> Scale:
    """Return the never falling shares with the least squared error (pool adjacent violators)."""
    order_B = np.argsort(scores_B, kind="stable")
    sorted_B = np.concatenate([[scores_B.min()], scores_B[order_B], [scores_B.max()]])
    targets_B = np.concatenate([[_END], is_right_B[order_B].astype(np.float64), [_END]])
    places, starts = np.unique(sorted_B, return_index=True)
    counts = np.diff(np.append(starts, len(sorted_B))).astype(np.float64)
    shares = pooled(np.add.reduceat(targets_B, starts) / counts, counts)
    changes = np.flatnonzero(np.diff(shares) != 0)
    ends = np.unique(np.concatenate([[0], changes, changes + 1, [len(places) - 1]]))
    return IsotonicScale(tuple(places[ends].tolist()), tuple(shares[ends].tolist()))


def pooled(
    values_B: Float64[np.ndarray, " places"], weights_B: Float64[np.ndarray, " places"]
) -> Float64[np.ndarray, " places"]:
    """Return the never falling values with the least weighted squared distance.

    Args:
        values_B: in the order in which they may not fall.
        weights_B: above 0.
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values_B.tolist(), weights_B.tolist(), strict=True):
        mean, total, size = value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            last_mean, last_total, last_size = blocks.pop()
            mean = (mean * total + last_mean * last_total) / (total + last_total)
            total, size = total + last_total, size + last_size
        blocks.append((mean, total, size))
    found_B: Numbers = np.concatenate([np.full(size, mean) for mean, _total, size in blocks])
    return found_B


FITTED: dict[str, Callable[[Numbers, Flags], Scale]] = {
    "as it is": fitted_nothing,
    "platt": fitted_platt,
    "isotonic": fitted_isotonic,
}
"""How each scale is learnt, the simplest first."""
