"""An encoder run by the compiled engine: matrices as codes where they are stored so.

Whatever is read together with a text, and however many threads read, its states have the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.block_codes import BlockCodes
from sparrowlm.models.tiles import packed
from sparrowlm.runtime.native_engine import has_lanes_for

if TYPE_CHECKING:
    from sparrowlm.runtime.encoder_engine import NgramTables

_FLOAT32 = 0
_MATRICES = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
)  # fmt: skip
_VECTORS = ("input_layernorm", "self_attn.q_norm", "self_attn.k_norm", "post_attention_layernorm")

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Weights = Mapping[str, Matrix | BlockCodes]


def native_encoder(
    shape: TransformerShape, weights: Weights, tables: NgramTables, kernels: str = ""
) -> Any:  # noqa: ANN401 - compiled code without types
    """Return the compiled engine with an encoder in it; None where it cannot run.

    Args:
        shape: of the Transformer.
        weights: by their names in model.safetensors, of the right sizes.
        tables: of the n-grams.
        kernels: name of an instruction set; "" takes the fastest.
    """
    native = native_part()
    if native is None or not has_lanes_for(shape):
        return None
    sizes = [
        shape.vocab_size, shape.width, shape.num_layers, shape.num_heads, shape.num_kv_heads,
        shape.head_width, shape.feed_forward_width, shape.context_tokens,
    ]  # fmt: skip
    has_tables = bool(tables.orders)
    return native.Encoder(
        sizes=sizes,
        epsilon=shape.norm_epsilon,
        rope_base=shape.rope_base,
        matrices=[
            _stored(native, weights[name])
            for name in _names(shape, "model.embed_tokens.weight", _MATRICES)
        ],
        vectors=[
            np.ascontiguousarray(weights[name], dtype=np.float32)
            for name in _names(shape, "model.norm.weight", _VECTORS)
        ],
        orders=list(tables.orders),
        tables=[(rows.integers_RD, rows.scales_R) for rows in tables.tables_RW],
        up=[_stored(native, tables.up_DW)] if has_tables else [],
        kernels=kernels,
    )


def _names(shape: TransformerShape, first: str, parts: Sequence[str]) -> list[str]:
    layers = range(shape.num_layers)
    return [first, *(f"model.layers.{n}.{part}.weight" for n in layers for part in parts)]


def _stored(
    native: Any,  # noqa: ANN401 - compiled code without types
    matrix: Matrix | BlockCodes,
) -> tuple[int, int, int, np.ndarray[Any, np.dtype[np.uint8]]]:
    """Return form, rows, columns and tiles."""
    if isinstance(matrix, BlockCodes):
        rows, columns = matrix.codes_OI.shape
        return matrix.bits, rows, columns, packed(native, matrix)
    rows, columns = matrix.shape
    plain_RD = np.ascontiguousarray(matrix, dtype=np.float32)
    return _FLOAT32, rows, columns, native.packed_floats(plain_RD)
