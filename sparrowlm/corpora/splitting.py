"""Which part is trained on and which is kept for evaluation, so that nothing leaks.

The rules, in this order:

    held-out size     10 % below 100,000 characters, 5 % from one million on, between them on the
                      logarithmic line; never more than 2 million characters
    whole documents   a document shorter than a third of the held-out size goes to one side whole;
                      which side is decided by its content and the seed, so equal documents stay
                      together
    long documents    (of which there is no second copy) give contiguous blocks that begin and end
                      at paragraphs: one per 2,000 held-out characters, at most 8, one in every
                      eighth of the text, at a place drawn by the seed
    the gap           is the separator: what stood on the two sides of a block becomes separate
                      documents, so no training window reaches into a held-out block
    tiny corpora      below 1,000 characters, or of a single segment: the training text itself is
                      also the held-out text, and the statistics say so
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.corpora.spool import Segments
from sparrowlm.foundation.hashing import GOLDEN, spread

Flags = np.ndarray[Any, np.dtype[np.bool_]]
Offsets = np.ndarray[Any, np.dtype[np.int64]]
Keys = np.ndarray[Any, np.dtype[np.uint64]]

TINY_CHARACTERS = 1_000
_MOST_HELD_OUT_CHARACTERS = 2_000_000
_BLOCK_CHARACTERS = 2_000
_MOST_BLOCKS = 8


@dataclass(frozen=True)
class Split:
    """The side of every segment.

    Args:
        is_held_out: one flag per segment.
        is_training_text: the held-out text is the training text (tiny corpora).
    """

    is_held_out: Flags
    is_training_text: bool

    @classmethod
    def everything(cls, segments: Segments) -> Split:
        """Return the split whose training side is everything."""
        return cls(np.zeros(len(segments), dtype=bool), is_training_text=False)

    def runs(
        self, segments: Segments, side: str, limit_bytes: int
    ) -> Iterator[tuple[int, int, bool]]:
        """Yield (first byte, number of bytes, starts a document) for one side, in order.

        Args:
            segments: the spool's records.
            side: "train" or "held_out".
            limit_bytes: a run is closed when it is at least this long.
        """
        wanted = self.wanted(side)
        is_start = segments["is_start"].astype(bool)
        sizes = segments["num_bytes"]
        position = run_start = run_size = 0
        run_begins = was_wanted = False
        for index in range(len(segments)):
            size = int(sizes[index])
            begins = bool(is_start[index]) or not was_wanted
            if run_size and (begins or not wanted[index] or run_size >= limit_bytes):
                yield run_start, run_size, run_begins
                run_size = 0
            if wanted[index]:
                if not run_size:
                    run_start, run_begins = position, begins
                run_size += size
            was_wanted = bool(wanted[index])
            position += size
        if run_size:
            yield run_start, run_size, run_begins

    def wanted(self, side: str) -> Flags:
        """Return one flag per segment: whether it belongs to side."""
        if self.is_training_text:
            return np.ones(len(self.is_held_out), dtype=bool)
        return self.is_held_out if side == "held_out" else ~self.is_held_out


def derived_share(num_characters: int) -> float:
    """Return the share of characters to hold out.

    >>> derived_share(50_000), round(derived_share(300_000), 4), derived_share(1_000_000)
    (0.1, 0.0761, 0.05)
    """
    decades = min(max(math.log10(max(num_characters, 1)) - 5, 0.0), 1.0)
    share = 0.1 - 0.05 * decades
    return min(share, _MOST_HELD_OUT_CHARACTERS / max(num_characters, 1))


def plan_split(segments: Segments, share: float | int | None, seed: int) -> Split:
    """Choose the held-out segments.

    Args:
        segments: the spool's records, at least one.
        share: share of the characters to hold out; None derives it, 0 holds nothing out.
        seed: same seed, same split.

    Returns:
        The side of every segment.
    """
    sizes = segments["num_characters"].astype(np.int64)
    total = int(sizes.sum())
    nothing = np.zeros(len(segments), dtype=bool)
    if share == 0:
        return Split(nothing, is_training_text=False)
    is_tiny = share is None and total < TINY_CHARACTERS
    if is_tiny or len(segments) < 2:
        return Split(nothing, is_training_text=True)
    target = total * (share if share is not None else derived_share(total))
    held_out = _choose(segments, sizes, target, seed)
    if not held_out.any() or held_out.all():
        return Split(nothing, is_training_text=True)
    return Split(held_out, is_training_text=False)


def _choose(segments: Segments, sizes: Offsets, target: float, seed: int) -> Flags:
    starts = np.flatnonzero(segments["is_start"])
    document_sizes = np.add.reduceat(sizes, starts)
    is_long = document_sizes > target / 3
    document_of = np.cumsum(segments["is_start"], dtype=np.int32) - 1
    share_of_long = float(document_sizes[is_long].sum()) / max(int(sizes.sum()), 1)
    stir = np.uint64((seed + 1) * GOLDEN % (1 << 64))
    keys = spread(segments["key"][starts].astype(np.uint64) + stir)
    chosen = _whole_documents(keys, document_sizes, ~is_long, target * (1 - share_of_long))
    # A block of one copy would stand on the other side in the next copy.
    in_long = (is_long & _is_unique(keys))[document_of]
    blocks = _blocks(sizes, in_long, target * share_of_long, seed)
    return blocks | chosen[document_of]


def _is_unique(keys: Keys) -> Flags:
    ordered = np.sort(keys)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    flags: Flags = ~np.isin(keys, repeated)
    return flags


def _whole_documents(keys: Keys, sizes: Offsets, allowed: Flags, target: float) -> Flags:
    """Take allowed documents in the order of their keys until target characters are reached."""
    chosen = np.zeros(len(keys), dtype=bool)
    candidates = np.flatnonzero(allowed)
    if target < 1 or len(candidates) == 0:
        return chosen
    order = candidates[np.argsort(keys[candidates], kind="stable")]
    filled = np.cumsum(sizes[order])
    count = int(np.searchsorted(filled, target)) + 1
    last = keys[order[min(count, len(order)) - 1]]
    # Equal documents: all of them, also where one copy has so much white space that it is long.
    copies: Flags = np.isin(keys, keys[candidates][keys[candidates] <= last])
    return copies


def _blocks(sizes: Offsets, allowed: Flags, target: float, seed: int) -> Flags:
    """Mark contiguous blocks of the allowed segments, one in every equal part of their length."""
    chosen = np.zeros(len(sizes), dtype=bool)
    candidates = np.flatnonzero(allowed)
    if target < 1 or len(candidates) == 0:
        return chosen
    ends = np.cumsum(sizes[candidates])
    length = int(ends[-1])
    count = int(min(max(target // _BLOCK_CHARACTERS, 1), _MOST_BLOCKS))
    block = target / count
    random = np.random.default_rng(np.random.SeedSequence([seed, length, count]))
    for part in range(count):
        room = max(length / count - block, 0.0)
        start = part * length / count + random.uniform() * room
        # Whole segments: from the one that holds the start to the one that holds the end.
        first = int(np.searchsorted(ends, start, side="right"))
        last = int(np.searchsorted(ends, start + block, side="left"))
        chosen[candidates[first : max(last, first + 1)]] = True
    return chosen
