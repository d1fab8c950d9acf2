"""Features as hashes: each template joins some columns of numbers around a position.

A column holds one 64-bit number per position, 0 where it has nothing to say. A template is a list
of (column, offset) pairs; its feature is the hash of its own number and of the columns' values
there, 32 bits, never 0. It is absent (0) where one of the values is. Outside the sentence stands
one value of its own.

Source: Weinberger et al. 2009, "Feature hashing for large scale multitask learning".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int64, UInt64
from sparrowlm.foundation.hashing import GOLDEN
from sparrowlm.foundation.native_part import native_part

Hashes = np.ndarray[Any, np.dtype[np.uint32]]
Part = tuple[int, int]

_ODD = np.uint64(GOLDEN)
_OUTSIDE = np.uint64(0xD1B54A32D192ED03)


@dataclass(frozen=True)
class Templates:
    """What is looked at around a position.

    Args:
        parts: per template the (column, offset) pairs, in order.
    """

    parts: tuple[tuple[Part, ...], ...]

    @classmethod
    def of(cls, parts: Sequence[Sequence[Sequence[int]]]) -> Templates:
        """Make templates of lists of pairs, as they come from JSON."""
        return cls(tuple(tuple((int(c), int(o)) for c, o in one) for one in parts))

    def __len__(self) -> int:
        return len(self.parts)

    @cached_property
    def _flat(self) -> tuple[np.ndarray[Any, np.dtype[Any]], np.ndarray[Any, np.dtype[Any]]]:
        flat = np.array([pair for one in self.parts for pair in one], dtype=np.int32).ravel()
        sizes = [len(one) for one in self.parts]
        return flat, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def hashes(
        self,
        columns_NC: UInt64[np.ndarray, "positions columns"],
        starts: Int64[np.ndarray, " bounds"],
    ) -> Hashes:
        """Return the features of all positions.

        Args:
            columns_NC: numbers, well mixed: mixed() makes them so.
            starts: where the sentences start, and N: [S + 1].

        Returns:
            Hashes [N, F], 0 where a feature is absent.
        """
        native = native_part()
        if native is None:
            return self._hashes_in_numpy(columns_NC, starts)
        found = np.empty((len(columns_NC), len(self)), dtype=np.uint32)
        native.hash_templates(columns_NC, starts, *self._flat, found)
        return found

    def _hashes_in_numpy(
        self,
        columns_NC: UInt64[np.ndarray, "positions columns"],
        starts: Int64[np.ndarray, " bounds"],
    ) -> Hashes:
        found = np.empty((len(columns_NC), len(self)), dtype=np.uint32)
        shifted: dict[Part, UInt64[np.ndarray, " positions"]] = {}
        for f, parts in enumerate(self.parts):
            hash_N = np.full(len(columns_NC), _times(np.uint64(f + 1), _ODD), dtype=np.uint64)
            is_there = np.ones(len(columns_NC), dtype=np.bool_)
            for column, offset in parts:
                if (column, offset) not in shifted:
                    values = shifted_column(columns_NC[:, column], starts, offset)
                    shifted[column, offset] = values
                values = shifted[column, offset]
                is_there &= values != 0
                hash_N = (hash_N ^ values) * _ODD
                hash_N ^= hash_N >> np.uint64(29)
            top = ((hash_N * _ODD) >> np.uint64(32)).astype(np.uint32)
            found[:, f] = np.where(is_there, np.maximum(top, np.uint32(1)), np.uint32(0))
        return found


def shifted_column(
    column_N: UInt64[np.ndarray, " positions"], starts: Int64[np.ndarray, " bounds"], offset: int
) -> UInt64[np.ndarray, " positions"]:
    """Return at each position the value offset positions further on, in the same sentence."""
    if offset == 0:
        return column_N
    lengths = np.diff(starts)
    first = np.repeat(starts[:-1], lengths)
    last = np.repeat(starts[1:], lengths)
    places = np.arange(len(column_N)) + offset
    is_inside = (places >= first) & (places < last)
    return np.where(is_inside, column_N[np.where(is_inside, places, 0)], _OUTSIDE)


def _times(a: np.uint64, b: np.uint64) -> np.uint64:
    return np.uint64(int(a) * int(b) & 0xFFFFFFFFFFFFFFFF)
