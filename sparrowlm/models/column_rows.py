"""Columns of numbers hashed into rows of one table; only NumPy, for training and running agree.

Source: Weinberger et al. 2009, "Feature hashing for large scale multitask learning".
"""

from __future__ import annotations

import numpy as np

from sparrowlm.foundation.array_types import Int32, UInt64
from sparrowlm.foundation.hashing import mixed

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(20)


def column_rows(
    columns_NC: UInt64[np.ndarray, "units columns"], num_rows: int
) -> Int32[np.ndarray, "units columns"]:
    """Return a row for every number; 0, which is nothing's row, for 0.

    Args:
        columns_NC: equal numbers of different columns get different rows.
        num_rows: of the table, >= 2.
    """
    salts_C = np.arange(1, columns_NC.shape[1] + 1, dtype=np.uint64) * _ODD
    hashes_NC = mixed(columns_NC + salts_C) >> _SHIFT
    rows_NC = (hashes_NC % np.uint64(num_rows - 1)).astype(np.int32) + np.int32(1)
    rows_NC[columns_NC == 0] = 0
    return rows_NC
