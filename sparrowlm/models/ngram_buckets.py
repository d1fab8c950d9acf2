"""The n-gram that ends at a position, hashed to a row of a table: n-grams as input features.

Only NumPy, because training and running must agree on every bucket.

Source: Svenstrup, Hansen and Winther 2017, "Hash embeddings", arXiv:1709.03933.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int, Int64

MULTIPLIER = np.int64(0x5851F42D4C957F2D)
MASK = np.int64(0x7FFFFFFFFFFF)
SHIFT = np.int64(17)


def ngram_buckets(
    ids_BT: Int[np.ndarray, "batch time"], orders: Sequence[int], num_buckets: int
) -> Int64[np.ndarray, "orders batch time"]:
    """Return the table row of the n-gram that ends at every position, for each order.

    Args:
        ids_BT: ids; before the first of a row stand zeros.
        orders: lengths of the n-grams, each >= 2.
        num_buckets: rows of each order's table.
    """
    ids_BT = ids_BT.astype(np.int64)
    buckets: np.ndarray[Any, np.dtype[np.int64]] = np.empty(
        (len(orders), *ids_BT.shape), dtype=np.int64
    )
    for index, order in enumerate(orders):
        keys_BT = ids_BT.copy()
        for back in range(1, order):
            keys_BT *= MULTIPLIER
            keys_BT[:, back:] += ids_BT[:, :-back]
        keys_BT *= MULTIPLIER
        buckets[index] = ((keys_BT & MASK) >> SHIFT) % num_buckets
    return buckets
