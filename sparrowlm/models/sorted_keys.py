"""Ascending 32-bit keys in about two bytes each: their upper halves are counted, not written.

key_counts [65536]   keys per upper half     (or keys [N], where they are few)
key_lows   [N]       lower halves
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import UInt32

FEW = 32_000
_HALF = 16

Array = np.ndarray[Any, np.dtype[Any]]


def packed_keys(keys_N: UInt32[np.ndarray, " keys"], name: str = "key") -> dict[str, Array]:
    """Return the arrays of a file.

    Args:
        keys_N: ascending.
        name: their names begin with it.
    """
    if len(keys_N) < FEW:
        return {f"{name}s": keys_N}
    counts = np.bincount(keys_N >> np.uint32(_HALF), minlength=1 << _HALF)
    lows = (keys_N & np.uint32((1 << _HALF) - 1)).astype(np.uint16)
    return {f"{name}_counts": counts.astype(narrowest(int(counts.max()))), f"{name}_lows": lows}


def unpacked_keys(arrays: Mapping[str, Array], name: str = "key") -> UInt32[np.ndarray, " keys"]:
    """Return the keys of a file.

    Raises:
        KeyError, ValueError: they are not there, or do not fit together.
    """
    if f"{name}s" in arrays:
        found: np.ndarray[Any, np.dtype[np.uint32]] = np.asarray(arrays[f"{name}s"], np.uint32)
        return found
    highs = np.arange(1 << _HALF, dtype=np.uint32) << np.uint32(_HALF)
    whole = np.repeat(highs, arrays[f"{name}_counts"].astype(np.int64))
    keys_N: np.ndarray[Any, np.dtype[np.uint32]] = np.bitwise_or(
        whole, arrays[f"{name}_lows"], dtype=np.uint32
    )
    return keys_N


def most_keys(room: int, bytes_beside: int) -> int:
    """Return how many keys, each with other bytes beside it, fit into some bytes.

    >>> most_keys(12_000, 8), most_keys(1_000_000, 8)
    (1000, 93446)
    """
    packed = (room - (1 << _HALF)) // (bytes_beside + 2)
    if packed >= FEW:
        return packed
    return max(min(room // (bytes_beside + 4), FEW - 1), 0)


def narrowest(most: int) -> type[np.unsignedinteger[Any]]:
    """Return the narrowest type that holds a number."""
    for kind in (np.uint8, np.uint16):
        if most <= np.iinfo(kind).max:
            return kind
    return np.uint32
