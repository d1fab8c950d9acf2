"""Which sequences are read together: similar lengths, so that little is filled up in vain."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int64


def grouped(
    lengths: Int64[np.ndarray, " sequences"],
    order: Int64[np.ndarray, " sequences"],
    batch_tokens: int,
) -> list[Int64[np.ndarray, " batch"]]:
    """Cut an order of sequences into batches whose filled size stays within a bound.

    Args:
        lengths: of all sequences.
        order: numbers of sequences, similar lengths beside each other.
        batch_tokens: most ids per batch, filling included; one sequence may be longer.
    """
    groups: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    start = longest = 0
    for position, length in enumerate(lengths[order].tolist()):
        longer = max(longest, length)
        if position > start and longer * (position - start + 1) > batch_tokens:
            groups.append(order[start:position])
            start, longer = position, length
        longest = longer
    if len(order):
        groups.append(order[start:])
    return groups
