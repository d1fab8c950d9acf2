"""Which row of emission weights belongs to a feature: 32-bit fingerprints, rising.

Two features of the same 32 bits share a row: among a million rows, one unknown feature in four
thousand is taken for a known one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.crf.problem import ABSENT
from sparrowlm.models.crf.templates import Hashes


@dataclass(frozen=True)
class RowIndex:
    """Finds rows.

    Args:
        fingerprints_R: the feature of each row, rising, never 0.
    """

    fingerprints_R: np.ndarray[Any, np.dtype[np.uint32]]
    _native: list[Any] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, hashes_NF: Hashes, least_count: int = 1) -> RowIndex:
        """Give a row to every feature that occurs often enough.

        Args:
            hashes_NF: the features of the training text, 0 where absent.
            least_count: features seen less often get none.
        """
        values = np.sort(hashes_NF, axis=None)
        edges = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1], [True]]))
        counts, found = np.diff(edges), values[edges[:-1]] if len(values) else values
        if len(values) == 0:
            return cls(values)
        return cls(found[(counts >= least_count) & (found != 0)])

    def __len__(self) -> int:
        return len(self.fingerprints_R)

    def find(self, hashes_NF: Hashes) -> Int32[np.ndarray, "positions templates"]:
        """Return the rows of features, ABSENT where there is none."""
        native = native_part()
        if native is None:
            return self._find_in_numpy(hashes_NF)
        if not self._native:
            self._native.append(native.RowIndex(self.fingerprints_R))
        found = np.empty(hashes_NF.shape, dtype=np.int32)
        self._native[0].find(hashes_NF.reshape(-1), found.reshape(-1))
        return found

    def _find_in_numpy(self, hashes_NF: Hashes) -> Int32[np.ndarray, "positions templates"]:
        if len(self) == 0:
            return np.full(hashes_NF.shape, ABSENT, dtype=np.int32)
        places = np.searchsorted(self.fingerprints_R, hashes_NF)
        places = np.minimum(places, len(self) - 1)
        is_there = (self.fingerprints_R[places] == hashes_NF) & (hashes_NF != 0)
        return np.where(is_there, places, ABSENT).astype(np.int32)
