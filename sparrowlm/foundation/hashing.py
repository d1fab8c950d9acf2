"""Whole numbers spread over 64 bits, and hashes of all runs of a sequence at once.

    S[j] = sum over k < j of v_k B^k   (mod 2^64, B odd)     hash(i, j) = (S[j] - S[i]) B^-i

One multiplication per run, whatever its length.

Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64);
Karp and Rabin 1987, "Efficient randomized pattern-matching algorithms".
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int64, UInt64

GOLDEN = 0x9E3779B97F4A7C15

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Places = np.ndarray[Any, np.dtype[np.int64]]


def spread(values: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """Let every bit decide about all 64 (the end of SplitMix64); one to one, 0 stays 0."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    ended: Hashes = values ^ (values >> np.uint64(31))
    return ended


def mixed(values: np.ndarray[Any, np.dtype[Any]]) -> UInt64[np.ndarray, "*shape"]:
    """Spread whole numbers over 64 bits, none of them 0."""
    sums: Hashes = values.astype(np.uint64) + np.uint64(GOLDEN)
    found: Hashes = np.maximum(spread(sums), np.uint64(1))
    return found


class RunHashes:
    """Hashes of the runs values[start:end].

    Args:
        values_N: one number per place, well mixed.
        base: odd; other bases give other hashes.
    """

    def __init__(
        self, values_N: UInt64[np.ndarray, " places"], base: int = 0x2545F4914F6CDD1D
    ) -> None:
        self._back = _powers(pow(base, -1, 1 << 64), len(values_N) + 1)
        self._sums = np.zeros(len(values_N) + 1, dtype=np.uint64)
        np.cumsum(values_N * _powers(base, len(values_N)), out=self._sums[1:])

    def of(
        self, starts: Int64[np.ndarray, " runs"], ends: Int64[np.ndarray, " runs"]
    ) -> UInt64[np.ndarray, " runs"]:
        """Return the hash of each run, equal for equal runs wherever they stand, never 0."""
        raw: Hashes = (self._sums[ends] - self._sums[starts]) * self._back[starts]
        return mixed(raw + (ends - starts).astype(np.uint64))


def _powers(base: int, length: int) -> Hashes:
    factors = np.full(length, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)
