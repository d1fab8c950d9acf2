"""The n-grams of all orders in a few bytes each, as they stand in the file.

Order 1 holds all V ids; each following order holds its n-grams context by context. Counts are one
byte each; the few that do not fit stand in a list of exceptions. Where the n-grams of a context
begin is not stored but summed up when the table is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sparrowlm.models.ngram.counting import Level

Array = np.ndarray[Any, np.dtype[Any]]
Whole = np.ndarray[Any, np.dtype[np.int64]]

_EXCEPTION = 255
# Contexts with more continuations than this have their sums ready; others are summed on the way.
WIDE_CONTEXT = 8


@dataclass(frozen=True)
class SmallCounts:
    """Whole numbers, most of them below 255.

    Args:
        small: uint8; 255 means: look among the exceptions.
        places: sorted positions of the exceptions, uint32.
        values: their values, uint32.
    """

    small: Array
    places: Array
    values: Array

    @classmethod
    def of(cls, values: Array) -> SmallCounts:
        """Store whole numbers from 0 to 2**32 - 1."""
        places = np.flatnonzero(values >= _EXCEPTION)
        small = np.minimum(values, _EXCEPTION).astype(np.uint8)
        return cls(small, places.astype(np.uint32), values[places].astype(np.uint32))

    def at(self, positions: Whole) -> Whole:
        """Return the values at positions; zeros where nothing is stored at all."""
        if len(self.small) == 0:
            return np.zeros(len(positions), dtype=np.int64)
        found = self.small[positions].astype(np.int64)
        rest = np.flatnonzero(found == _EXCEPTION)
        if len(rest):
            found[rest] = self.values[np.searchsorted(self.places, positions[rest])]
        return found

    def all(self) -> Whole:
        """Return all values."""
        found = self.small.astype(np.int64)
        found[self.places] = self.values
        return found


@dataclass(frozen=True)
class ContextSums:
    """What is known about contexts: A, how many ids have a = 1, 2, 3 or more, A lost by pruning."""

    mass: Whole
    ones: Whole
    twos: Whole
    more: Whole
    lost: Whole


@dataclass(frozen=True)
class CompactLevel:
    """The n-grams of one order.

    Args:
        tokens: last ids; None at order 1, where n-gram i is id i.
        counts: occurrences.
        adjusted: distinct ids in front; None at the highest order, which uses counts.
        num_children: n-grams of the next order that go on from each; None at the highest order.
        lost: A of the next order's n-grams that were pruned away; None where nothing was.
    """

    tokens: Array | None
    counts: SmallCounts
    adjusted: SmallCounts | None
    num_children: SmallCounts | None
    lost: SmallCounts | None

    @property
    def weights(self) -> SmallCounts:
        """The a of smoothing.py."""
        return self.counts if self.adjusted is None else self.adjusted

    @cached_property
    def starts(self) -> Array:
        """Where the children of each n-gram begin in the next order, and the end: uint32."""
        assert self.num_children is not None, "the highest order has no children"  # noqa: S101
        # An order without n-grams gets one without children, so that lookups need no exception.
        starts = np.zeros(max(len(self.counts.small), 1) + 1, dtype=np.uint32)
        np.cumsum(self.num_children.all(), out=starts[1 : 1 + len(self.counts.small)])
        return starts


class Table:
    """All orders, with what can be looked up in them.

    Args:
        levels: orders 1 to N.
        vocab_size: V.
    """

    def __init__(self, levels: Sequence[CompactLevel], vocab_size: int) -> None:
        self.levels = tuple(levels)
        self.vocab_size = vocab_size
        self.order = len(self.levels)
        self.num_events = int(self.levels[0].counts.all().sum())
        starts = np.array([0, vocab_size], dtype=np.uint32)
        self._starts = [starts, *(level.starts for level in self.levels[:-1])]
        self._native: Any = None
        self._wide = [self._wide_sums(n) for n in range(self.order)]

    def native(self, module: Any) -> Any:  # noqa: ANN401 - compiled code without types
        """Return the compiled part's view of this table."""
        if self._native is None:
            self._native = module.NgramTable(self)
        return self._native

    def starts(self, n: int) -> Array:
        """Return the first child of every context of length n, and the end."""
        return self._starts[n]

    def wide(self, n: int) -> tuple[Array, ContextSums]:
        """Return the contexts of length n with many continuations, sorted, and their sums."""
        return self._wide[n]

    def child(self, n: int, contexts: Whole, ids: Whole) -> Whole:
        """Find contexts + ids among the n-grams of order n + 1.

        Args:
            n: length of the contexts, 0 to N - 1.
            contexts: numbers of contexts, -1 where there is none.
            ids: one id each.

        Returns:
            Numbers of the n-grams, -1 where unseen.
        """
        tokens = self.levels[n].tokens
        if tokens is None:
            return ids
        if len(tokens) == 0:
            return np.full(len(ids), -1, dtype=np.int64)
        starts = self._starts[n]
        known = np.maximum(contexts, 0)
        low = starts[known].astype(np.int64)
        end = starts[known + 1].astype(np.int64)
        high = end.copy()
        widest = int((high - low).max(initial=0))
        for _ in range(widest.bit_length()):
            middle = (low + high) >> 1
            is_open = low < high
            is_less = is_open & (tokens[np.minimum(middle, len(tokens) - 1)] < ids)
            low = np.where(is_less, middle + 1, low)
            high = np.where(is_open & ~is_less, middle, high)
        is_found = (contexts >= 0) & (low < end)
        is_found &= tokens[np.minimum(low, len(tokens) - 1)] == ids
        return np.where(is_found, low, -1)

    def sums(self, n: int, contexts: Whole) -> ContextSums:
        """Return the sums of contexts of length n; all zero for context -1."""
        starts, weights = self._starts[n], self.levels[n].weights
        known = np.maximum(contexts, 0)
        first = starts[known].astype(np.int64)
        widths = np.where(contexts >= 0, starts[known + 1].astype(np.int64) - first, 0)
        lost = self._lost(n, contexts)
        parts = np.zeros((4, len(contexts)), dtype=np.int64)
        narrow = np.where(widths <= WIDE_CONTEXT, widths, 0)
        for k in range(int(narrow.max(initial=0))):
            rows = np.flatnonzero(narrow > k)
            values = weights.at(first[rows] + k)
            parts[0, rows] += values
            for part, is_class in zip(parts[1:], _classes(values), strict=True):
                part[rows] += is_class
        parts[0] += lost
        rows = np.flatnonzero(widths > WIDE_CONTEXT)
        places, wide = self._wide[n]
        at = np.searchsorted(places, contexts[rows])
        for part, values in zip(parts, (wide.mass, wide.ones, wide.twos, wide.more), strict=True):
            part[rows] = values[at]
        return ContextSums(parts[0], parts[1], parts[2], parts[3], lost)

    def context_count(self, n: int, context: int) -> int:
        """Return how often a context of length n occurred; 0 for context -1."""
        if n == 0 or context < 0:
            return 0 if context < 0 else self.num_events
        return int(self.levels[n - 1].counts.at(np.array([context]))[0])

    def _lost(self, n: int, contexts: Whole) -> Whole:
        lost = self.levels[n - 1].lost if n else None
        if lost is None:
            return np.zeros(len(contexts), dtype=np.int64)
        return np.where(contexts >= 0, lost.at(np.maximum(contexts, 0)), 0)

    def _wide_sums(self, n: int) -> tuple[Array, ContextSums]:
        """Sum up the contexts of length n with more than WIDE_CONTEXT continuations."""
        starts, weights = self._starts[n], self.levels[n].weights
        widths = np.diff(starts.astype(np.int64))
        places = np.flatnonzero(widths > WIDE_CONTEXT)
        sizes = widths[places]
        ends = np.cumsum(sizes)
        children = np.arange(int(sizes.sum()), dtype=np.int64)
        children += np.repeat(starts[places].astype(np.int64) - (ends - sizes), sizes)
        values = weights.at(children)
        edges = ends - sizes
        columns = (values, *_classes(values))
        sums = [
            np.add.reduceat(c.astype(np.int64), edges) if len(edges) else np.zeros(0, np.int64)
            for c in columns
        ]
        lost = self._lost(n, places)
        return places.astype(np.uint32), ContextSums(
            sums[0] + lost, sums[1], sums[2], sums[3], lost
        )


def _classes(values: Whole) -> tuple[Array, Array, Array]:
    return values == 1, values == 2, values >= 3


def compacted(levels: Sequence[Level], lost: Sequence[Array | None], vocab_size: int) -> Table:
    """Make the table of counted levels; the last one is the highest order.

    Args:
        levels: orders 1 to N.
        lost: per order but the highest: mass pruned from the contexts, or None.
        vocab_size: V.
    """
    dtype = np.uint8 if vocab_size <= 1 << 8 else np.uint16 if vocab_size <= 1 << 16 else np.uint32
    made = []
    for n, level in enumerate(levels):
        is_top = n == len(levels) - 1
        gone = None if is_top else lost[n]
        made.append(
            CompactLevel(
                level.tokens.astype(dtype) if n else None,
                SmallCounts.of(level.counts),
                None if is_top else SmallCounts.of(level.adjusted),
                None if is_top else SmallCounts.of(level.num_children),
                None if gone is None else SmallCounts.of(gone),
            )
        )
    return Table(made, vocab_size)
