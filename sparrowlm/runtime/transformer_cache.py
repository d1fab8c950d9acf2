"""Keys and values of what a decoder has read, with a part that all rows share.

Shape letters: B rows, T new positions, S positions, L layers, K heads of keys and values, E width
of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.models.architectures import TransformerShape

_FIRST_CAPACITY = 32

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Ids = np.ndarray[Any, np.dtype[np.int64]]


class TransformerCache:
    """What the window holds: the ids, and per layer their keys and values.

    Args:
        shape: sizes of the decoder.
        num_rows: B, texts that are read side by side.
        capacity: positions to make room for at first.
    """

    def __init__(
        self, shape: TransformerShape, num_rows: int, capacity: int = _FIRST_CAPACITY
    ) -> None:
        self._shape = shape
        self._num_rows = num_rows
        self._ids_BC: Ids = np.zeros((num_rows, shape.context_tokens), dtype=np.int64)
        self.length = 0
        # Written once, before the rows went different ways; read by all of them.
        self._shared: tuple[Matrix, Matrix] | None = None
        self._num_shared = 0
        self._capacity = 0
        self._keys_LBKSE, self._values_LBKSE = self._allocated(0), self._allocated(0)
        self._reserve(min(capacity, shape.context_tokens))

    def ids_BT(self) -> Int64[np.ndarray, "batch seen"]:
        """Return the ids inside the window, a copy."""
        return self._ids_BC[:, : self.length].copy()

    def clear(self) -> None:
        """Forget everything; branches that read the old keys and values keep them."""
        self.length = self._num_shared = self._capacity = 0
        self._shared = None
        self._keys_LBKSE, self._values_LBKSE = self._allocated(0), self._allocated(0)

    def append(self, ids_BT: Int64[np.ndarray, "batch time"]) -> None:
        """Make room for new positions, whose keys and values ``store`` then takes.

        Args:
            ids_BT: at most as many as the window has room for.
        """
        count = ids_BT.shape[1]
        self._ids_BC[:, self.length : self.length + count] = ids_BT
        self.length += count
        own = self.length - self._num_shared
        if own > self._capacity:
            room = self._shape.context_tokens - self._num_shared
            self._reserve(min(max(own, 2 * self._capacity), room))

    def store(
        self,
        layer: int,
        keys_BTKE: Float32[np.ndarray, "batch time heads width"],
        values_BTKE: Float32[np.ndarray, "batch time heads width"],
    ) -> list[tuple[Matrix, Matrix]]:
        """Keep one layer's keys and values of the positions appended last.

        Returns:
            Everything the layer attends to, as (keys_BKSE, values_BKSE), oldest part first.
        """
        own = self.length - self._num_shared
        first = own - keys_BTKE.shape[1]
        keys_BKSE, values_BKSE = self._keys_LBKSE[layer], self._values_LBKSE[layer]
        keys_BKSE[:, :, first:own] = keys_BTKE.swapaxes(1, 2)
        values_BKSE[:, :, first:own] = values_BTKE.swapaxes(1, 2)
        parts = [(keys_BKSE[:, :, :own], values_BKSE[:, :, :own])]
        if self._shared is not None:
            parts.insert(0, (self._shared[0][layer], self._shared[1][layer]))
        return parts

    def branched(self, rows: Sequence[int]) -> TransformerCache:
        """Return a cache whose row i continues row rows[i] of this one."""
        copy = TransformerCache(self._shape, len(rows), capacity=0)
        copy._ids_BC[:] = self._ids_BC[list(rows)]
        copy.length = self.length
        own = self.length - self._num_shared
        if self._num_rows == 1 and self._shared is None:
            # Views: positions below `length` are never written again.
            copy._shared = (self._keys_LBKSE[:, :, :, :own], self._values_LBKSE[:, :, :, :own])
            copy._num_shared = own
            return copy
        copy._shared, copy._num_shared = self._shared, self._num_shared
        copy._reserve(min(own + _FIRST_CAPACITY, self._shape.context_tokens - self._num_shared))
        copy._keys_LBKSE[:, :, :, :own] = self._keys_LBKSE[:, list(rows), :, :own]
        copy._values_LBKSE[:, :, :, :own] = self._values_LBKSE[:, list(rows), :, :own]
        return copy

    def _reserve(self, capacity: int) -> None:
        keys_LBKSE, values_LBKSE = self._allocated(capacity), self._allocated(capacity)
        keys_LBKSE[:, :, :, : self._capacity] = self._keys_LBKSE
        values_LBKSE[:, :, :, : self._capacity] = self._values_LBKSE
        self._keys_LBKSE, self._values_LBKSE = keys_LBKSE, values_LBKSE
        self._capacity = capacity

    def _allocated(self, capacity: int) -> Matrix:
        shape = self._shape
        sizes = (shape.num_layers, self._num_rows, shape.num_kv_heads, capacity, shape.head_width)
        return np.empty(sizes, dtype=np.float32)
