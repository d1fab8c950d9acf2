"""Go over the codes of a rounded matrix again: every code is the best one beside all others.

Rounding column after column never looks back: a column's code is chosen before those that come
later are. Afterwards each scale, then each code, is changed to what makes the products' error
least while everything else stays as it is. The error only falls, and most of what can be had is
had in two or three rounds.

Source: Behdin et al. 2023, "QuantEase", arXiv:2309.01885, algorithm 2; scales are ours.

Shape letters: O rows, I columns, W columns of a block (32).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64
from sparrowlm.models.block_codes import BLOCK_COLUMNS, BlockCodes, code_range

_ROUNDS = 3

Matrix = np.ndarray[Any, np.dtype[np.float32]]


def refined(
    matrix_OI: Float32[np.ndarray, "rows columns"],
    products_II: Float64[np.ndarray, "columns columns"],
    codes: BlockCodes,
    rounds: int = _ROUNDS,
) -> BlockCodes:
    """Return codes with which the products' error is less, or as it is.

    Args:
        matrix_OI: what the codes stand for.
        products_II: sum (or mean) of x x^T over inputs x_I, positive definite.
        codes: of the matrix, rounded somehow.
        rounds: over all columns.
    """
    size = float(np.diag(products_II).mean()) or 1.0
    products = (products_II / size).astype(np.float32)
    found = BlockCodes(codes.bits, codes.codes_OI.copy(), codes.scales_ON.copy())
    slopes_OI = (found.plain() - matrix_OI) @ products
    for _ in range(rounds):
        for first in range(0, matrix_OI.shape[1], BLOCK_COLUMNS):
            changed_OW = _refine_block(found, first, slopes_OI, products)
            slopes_OI += changed_OW @ products[first : first + changed_OW.shape[1]]
    return found


def _refine_block(found: BlockCodes, first: int, slopes_OI: Matrix, products_II: Matrix) -> Matrix:
    """Change scales and codes of a block in place; return by how much its numbers change.

    The slopes are half the derivatives of the error by the numbers.
    """
    here = slice(first, min(first + BLOCK_COLUMNS, products_II.shape[0]))
    corner_WW, slopes_OW = products_II[here, here], slopes_OI[:, here].copy()
    scales_O = found.scales_ON[:, first // BLOCK_COLUMNS]
    codes_OW = found.codes_OI[:, here].astype(np.float32)
    before_OW = codes_OW * scales_O[:, None].astype(np.float32)
    scales_O[:] = _better_scales(scales_O, codes_OW, slopes_OW, corner_WW)
    plain_O = scales_O.astype(np.float32)
    slopes_OW += (codes_OW * plain_O[:, None] - before_OW) @ corner_WW
    inverse_O = np.divide(1.0, plain_O, out=np.zeros_like(plain_O), where=plain_O != 0)
    for column, bend in enumerate(np.diag(corner_WW)):
        wanted_O = codes_OW[:, column] - slopes_OW[:, column] / bend * inverse_O
        better_O = np.clip(np.rint(wanted_O), *code_range(found.bits))
        steps_O = (better_O - codes_OW[:, column]) * plain_O
        slopes_OW += np.outer(steps_O, corner_WW[column])
        codes_OW[:, column] = better_O
    found.codes_OI[:, here] = codes_OW
    after_OW: Matrix = codes_OW * plain_O[:, None]
    return after_OW - before_OW


def _better_scales(
    scales_O: np.ndarray[Any, np.dtype[np.float16]],
    codes_OW: Matrix,
    slopes_OW: Matrix,
    corner_WW: Matrix,
) -> np.ndarray[Any, np.dtype[np.float16]]:
    """Return the scales with the least error, as far as float16 has them."""
    bends_O = np.einsum("ow,ow->o", codes_OW @ corner_WW, codes_OW)
    slopes_O = np.einsum("ow,ow->o", slopes_OW, codes_OW)
    steps_O = np.divide(-slopes_O, bends_O, out=np.zeros_like(bends_O), where=bends_O > 0)
    before_O = scales_O.astype(np.float32)
    after_O = (before_O + steps_O).astype(np.float16)
    moved_O = after_O.astype(np.float32) - before_O
    is_better_O = moved_O * (2 * slopes_O + moved_O * bends_O) < 0
    better_O: np.ndarray[Any, np.dtype[np.float16]] = np.where(is_better_O, after_O, scales_O)
    return better_O
