"""A narrower Transformer: fewer feed-forward units and fewer heads in every layer.

Units and heads go one after the other, each time the one whose going changes least what the layer
adds to the residual stream on texts like those to come, after those that stay have made up for it
by least squares.

Source: Muralidharan et al. 2024, "Compact language models via pruning and knowledge distillation",
arXiv:2407.14679, section 2 (width before depth, importance from activations); Kurtić, Frantar and
Alistarh 2023, "ZipLM", arXiv:2302.04089, section 3.1 (what to leave out, and what makes up for it).

Shape letters: D width, F feed-forward units, H query heads, K heads of keys and values, E width of
a head, I columns of a matrix, Q columns of the output projection (H E).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sparrowlm.compression.matrices import code_bytes
from sparrowlm.compression.parts import Weights
from sparrowlm.foundation.array_types import Float32, Float64, Int64
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.block_codes import BLOCK_COLUMNS

_SHARES_OF_UNITS = (0.75, 0.5, 0.25)
_DAMPING = 1e-4

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Places = np.ndarray[Any, np.dtype[np.int64]]


def narrower_shapes(shape: TransformerShape) -> list[TransformerShape]:
    """Return shapes to try, largest first: three widths, the lower two also with half the heads.

    >>> from sparrowlm.models.architectures import TransformerShape
    >>> sizes = dict(vocab_size=300, width=64, num_layers=2, num_heads=4, num_kv_heads=2)
    >>> whole = TransformerShape(
    ...     **sizes, head_width=16, feed_forward_width=128, context_tokens=64)
    >>> [(one.feed_forward_width, one.num_heads) for one in narrower_shapes(whole)]
    [(96, 4), (64, 4), (64, 2), (32, 4), (32, 2)]
    """
    found = []
    for share in _SHARES_OF_UNITS:
        units = round(shape.feed_forward_width * share / BLOCK_COLUMNS) * BLOCK_COLUMNS
        if not BLOCK_COLUMNS <= units < shape.feed_forward_width:
            continue
        found.append(replace(shape, feed_forward_width=units))
        if share <= 0.5 and shape.num_kv_heads % 2 == 0:
            heads, keys = shape.num_heads // 2, shape.num_kv_heads // 2
            found.append(replace(found[-1], num_heads=heads, num_kv_heads=keys))
    distinct = dict.fromkeys(found)
    return sorted(distinct, key=TransformerShape.num_parameters, reverse=True)


def rounded_bytes(shape: TransformerShape, bits: int) -> int:
    """Return what the matrices of a shape take with so many bits."""
    queries, keys = shape.num_heads * shape.head_width, shape.num_kv_heads * shape.head_width
    width, units = shape.width, shape.feed_forward_width
    sizes = [(queries, width), (keys, width), (keys, width), (width, queries)]
    sizes += [(units, width), (units, width), (width, units)]
    layer = sum(code_bytes(rows, columns, bits) for rows, columns in sizes)
    return code_bytes(shape.vocab_size, width, bits) + shape.num_layers * layer


def narrowed(
    weights: Weights,
    shape: TransformerShape,
    products: Mapping[str, Float64[np.ndarray, "columns columns"]],
) -> Weights:
    """Leave out units and heads.

    Args:
        weights: a Transformer.
        shape: one of narrower_shapes, or any with fewer units, or fewer heads of keys and values
            each with as many queries as before.
        products: sums of x x^T over the inputs of its matrices, see inputs.input_products.
    """
    whole = weights.shape
    assert isinstance(whole, TransformerShape)  # noqa: S101 - it has such a shape
    tensors = dict(weights.tensors)
    for layer in range(whole.num_layers):
        prefix = f"model.layers.{layer}."
        if shape.feed_forward_width < whole.feed_forward_width:
            _leave_out_units(tensors, prefix, shape, products)
        if shape.num_kv_heads < whole.num_kv_heads:
            _leave_out_heads(tensors, prefix, (whole, shape), products)
    return Weights(shape, tensors)


def _leave_out_units(
    tensors: dict[str, Matrix],
    prefix: str,
    shape: TransformerShape,
    products: Mapping[str, Float64[np.ndarray, "columns columns"]],
) -> None:
    name = f"{prefix}mlp.down_proj.weight"
    columns_F1 = np.arange(tensors[name].shape[1])[:, None]
    tensors[name], kept_F = _without_groups(
        tensors[name], products[name], columns_F1, shape.feed_forward_width
    )
    for part in ("gate_proj", "up_proj"):
        rows = f"{prefix}mlp.{part}.weight"
        tensors[rows] = np.ascontiguousarray(tensors[rows][kept_F])


def _leave_out_heads(
    tensors: dict[str, Matrix],
    prefix: str,
    shapes: tuple[TransformerShape, TransformerShape],
    products: Mapping[str, Float64[np.ndarray, "columns columns"]],
) -> None:
    """Leave out heads of keys and values, each with its queries."""
    whole, shape = shapes
    name = f"{prefix}self_attn.o_proj.weight"
    columns_KQ = np.arange(tensors[name].shape[1]).reshape(whole.num_kv_heads, -1)
    tensors[name], kept_K = _without_groups(
        tensors[name], products[name], columns_KQ, shape.num_kv_heads
    )
    kept_Q = columns_KQ[kept_K].reshape(-1)
    rows_KE = np.arange(whole.num_kv_heads * whole.head_width).reshape(whole.num_kv_heads, -1)
    kept_E = rows_KE[kept_K].reshape(-1)
    for part, kept in (("q_proj", kept_Q), ("k_proj", kept_E), ("v_proj", kept_E)):
        rows = f"{prefix}self_attn.{part}.weight"
        tensors[rows] = np.ascontiguousarray(tensors[rows][kept])


def _without_groups(
    matrix_OI: Float32[np.ndarray, "rows columns"],
    products_II: Float64[np.ndarray, "columns columns"],
    columns_GN: Int64[np.ndarray, "groups size"],
    num_kept: int,
) -> tuple[Matrix, Places]:
    """Leave out groups of columns, one after the other.

    Returns:
        The columns that are left, changed, and the numbers of their groups, ascending.
    """
    damping = _DAMPING * float(np.diag(products_II).mean()) or 1.0
    inverse_II = np.linalg.inv(products_II + damping * np.eye(len(products_II)))
    rest_OI = matrix_OI.astype(np.float64)
    left = list(range(len(columns_GN)))
    while len(left) > num_kept:
        columns_LN = columns_GN[left]
        # What the group says that the others cannot say: (P^-1)_gg is the inverse of just that.
        inner_LNN = np.linalg.inv(inverse_II[columns_LN[:, :, None], columns_LN[:, None, :]])
        parts_LON = rest_OI[:, columns_LN].swapaxes(0, 1)
        worth_L = ((parts_LON @ inner_LNN) * parts_LON).sum(axis=(1, 2))
        place = int(worth_L.argmin())
        gone = columns_LN[place]
        shares_NI = inner_LNN[place] @ inverse_II[gone]
        rest_OI = rest_OI - rest_OI[:, gone] @ shares_NI
        inverse_II = inverse_II - inverse_II[:, gone] @ shares_NI
        del left[place]
    kept = columns_GN[left].reshape(-1)
    return rest_OI[:, kept].astype(np.float32), np.array(left, dtype=np.int64)
