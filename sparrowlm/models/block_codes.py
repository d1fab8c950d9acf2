"""Matrices as whole numbers of few bits, one scale for every 32 columns of a row.

What a code means is code * scale. With 8 bits a code is -127 to 127; with b < 8 bits it is
-2^(b-1) to 2^(b-1) - 1, and the scale may be negative, so that the largest value of a block, up or
down, falls on the code that has no opposite.

Shape letters: O rows, I columns, N blocks of a row, W columns of a block (32).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float, Float32, Int8

BLOCK_COLUMNS = 32
CODE_BITS = (3, 4, 5, 6, 8)
# Shares of the largest value at which a block may be cut off: losing the outermost value a little
# can make all others finer.
_CUTS = np.linspace(0.62, 1.06, 23, dtype=np.float32)

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class BlockCodes(NamedTuple):
    """A matrix.

    Attributes:
        bits: of a code, one of CODE_BITS.
        codes_OI: see the top of this module.
        scales_ON: float16, finite.
    """

    bits: int
    codes_OI: Int8[np.ndarray, "rows columns"]
    scales_ON: Float[np.ndarray, "rows blocks"]

    def plain(self) -> Float32[np.ndarray, "rows columns"]:
        """Return the numbers that the codes stand for."""
        scales_OI = np.repeat(self.scales_ON.astype(np.float32), BLOCK_COLUMNS, axis=1)
        numbers_OI: Matrix = self.codes_OI * scales_OI[:, : self.codes_OI.shape[1]]
        return numbers_OI


def code_range(bits: int) -> tuple[int, int]:
    """Return the least and the largest code.

    >>> code_range(8), code_range(4)
    ((-127, 127), (-8, 7))
    """
    return (-127, 127) if bits == 8 else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def rounded_blocks(matrix_OI: Float32[np.ndarray, "rows columns"], bits: int) -> BlockCodes:
    """Round a matrix, below 8 bits with the cut that leaves the least squared error of each block.

    Args:
        matrix_OI: finite, below 8,000,000 in size.
        bits: one of CODE_BITS.
    """
    blocks_ONW = as_blocks(matrix_OI)
    scales_ON = best_scales(blocks_ONW, bits)
    codes_ONW = nearest_codes(blocks_ONW, scales_ON, bits)
    codes_OI = codes_ONW.reshape(len(matrix_OI), -1)[:, : matrix_OI.shape[1]]
    return BlockCodes(bits, np.ascontiguousarray(codes_OI), scales_ON)


def as_blocks(matrix_OI: Matrix) -> Matrix:
    """Return a matrix as [O, N, W], the last block of a row filled up with zeros."""
    missing = -matrix_OI.shape[1] % BLOCK_COLUMNS
    padded_OI = np.pad(matrix_OI, ((0, 0), (0, missing)))
    blocks_ONW: Matrix = padded_OI.reshape(len(matrix_OI), -1, BLOCK_COLUMNS)
    return blocks_ONW


def nearest_codes(
    blocks_ONW: Matrix, scales_ON: Float[np.ndarray, "rows blocks"], bits: int
) -> Int8[np.ndarray, "rows blocks columns"]:
    """Return the codes nearest to the values; 0 where the scale is 0."""
    scales_ON1 = scales_ON.astype(np.float32)[..., None]
    inverse_ON1 = np.divide(1.0, scales_ON1, out=np.zeros_like(scales_ON1), where=scales_ON1 != 0)
    # Scales of few bits may push a value beyond the range, and tiny ones beyond float32's.
    with np.errstate(over="ignore"):
        codes_ONW = np.clip(np.rint(blocks_ONW * inverse_ON1), *code_range(bits))
    nearest_ONW: np.ndarray[Any, np.dtype[np.int8]] = codes_ONW.astype(np.int8)
    return nearest_ONW


def _widest_scales(blocks_ONW: Matrix) -> np.ndarray[Any, np.dtype[np.float16]]:
    largest_ON = np.abs(blocks_ONW).max(axis=2)
    scales_ON: np.ndarray[Any, np.dtype[np.float16]] = (largest_ON / 127.0).astype(np.float16)
    return scales_ON


def best_scales(
    blocks_ONW: Matrix, bits: int, weights_NW: Float32[np.ndarray, "blocks columns"] | None = None
) -> Float[np.ndarray, "rows blocks"]:
    """Return the scale of every block: with 8 bits the widest, below the one with the least error.

    Args:
        blocks_ONW: values.
        bits: one of CODE_BITS.
        weights_NW: how much the squared error of each column counts, >= 0; None: all the same.
    """
    if bits == 8:
        return _widest_scales(blocks_ONW)
    places_ON1 = np.abs(blocks_ONW).argmax(axis=2)[..., None]
    outermost_ON = np.take_along_axis(blocks_ONW, places_ON1, axis=2)[..., 0]
    whole_ON = outermost_ON / np.float32(code_range(bits)[0])
    best_ON = np.zeros(whole_ON.shape, dtype=np.float16)
    least_ON = np.full(whole_ON.shape, np.inf, dtype=np.float32)
    for cut in _CUTS:
        scales_ON = (whole_ON * cut).astype(np.float16)
        codes_ONW = nearest_codes(blocks_ONW, scales_ON, bits)
        errors_ONW = codes_ONW * scales_ON.astype(np.float32)[..., None] - blocks_ONW
        squares_ONW = np.square(errors_ONW)
        errors_ON = (squares_ONW if weights_NW is None else squares_ONW * weights_NW).sum(axis=2)
        is_better_ON = errors_ON < least_ON
        best_ON[is_better_ON] = scales_ON[is_better_ON]
        least_ON[is_better_ON] = errors_ON[is_better_ON]
    return best_ON
