"""Fewer and smaller emission weights, and how they lie in a file.

Weights become int8 with one scale per label; the smallest are dropped until the file is small
enough, and rows that keep none disappear. In a file:

    fingerprint...               of the rows, see models/sorted_keys.py
    row_sizes          [R]       entries of each row
    entry_labels, entry_weights  [entries]
    scales [L], edges [L * L + 2 L]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import ModelError
from sparrowlm.models.array_file import Array
from sparrowlm.models.crf.rows import RowIndex
from sparrowlm.models.crf.weights import CrfWeights
from sparrowlm.models.sorted_keys import narrowest, packed_keys, unpacked_keys

_MOST_INT8 = 127
_SLACK_BYTES = 64


def quantized(weights: CrfWeights) -> CrfWeights:
    """Return the weights in int8, one scale per label."""
    if weights.is_whole:
        return weights
    most_L = np.zeros(weights.num_labels, dtype=np.float32)
    np.maximum.at(most_L, weights.entry_labels, np.abs(weights.entry_weights))
    scales_L = np.maximum(most_L / _MOST_INT8, np.float32(1e-12)).astype(np.float32)
    whole = np.rint(weights.entry_weights / scales_L[weights.entry_labels]).astype(np.int8)
    return CrfWeights(weights.row_starts, weights.entry_labels, whole, scales_L, weights.edges)


def fitted(
    rows: RowIndex, weights: CrfWeights, max_bytes: int | None, other_bytes: int = 0
) -> tuple[RowIndex, CrfWeights]:
    """Quantize, and drop the smallest weights until the file is small enough.

    Args:
        rows: the features of the rows.
        weights: float32 or int8.
        max_bytes: of the whole file; None only quantizes.
        other_bytes: what else is in the file, headers included.

    Raises:
        ModelError: even without any emission weight the file is too long.
    """
    weights = quantized(weights)
    rows, weights = _without(rows, weights, np.flatnonzero(weights.entry_weights == 0))
    weights = replace(weights, edges=weights.edges.astype(np.float32).astype(np.float64))
    if max_bytes is None:
        return rows, weights
    room = max_bytes - other_bytes - _SLACK_BYTES
    if packed_bytes(rows, weights) <= room:
        return rows, weights
    order = np.argsort(_sizes(weights), kind="stable")
    # So many entries can go that it fits, and one less would not do.
    low, high = 0, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        if packed_bytes(*_without(rows, weights, order[:middle])) <= room:
            high = middle
        else:
            low = middle
    fewer = _without(rows, weights, order[:high])
    if packed_bytes(*fewer) > room:
        needed = max_bytes - room + packed_bytes(*fewer)
        raise ModelError("models.crf-limit-too-small", needed=needed, received=max_bytes)
    return fewer


def _sizes(weights: CrfWeights) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return how much each entry changes a score."""
    sizes: np.ndarray[Any, np.dtype[np.float32]] = np.abs(weights.entry_weights, dtype=np.float32)
    sizes *= weights.scales_L[weights.entry_labels]
    return sizes


def _without(
    rows: RowIndex, weights: CrfWeights, places: np.ndarray[Any, np.dtype[np.int64]]
) -> tuple[RowIndex, CrfWeights]:
    kept = np.ones(len(weights.entry_weights), dtype=np.bool_)
    kept[places] = False
    return _selected(rows, weights, kept)


def _selected(
    rows: RowIndex, weights: CrfWeights, kept: np.ndarray[Any, np.dtype[np.bool_]]
) -> tuple[RowIndex, CrfWeights]:
    sums = np.concatenate([[0], np.cumsum(kept)])
    sizes = np.diff(sums[weights.row_starts])
    is_left = sizes > 0
    row_starts = np.concatenate([[0], np.cumsum(sizes[is_left])]).astype(np.int64)
    fewer = CrfWeights(
        row_starts,
        weights.entry_labels[kept],
        weights.entry_weights[kept],
        weights.scales_L,
        weights.edges,
    )
    return RowIndex(rows.fingerprints_R[is_left]), fewer


def packed_bytes(rows: RowIndex, weights: CrfWeights) -> int:
    """Return how many bytes of a file the arrays of pack take."""
    return sum(-(-array.nbytes // 8) * 8 for array in pack(rows, weights).values())


def pack(rows: RowIndex, weights: CrfWeights) -> dict[str, Array]:
    """Return the arrays of a file."""
    sizes = np.diff(weights.row_starts)
    arrays: dict[str, Array] = {
        "row_sizes": sizes.astype(narrowest(int(sizes.max(initial=0)))),
        "entry_labels": weights.entry_labels.astype(narrowest(weights.num_labels)),
        "entry_weights": weights.entry_weights,
        "scales": weights.scales_L,
        "edges": weights.edges.astype(np.float32),
    }
    return {**packed_keys(rows.fingerprints_R, "fingerprint"), **arrays}


def unpack(arrays: Mapping[str, Array]) -> tuple[RowIndex, CrfWeights]:
    """Make rows and weights of the arrays of a file."""
    fingerprints = np.array(unpacked_keys(arrays, "fingerprint"))
    row_starts = np.concatenate([[0], np.cumsum(arrays["row_sizes"].astype(np.int64))])
    weights = CrfWeights(
        row_starts.astype(np.int64),
        arrays["entry_labels"].astype(np.uint16),
        np.array(arrays["entry_weights"]),
        np.array(arrays["scales"]),
        arrays["edges"].astype(np.float64),
    )
    return RowIndex(fingerprints), weights
