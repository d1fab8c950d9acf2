"""Count n-grams, order by order, into sorted arrays.

A level holds the distinct n-grams of one order n, sorted by their ids: the n-grams that go on from
one context stand together, so a context is a range of the next level. Every order is made from the
one below, so that all orders up to N cost little more than order N alone.

An event is one predicted id: position t is an event of order n when the n - 1 ids before it exist
and no separator stands among them but as the first. The separator in front of the text is context
only.

Memory: 4 bytes per id for its n-gram of the last order, the same again while an order is made, 16
bytes per event of the block at work, and the levels themselves (16 bytes per distinct n-gram).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.native_part import native_part

SEPARATOR = 0
MAXIMUM_IDS = 2**32 - 2
_BLOCK_EVENTS = 1 << 24

Ids = np.ndarray[Any, np.dtype[Any]]
Counts = np.ndarray[Any, np.dtype[np.uint32]]


@dataclass(frozen=True)
class Level:
    """The distinct n-grams of one order, sorted.

    Args:
        tokens: last id of each n-gram, uint32; of order 1 all V ids, seen or not.
        counts: occurrences, uint32.
        num_children: n-grams of the next order that start with it, uint32; zeros until known.
        adjusted: distinct ids seen before it (Kneser and Ney's count of the orders below the
            highest); after a separator, where nothing can stand, its occurrences.
        num_separated: the first so many n-grams begin with the separator (0 at order 1).
    """

    tokens: Counts
    counts: Counts
    num_children: Counts
    adjusted: Counts
    num_separated: int


@dataclass(frozen=True)
class CountState:
    """All that is needed to count the next order.

    Args:
        levels: orders 1 to n; the last one's num_children and adjusted are not known yet.
        nodes_T: for every id the number of its n-gram in the last level, uint32.
    """

    levels: tuple[Level, ...]
    nodes_T: Counts


def countable(ids: Ids, vocab_size: int) -> Ids:
    """Check ids, and put the separator in front where the text does not begin with it.

    Raises:
        DataError: empty, not one list of whole numbers, outside the vocabulary, or too many.
    """
    if ids.ndim != 1 or ids.dtype.kind not in "ui":
        raise DataError("models.ids-not-a-list", shape=ids.shape, dtype=ids.dtype)
    if len(ids) == 0:
        raise DataError("models.nothing-to-count")
    if len(ids) > MAXIMUM_IDS:
        raise DataError("models.too-many-ids", received=len(ids), maximum=MAXIMUM_IDS)
    smallest, largest = int(ids.min()), int(ids.max())
    if smallest < 0 or largest >= vocab_size:
        raise DataError(
            "models.ids-outside-vocabulary",
            smallest=smallest,
            largest=largest,
            vocab_size=vocab_size,
        )
    narrow = ids if ids.dtype.itemsize <= 4 and ids.dtype.kind == "u" else ids.astype(np.uint32)
    if narrow[0] == SEPARATOR:
        return narrow
    return np.concatenate([np.zeros(1, dtype=narrow.dtype), narrow])


def available_context(ids: Ids, limit: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return for every id how long a context may end with it: to the separator, at most limit."""
    lengths = np.empty(len(ids), dtype=np.uint8)
    block = 1 << 20
    last_separator = 0
    for start in range(0, len(ids), block):
        piece = ids[start : start + block]
        positions = np.arange(start, start + len(piece), dtype=np.int64)
        seen = np.maximum.accumulate(np.where(piece == SEPARATOR, positions, last_separator))
        lengths[start : start + block] = np.minimum(positions - seen + 1, limit)
        last_separator = int(seen[-1])
    return lengths


def first_level(ids: Ids, vocab_size: int) -> CountState:
    """Count single ids; ids begin with the separator, which is not an event itself."""
    counts = np.bincount(ids, minlength=vocab_size).astype(np.uint32)
    counts[SEPARATOR] -= 1
    unknown = np.zeros(vocab_size, dtype=np.uint32)
    level = Level(np.arange(vocab_size, dtype=np.uint32), counts, unknown, unknown, 0)
    return CountState((level,), np.asarray(ids, dtype=np.uint32))


def next_level(state: CountState, ids: Ids, available_T: Ids) -> CountState:
    """Count the next order, and complete the last level by what it tells about it.

    Args:
        state: orders 1 to n - 1.
        ids: as for first_level.
        available_T: see available_context.
    """
    order = len(state.levels) + 1
    native = native_part()
    last = state.levels[-1]
    nodes_T = np.zeros(len(ids), dtype=np.uint32)
    if native is None:
        blocks = list(_blocks(state, ids, available_T, nodes_T))
        parents, tokens, counts, suffixes = (np.concatenate(c) for c in zip(*blocks, strict=True))
    else:
        parents, tokens, counts, suffixes = native.count_level(
            ids, state.nodes_T, available_T, order, len(last.tokens), nodes_T
        )
    num_children = np.bincount(parents, minlength=len(last.tokens)).astype(np.uint32)
    adjusted = np.bincount(suffixes, minlength=len(last.tokens)).astype(np.uint32)
    adjusted[: last.num_separated] = last.counts[: last.num_separated]
    separated_parents = last.num_separated if order > 2 else 1
    num_separated = int(num_children[:separated_parents].sum(dtype=np.int64))
    unknown = np.zeros(len(tokens), dtype=np.uint32)
    level = Level(tokens, counts, unknown, unknown, num_separated)
    completed = Level(last.tokens, last.counts, num_children, adjusted, last.num_separated)
    return CountState((*state.levels[:-1], completed, level), nodes_T)


def _blocks(
    state: CountState, ids: Ids, available_T: Ids, nodes_T: Counts
) -> Iterator[tuple[Counts, Counts, Counts, Counts]]:
    """Count events of one range of contexts after another, so that memory stays bounded.

    Yields:
        parent, last id, occurrences and shorter n-gram (its first id dropped) of the distinct
        n-grams; nodes_T is filled on the way.
    """
    order = len(state.levels) + 1
    total = 0
    for low, high in _context_ranges(state, len(ids)):
        before_T = state.nodes_T[:-1]
        is_event_T = (before_T >= low) & (before_T < high) & (available_T[:-1] >= order - 1)
        events = np.flatnonzero(is_event_T)
        keys = before_T[events].astype(np.uint64) << np.uint64(32)
        events += 1
        keys |= ids[events].astype(np.uint64)
        distinct, numbers, counts = np.unique(keys, return_inverse=True, return_counts=True)
        nodes_T[events] = (numbers + total).astype(np.uint32)
        total += len(distinct)
        example = np.zeros(len(distinct), dtype=np.int64)
        example[numbers] = events
        parents = (distinct >> np.uint64(32)).astype(np.uint32)
        tokens = (distinct & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        yield parents, tokens, counts.astype(np.uint32), state.nodes_T[example]


def _context_ranges(state: CountState, num_ids: int) -> list[tuple[int, int]]:
    """Divide the contexts into ranges of at most about _BLOCK_EVENTS events."""
    counts = state.levels[-1].counts
    if num_ids <= _BLOCK_EVENTS:
        return [(0, len(counts))]
    block = np.cumsum(counts, dtype=np.int64) // _BLOCK_EVENTS
    edges = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(counts)]
    return list(itertools.pairwise(edges))
