"""Matrices as 8-bit integers with one scale per row, in a file of arrays.

Eight bits cost nothing measurable at this size and a quarter of float32's room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int8
from sparrowlm.models.block_codes import BLOCK_COLUMNS, BlockCodes

LARGEST = 127.0
_SMALLEST_SCALE = 2.0**-20
SCALE_SUFFIX = ".scales"

Arrays = Mapping[str, np.ndarray[Any, np.dtype[Any]]]


class QuantisedRows(NamedTuple):
    """A matrix.

    Attributes:
        integers_RD: -127 to 127.
        scales_R: what a step of each row is worth; exact in float16.
    """

    integers_RD: Int8[np.ndarray, "rows width"]
    scales_R: Float32[np.ndarray, " rows"]

    def plain(self) -> Float32[np.ndarray, "rows width"]:
        """Return the numbers that the integers stand for."""
        numbers_RD: np.ndarray[Any, np.dtype[np.float32]] = (
            self.integers_RD * self.scales_R[:, None]
        )
        return numbers_RD

    def codes(self) -> BlockCodes:
        """Return the same matrix as codes, the scale of a row for each of its blocks."""
        halves_R1 = self.scales_R.astype(np.float16)[:, None]
        num_blocks = -(-self.integers_RD.shape[1] // BLOCK_COLUMNS)
        return BlockCodes(8, self.integers_RD, np.repeat(halves_R1, num_blocks, axis=1))


def quantised(matrix_RD: Float32[np.ndarray, "rows width"]) -> QuantisedRows:
    """Round every row to steps of its own largest value over 127.

    Rounding again changes nothing, but in rows below 0.008, whose scales have few bits.

    Args:
        matrix_RD: finite, below 8,000,000 in size.
    """
    largest_R = np.abs(matrix_RD).max(axis=1, initial=0.0)
    scales_R = np.maximum(largest_R / LARGEST, _SMALLEST_SCALE).astype(np.float16)
    # Rounded down it makes the largest value 127.06, which is in range; only the smallest scales,
    # of few bits, may push it out.
    is_over_R = np.rint(largest_R / scales_R.astype(np.float32)) > LARGEST
    scales_R = np.where(is_over_R, np.nextafter(scales_R, np.float16(np.inf)), scales_R)
    scales_R = scales_R.astype(np.float32)
    integers_RD = np.rint(matrix_RD / scales_R[:, None]).astype(np.int8)
    return QuantisedRows(integers_RD, scales_R)


def stored(name: str, rows: QuantisedRows) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return the two arrays of a file for a matrix called name."""
    return {name: rows.integers_RD, name + SCALE_SUFFIX: rows.scales_R.astype(np.float16)}


def restored(name: str, arrays: Arrays) -> QuantisedRows:
    """Take a matrix out of the arrays of a file.

    Raises:
        KeyError: it is not there.
    """
    return QuantisedRows(arrays[name], arrays[name + SCALE_SUFFIX].astype(np.float32))
