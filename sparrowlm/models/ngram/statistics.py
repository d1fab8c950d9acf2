"""What the counts say about events, and the probabilities that follow from it.

An event is one predicted id with the ids before it. For every order it is described by a handful
of whole numbers; the recursion of Kneser and Ney turns them into probabilities. The compiled code
does the same operations in the same order, so both give the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

Whole = np.ndarray[Any, np.dtype[np.int64]]
Real = np.ndarray[Any, np.dtype[np.float64]]
Truth = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class EventStatistics:
    """Counts about T events at one order n; all arrays of shape (T,).

    Args:
        count: occurrences of the n-gram (context and id), 0 where unseen.
        adjusted: a of the n-gram, see smoothing.py.
        context_count: occurrences of the context; 0 where unseen or cut off by a separator.
        mass: A, the sum of a over all ids seen after the context; 0 where there is none.
        ones: ids seen after the context whose a is 1.
        twos: those whose a is 2.
        more: those whose a is 3 or more.
        lost: the part of A that belonged to n-grams pruned away.
        is_separated: the n-gram begins with the separator (never at order 1).
    """

    count: Whole
    adjusted: Whole
    context_count: Whole
    mass: Whole
    ones: Whole
    twos: Whole
    more: Whole
    lost: Whole
    is_separated: Truth

    @property
    def num_continuations(self) -> Whole:
        """Distinct ids seen after the context."""
        return self.ones + self.twos + self.more

    def rows(self, first: int) -> EventStatistics:
        """Leave out the events before the first."""
        return EventStatistics(*(getattr(self, one.name)[first:] for one in fields(self)))

    def back_off(self, discounts_C: Sequence[float] | Real) -> Real:
        """Return gamma, the weight of the order below; 1 where the context says nothing."""
        free = (discounts_C[0] * self.ones + discounts_C[1] * self.twos) + (
            discounts_C[2] * self.more + self.lost
        )
        return np.where(self.mass > 0, free / np.maximum(self.mass, 1), 1.0)


def class_of(adjusted: Whole) -> Whole:
    """Return which discount belongs to a: 0 for none, 1, 2 or 3."""
    return np.minimum(adjusted, 3)


def interpolated(
    statistics: Sequence[EventStatistics], discounts_NC: Real, vocab_size: int
) -> list[Real]:
    """Return the probabilities of the events at every order, lowest first."""
    lower_T = np.full(len(statistics[0].count), 1.0 / vocab_size)
    rows = []
    for one, discounts_C in zip(statistics, discounts_NC, strict=True):
        discount_of = np.array([0.0, *discounts_C])
        kept_T = one.adjusted - discount_of[class_of(one.adjusted)]
        own_T = np.where(one.mass > 0, kept_T / np.maximum(one.mass, 1), 0.0)
        lower_T = own_T + one.back_off(discounts_C) * lower_T
        rows.append(lower_T)
    return rows


def without_the_event(statistics: Sequence[EventStatistics]) -> list[EventStatistics]:
    """Describe every event as though its one occurrence had not been counted.

    Only the event itself is taken out of the counts: its id still stands in the contexts of the
    events after it, and the discounts stay. Of an n-gram seen nowhere else, the shorter n-grams
    lose one distinct id in front of them. Exact for events of the counted text from a separator
    on, in models that were not pruned; what pruning dropped is taken to have occurred once.
    """
    highest = len(statistics) - 1
    return [
        _reduced(one, _loss(one, None if n == highest else statistics[n + 1], is_top=n == highest))
        for n, one in enumerate(statistics)
    ]


def _loss(one: EventStatistics, above: EventStatistics | None, *, is_top: bool) -> Whole:
    """Return by how much a shrinks when the event goes: 0 or 1."""
    if is_top or above is None:
        return np.ones_like(one.count)
    # Where no longer context is at hand, only an n-gram that occurs once surely loses its front.
    is_longer_T = above.mass > 0
    is_single_T = np.where(is_longer_T, above.count <= 1, one.count <= 1)
    return (is_single_T | one.is_separated).astype(np.int64)


def _reduced(one: EventStatistics, loss: Whole) -> EventStatistics:
    is_there_T = one.count > 0
    left_T = np.maximum(one.adjusted - loss, (one.count > 1).astype(np.int64))
    adjusted_T = np.where(is_there_T, left_T, 0)
    before_T, after_T = class_of(one.adjusted), class_of(adjusted_T)
    from_lost_T = np.where(is_there_T, 0, np.minimum(one.lost, loss))
    moved = [
        now - (before_T == k) + (after_T == k)
        for k, now in enumerate((one.ones, one.twos, one.more), start=1)
    ]
    return replace(
        one,
        count=one.count - is_there_T,
        adjusted=adjusted_T,
        context_count=np.maximum(one.context_count - 1, 0),
        mass=one.mass - (one.adjusted - adjusted_T) - from_lost_T,
        ones=moved[0],
        twos=moved[1],
        more=moved[2],
        lost=one.lost - from_lost_T,
    )
