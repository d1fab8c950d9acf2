"""A dictionary of unit sequences with labels, found everywhere in a text at once.

Made of the spans of the training text, it becomes a feature. There every span would find itself
and be believed too much: while training, a span counts only where it was seen elsewhere as well.
Elsewhere is another document: neighbouring examples often come from one and share its names, as new
texts and those of the training do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.hashing import Hashes, Places, RunHashes, mixed

LONGEST_UNITS = 8
# Texts so many places apart may come from one document.
NEAR_TEXTS = 16


@dataclass(frozen=True)
class Gazetteer:
    """Sequences of units.

    Args:
        hashes: of the sequences, rising.
        labels: the number of the commonest label of each, from 0.
        counts: how often each was labelled so, at most 255.
    """

    hashes: np.ndarray[Any, np.dtype[np.uint32]]
    labels: np.ndarray[Any, np.dtype[np.uint8]]
    counts: np.ndarray[Any, np.dtype[np.uint8]]

    @classmethod
    def of(
        cls, units: Hashes, spans: Iterable[tuple[int, int, int]], least_units: int = 2
    ) -> Gazetteer:
        """Collect labelled spans.

        Args:
            units: a number per unit, well mixed.
            spans: (first unit, unit after the last, label number below 255).
            least_units: shorter spans are left out.
        """
        some = [s for s in spans if least_units <= s[1] - s[0] <= LONGEST_UNITS]
        starts, ends = (np.array([s[k] for s in some], dtype=np.int64) for k in (0, 1))
        hashes = _short(RunHashes(units).of(starts, ends))
        seen = Counter(zip(hashes.tolist(), (s[2] for s in some), strict=True))
        best: dict[int, tuple[int, int]] = {}
        for (value, label), count in sorted(seen.items()):
            if count > best.get(value, (0, 0))[0]:
                best[value] = (count, label)
        order = sorted(best)
        return cls(
            np.array(order, dtype=np.uint32),
            np.array([best[v][1] for v in order], dtype=np.uint8),
            np.array([min(best[v][0], 255) for v in order], dtype=np.uint8),
        )

    def column(
        self,
        units: Hashes,
        chains: Places,
        own: Iterable[tuple[int, int, int]] = (),
        texts: Places | None = None,
    ) -> Hashes:
        """Return, per unit, a number for the longest entry that it lies in; 0 where there is none.

        Args:
            units: a number per unit.
            chains: where each chain starts, and N: no entry reaches over a bound.
            own: spans that this gazetteer was made of: each must have been seen elsewhere.
            texts: the first unit of each text, and N: how near two spans are; None: only a span
                itself is no elsewhere.
        """
        size = len(units)
        state = np.zeros(size, dtype=np.int64)
        if len(self.hashes) == 0 or size == 0:
            return state.astype(np.uint64)
        hashes = RunHashes(units)
        limit = np.repeat(chains[1:], np.diff(chains))
        mine = _near_spans(hashes, [(a, b) for a, b, _ in own], texts)
        for length in range(1, LONGEST_UNITS + 1):
            starts = np.arange(size - length + 1)
            starts = starts[starts + length <= limit[starts]]
            found = _short(hashes.of(starts, starts + length))
            rows = np.minimum(np.searchsorted(self.hashes, found), len(self.hashes) - 1)
            hit = self.hashes[rows] == found
            starts, rows = starts[hit], rows[hit]
            if mine:
                near = [mine.get((a, a + length), 0) for a in starts.tolist()]
                known = self.counts[rows] > np.array(near, dtype=np.int64)
                starts, rows = starts[known], rows[known]
            for inside in range(length):
                place = 3 if length == 1 else (0 if inside == 0 else 1 + (inside == length - 1))
                code = self.labels[rows].astype(np.int64) * 16 + place * 4 + min(length, 4) - 1
                state[starts + inside] = code + 1
        return np.where(state > 0, mixed(state), np.uint64(0))


def _near_spans(
    hashes: RunHashes, own: list[tuple[int, int]], texts: Places | None
) -> dict[tuple[int, int], int]:
    """Return how many equal spans stand near each span, itself among them; at most 254."""
    if texts is None or not own:
        return dict.fromkeys(own, 1)
    starts, ends = (np.array([one[k] for one in own], dtype=np.int64) for k in (0, 1))
    owners = np.searchsorted(texts, starts, side="right") - 1
    _, kinds = np.unique(hashes.of(starts, ends), return_inverse=True)
    # One axis for all kinds of spans, so far apart that none is near one of another kind.
    places = kinds.astype(np.int64) * (len(texts) + 2 * NEAR_TEXTS) + owners
    rising = np.sort(places)
    first = np.searchsorted(rising, places - NEAR_TEXTS, side="left")
    last = np.searchsorted(rising, places + NEAR_TEXTS, side="right")
    return dict(zip(own, np.minimum(last - first, 254).tolist(), strict=True))


def _short(values: Hashes) -> np.ndarray[Any, np.dtype[np.uint32]]:
    return (values >> np.uint64(32)).astype(np.uint32)
