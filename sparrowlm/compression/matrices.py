"""The matrices of a network in several numbers of bits, and what each choice costs.

The cost of a choice is what the whole model's predictions lose: nats per token between them before
and after (Kullback and Leibler's divergence). That is measured for one number of bits, matrix by
matrix; for the others it goes as the squared error of the matrix's products does.

Shape letters: B windows, T positions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sparrowlm.compression.choices import Choice, Way
from sparrowlm.compression.code_ways import CodeWays
from sparrowlm.compression.inputs import (
    EMBEDDING,
    RECURRENT_EMBEDDING,
    Products,
    input_products,
    recurrent_products,
)
from sparrowlm.compression.rounding import product_error, rounded_for_inputs
from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.block_codes import BLOCK_COLUMNS, CODE_BITS, BlockCodes, rounded_blocks
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.recurrent_engine import RecurrentEngine
from sparrowlm.runtime.threads import spread
from sparrowlm.runtime.transformer_engine import TransformerEngine

# The way of a matrix that has no codes.
FLOAT16 = 16
_COMMON_BITS = (4, 5, 8)
_MATRIX = 2
_TILE_ROWS = 16
# Bits for which the loss is measured: with fewer it is no longer small, with more it is noise.
_MEASURED_BITS = 4
# Multiplications that measuring may take, and the least number of positions to look at.
_MOST_WORK, _LEAST_TOKENS, _MOST_TOKENS = 4e12, 512, 8192
_MOST_SCORES = 16_000_000
# The embedding is read by the ids as well: its rows are doubted more than other inputs.
_EMBEDDING_DAMPING = 0.1

Shape = TransformerShape | RecurrentShape
Tensors = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]


def code_bytes(rows: int, columns: int, bits: int) -> int:
    """Return what a matrix of codes takes in a file.

    >>> code_bytes(16, 64, 8), code_bytes(16, 64, 4), code_bytes(1, 64, 3)
    (1088, 576, 448)
    """
    blocks = -(-columns // BLOCK_COLUMNS)
    is_tiled = bits in (6, 3) or columns % BLOCK_COLUMNS
    stored_rows = -(-rows // _TILE_ROWS) * _TILE_ROWS if is_tiled else rows
    return stored_rows * blocks * (4 * bits + 2)


def matrix_ways(
    shape: Shape,
    tensors: Tensors,
    windows_BT: Int64[np.ndarray, "batch time"],
    progress: Progress,
    *,
    is_common: bool = False,
) -> CodeWays:
    """Round every matrix to several numbers of bits and measure what that costs.

    Args:
        shape: of a decoder or a recurrent network.
        tensors: weights by their names in model.safetensors, float32.
        windows_BT: texts to look at, at most context_tokens ids each.
        progress: told about it.
        is_common: only what llama.cpp reads: 4, 5 and 8 bits, and float16 where 32 does not divide
            the length of a row.
    """
    bits = _COMMON_BITS if is_common else CODE_BITS
    names = [name for name, tensor in tensors.items() if tensor.ndim == _MATRIX]
    plain = [name for name in names if is_common and tensors[name].shape[1] % BLOCK_COLUMNS]
    names = [name for name in names if name not in plain]
    products = _products(shape, tensors, windows_BT)
    work = [(name, count) for name in names for count in bits]
    progress.start(say("compression.rounding"), len(work), say("compression.unit-matrices"))
    rounded = spread(lambda one: _rounded(tensors[one[0]], products[one[0]], *one), work)
    codes: dict[tuple[str, Way], BlockCodes] = {}
    for one, found in zip(work, rounded, strict=True):
        codes[one] = found
        progress.advance(1)
    errors = {
        (name, count): product_error(found.plain() - tensors[name], products[name])
        for (name, count), found in codes.items()
    }
    measured = {name: rounded_blocks(tensors[name], _MEASURED_BITS).plain() for name in names}
    progress.start(say("compression.weighing"), len(names), say("compression.unit-matrices"))
    losses = _divergences(shape, tensors, measured, _probe(shape, tensors, windows_BT), progress)
    progress.finish()
    choices = {name: [Choice(FLOAT16, 2 * tensors[name].size, 0.0)] for name in plain}
    for name in names:
        error = product_error(measured[name] - tensors[name], products[name])
        slope = losses[name] / error if error > 0 else 0.0
        rows, columns = tensors[name].shape
        choices[name] = [
            Choice(count, code_bytes(rows, columns, count), slope * errors[name, count])
            for count in bits
        ]
    return CodeWays(codes, choices)


def _products(
    shape: Shape, tensors: Tensors, windows_BT: Int64[np.ndarray, "batch time"]
) -> Products:
    if isinstance(shape, RecurrentShape):
        return recurrent_products(RecurrentEngine(shape, tensors, ""), windows_BT)
    return input_products(TransformerEngine(shape, tensors, ""), windows_BT)


def _rounded(
    matrix: np.ndarray[Any, np.dtype[np.float32]],
    products: np.ndarray[Any, np.dtype[np.float64]],
    name: str,
    bits: int,
) -> BlockCodes:
    if name in (EMBEDDING, RECURRENT_EMBEDDING):
        return rounded_for_inputs(matrix, products, bits, _EMBEDDING_DAMPING)
    return rounded_for_inputs(matrix, products, bits)


def _probe(
    shape: Shape, tensors: Tensors, windows_BT: Int64[np.ndarray, "batch time"]
) -> Int64[np.ndarray, "some time"]:
    """Return as many windows as there is time for."""
    parameters = sum(tensor.size for tensor in tensors.values())
    num_matrices = sum(tensor.ndim == _MATRIX for tensor in tensors.values())
    tokens = int(np.clip(_MOST_WORK / (parameters * num_matrices), _LEAST_TOKENS, _MOST_TOKENS))
    tokens = min(tokens, _MOST_SCORES // shape.vocab_size)
    return windows_BT[: max(tokens // windows_BT.shape[1], 1)]


def _divergences(
    shape: Shape,
    tensors: Tensors,
    others: Tensors,
    windows_BT: Int64[np.ndarray, "batch time"],
    progress: Progress,
) -> dict[str, float]:
    """Return nats per token between the model's predictions and those with one other matrix."""
    logs_NV = _predictions(shape, tensors, windows_BT)
    shares_NV = np.exp(logs_NV)

    def divergence(name: str) -> float:
        other_NV = _predictions(shape, {**tensors, name: others[name]}, windows_BT)
        lost_N = np.einsum("nv,nv->n", shares_NV, logs_NV - other_NV)
        return max(float(lost_N.mean()), 0.0)

    found = {}
    for name, loss in zip(others, spread(divergence, list(others)), strict=True):
        found[name] = loss
        progress.advance(1)
    return found


def _predictions(
    shape: Shape, tensors: Tensors, windows_BT: Int64[np.ndarray, "batch time"]
) -> Float32[np.ndarray, "positions vocab"]:
    if isinstance(shape, RecurrentShape):
        logits_BTV = RecurrentEngine(shape, tensors, "").window_logits(windows_BT)
        return log_softmax(logits_BTV.reshape(-1, shape.vocab_size))
    engine = TransformerEngine(shape, tensors, "")
    states_ND = engine.window_states(windows_BT).reshape(-1, shape.width)
    return log_softmax(states_ND @ tensors[EMBEDDING].T)
