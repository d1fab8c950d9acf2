"""The parameters of a trained conditional random field, and the scores that they give.

Emission weights are float32, or int8 with one scale per label. Shapes as in problem.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int32, Int64, Integer
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.crf.problem import entries_at

_FEW_LABELS = 4  # begin, middle, end, single: the compiled part has a loop of its own


@dataclass(frozen=True)
class CrfWeights:
    """Parameters of a linear-chain conditional random field.

    Args:
        row_starts: where the entries of each row stand, [R + 1].
        entry_labels: label of every entry.
        entry_weights: float32, or int8.
        scales_L: what the entries of a label are multiplied by.
        edges: transitions [L, L], begin [L], end [L].
    """

    row_starts: Int64[np.ndarray, " row_bounds"]
    entry_labels: Integer[np.ndarray, " entries"]
    entry_weights: np.ndarray[Any, np.dtype[Any]]
    scales_L: Float32[np.ndarray, " labels"]
    edges: Float64[np.ndarray, " edges"]

    @property
    def num_labels(self) -> int:
        """L."""
        return len(self.scales_L)

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.row_starts) - 1

    @property
    def is_whole(self) -> bool:
        """Whether the emission weights are int8."""
        return self.entry_weights.dtype == np.int8

    def scores(
        self, features_NF: Int32[np.ndarray, "positions templates"]
    ) -> Float32[np.ndarray, "positions labels"]:
        """Return the emission score of every label at every position."""
        native = native_part()
        if native is None:
            return self._scores_in_numpy(features_NF)
        scores_NL = np.empty((len(features_NF), self.num_labels), dtype=np.float32)
        add = native.crf_emissions_int8 if self.is_whole else native.crf_emissions
        full = self._full
        add(
            features_NF,
            full.row_starts,
            full.entry_labels,
            full.entry_weights,
            self.scales_L,
            scores_NL,
        )
        return scores_NL

    @cached_property
    def _full(self) -> CrfWeights:
        """The same weights, with zeros for missing labels where labels are few: one look-up."""
        if self.num_labels != _FEW_LABELS:
            return self
        weights = np.zeros((self.num_rows, self.num_labels), dtype=self.entry_weights.dtype)
        rows = np.repeat(np.arange(self.num_rows), np.diff(self.row_starts))
        weights[rows, self.entry_labels] = self.entry_weights
        return CrfWeights(
            np.arange(self.num_rows + 1, dtype=np.int64) * self.num_labels,
            np.zeros(0, dtype=np.uint16),
            weights.ravel(),
            self.scales_L,
            self.edges,
        )

    def _scores_in_numpy(
        self, features_NF: Int32[np.ndarray, "positions templates"]
    ) -> Float32[np.ndarray, "positions labels"]:
        sums_NL = np.zeros(
            (len(features_NF), self.num_labels), dtype=np.int32 if self.is_whole else np.float32
        )
        for features_N in features_NF.T:
            positions, entries = entries_at(features_N, self.row_starts)
            # A pair of position and label occurs once in a template: plain indexing adds them all.
            sums_NL[positions, self.entry_labels[entries]] += self.entry_weights[entries]
        scores_NL: Float32[np.ndarray, "positions labels"] = sums_NL.astype(np.float32)
        scores_NL *= self.scales_L
        return scores_NL
