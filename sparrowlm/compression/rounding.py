"""Round a matrix so that its products change least: later columns make up for earlier ones.

Columns are rounded one after the other; what is lost with one is taken over by those that are
still to come, as far as the inputs of the matrix say the same. Scales are chosen block by block,
after everything before the block has been made up for. In the end all codes are gone over once
more (refining.py).

Source: Frantar et al. 2023, "GPTQ", arXiv:2210.17323, algorithm 1.

Shape letters: O rows, I columns, N blocks of a row, W columns of a block (32).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.compression.refining import refined
from sparrowlm.foundation.array_types import Float32, Float64
from sparrowlm.models.block_codes import BLOCK_COLUMNS, BlockCodes, best_scales, code_range

_DAMPING = 0.01

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Products = np.ndarray[Any, np.dtype[np.float64]]


def rounded_for_inputs(
    matrix_OI: Float32[np.ndarray, "rows columns"],
    products_II: Float64[np.ndarray, "columns columns"],
    bits: int,
    damping: float = _DAMPING,
) -> BlockCodes:
    """Round a matrix for the inputs that it meets.

    Args:
        matrix_OI: finite.
        products_II: sum (or mean) of x x^T over inputs x_I.
        bits: one of CODE_BITS.
        damping: share of the mean diagonal that is added to the diagonal: how much the inputs are
            doubted; infinitely doubted, every column is rounded for itself.
    """
    damped_II = _damped(products_II, damping)
    upper_II = _inverse_root(damped_II)
    rest_OI = np.array(matrix_OI, dtype=np.float32)
    num_rows, num_columns = rest_OI.shape
    num_blocks = -(-num_columns // BLOCK_COLUMNS)
    codes_OI = np.zeros((num_rows, num_columns), dtype=np.int8)
    scales_ON = np.zeros((num_rows, num_blocks), dtype=np.float16)
    for block in range(num_blocks):
        first, end = block * BLOCK_COLUMNS, min((block + 1) * BLOCK_COLUMNS, num_columns)
        corner_WW = upper_II[first:end, first:end]
        weights_1W = 1.0 / np.square(np.diag(corner_WW))[None]
        here_OW = rest_OI[:, first:end]
        scales_O = best_scales(here_OW[:, None], bits, weights_1W)[:, 0]
        codes_OW, lost_OW = _rounded_block(here_OW, scales_O.astype(np.float32), corner_WW, bits)
        codes_OI[:, first:end], scales_ON[:, block] = codes_OW, scales_O
        rest_OI[:, end:] -= lost_OW @ upper_II[first:end, end:]
    return refined(matrix_OI, damped_II, BlockCodes(bits, codes_OI, scales_ON))


def product_error(
    difference_OI: Float32[np.ndarray, "rows columns"],
    products_II: Float64[np.ndarray, "columns columns"],
) -> float:
    """Return the sum over inputs x of |D x|^2, with products_II the sum of x x^T."""
    return float(np.einsum("oi,oi->", difference_OI @ products_II, difference_OI))


def _damped(products_II: Products, damping: float) -> Products:
    added = damping * float(np.diag(products_II).mean()) or 1.0
    damped_II: Products = products_II + added * np.eye(len(products_II))
    return damped_II


def _inverse_root(damped_II: Products) -> Matrix:
    """Return the upper triangle U with U^T U = damped^-1, float32."""
    root_II = np.linalg.cholesky(np.linalg.inv(damped_II)).T
    upper_II: Matrix = np.ascontiguousarray(root_II, dtype=np.float32)
    return upper_II


def _rounded_block(
    values_OW: Matrix, scales_O: Matrix, corner_WW: Matrix, bits: int
) -> tuple[np.ndarray[Any, np.dtype[np.int8]], Matrix]:
    """Round the columns of a block; return codes and what the columns behind it make up for."""
    least, largest = code_range(bits)
    inverse_O = np.divide(1.0, scales_O, out=np.zeros_like(scales_O), where=scales_O != 0)
    rest_OW = values_OW.copy()
    codes_OW = np.zeros(values_OW.shape, dtype=np.int8)
    lost_OW = np.zeros(values_OW.shape, dtype=np.float32)
    for column in range(values_OW.shape[1]):
        with np.errstate(over="ignore"):
            codes_O = np.clip(np.rint(rest_OW[:, column] * inverse_O), least, largest)
        codes_OW[:, column] = codes_O
        lost_O = (rest_OW[:, column] - codes_O * scales_O) / corner_WW[column, column]
        lost_OW[:, column] = lost_O
        rest_OW[:, column + 1 :] -= np.outer(lost_O, corner_WW[column, column + 1 :])
    return codes_OW, lost_OW
