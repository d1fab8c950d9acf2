"""Hashes of all runs of a sequence at once: sums of powers, one subtraction per run."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.models.crf.templates import mixed

Values = np.ndarray[Any, np.dtype[np.uint64]]
Places = np.ndarray[Any, np.dtype[np.int64]]

_BASE = 0x2545F4914F6CDD1D | 1
_INVERSE = pow(_BASE, -1, 1 << 64)


class RunHashes:
    """Hashes of the runs values[start:end].

    Args:
        values: one number per place, well mixed.
    """

    def __init__(self, values: Values) -> None:
        self._back = _powers(_INVERSE, len(values) + 1)
        sums = np.cumsum(values * _powers(_BASE, len(values)), dtype=np.uint64)
        self._sums = np.concatenate([np.zeros(1, dtype=np.uint64), sums])

    def of(self, starts: Places, ends: Places) -> Values:
        """Return the hash of each run, equal for equal runs wherever they stand, never 0."""
        raw = (self._sums[ends] - self._sums[starts]) * self._back[starts]
        return mixed(raw + (ends - starts).astype(np.uint64))


def _powers(base: int, size: int) -> Values:
    powers = np.full(size, base, dtype=np.uint64)
    if size:
        powers[0] = 1
    return np.cumprod(powers, dtype=np.uint64)
