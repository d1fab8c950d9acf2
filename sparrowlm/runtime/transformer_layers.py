"""The parts of a Transformer layer in NumPy, shared by the decoder and the encoder.

Shape letters: see models/protocol.py; P is the sum of query, key and value widths, G twice the
feed-forward width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.weights import Tensors, take

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Block:
    """Weights of one layer; matrices that share their input are joined."""

    attention_norm_D: Matrix
    qkv_PD: Matrix
    q_norm_E: Matrix
    k_norm_E: Matrix
    out_DQ: Matrix
    feed_forward_norm_D: Matrix
    gate_up_GD: Matrix
    down_DF: Matrix


def rotary_tables(shape: TransformerShape) -> tuple[Matrix, Matrix]:
    """Return cosine_CE and sine_CE of the rotary angles, C positions, one half of a head."""
    half = shape.head_width // 2
    frequencies_E = shape.rope_base ** (-np.arange(half, dtype=np.float32) / np.float32(half))
    positions_C = np.arange(shape.context_tokens, dtype=np.float32)
    angles_CE = np.outer(positions_C, frequencies_E.astype(np.float32))
    return np.cos(angles_CE).astype(np.float32), np.sin(angles_CE).astype(np.float32)


def product(x_BTI: Matrix, weight_OI: Matrix) -> Matrix:
    """Multiply all positions in one matrix product, which NumPy would do row by row."""
    num_rows, count, inner = x_BTI.shape
    flat = x_BTI.reshape(num_rows * count, inner) @ weight_OI.T
    product_BTO: Matrix = flat.reshape(num_rows, count, -1)
    return product_BTO


def rms_norm(x: Matrix, weight: Matrix, epsilon: float) -> Matrix:
    """Divide by the root of the mean square over the last axis, then scale.

    Source: Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
    """
    squares = np.einsum("...i,...i->...", x, x)[..., None]
    scale = np.float32(1.0) / np.sqrt(squares / np.float32(x.shape[-1]) + np.float32(epsilon))
    normed: Matrix = x * scale * weight
    return normed


def turned(x_BTHE: Matrix, rotation: tuple[Matrix, Matrix]) -> Matrix:
    """Rotate each head by its position, first half against second half.

    Source: Su et al. 2021, arXiv:2104.09864, equation 34, in the half-split order.
    """
    cosine_T1E, sine_T1E = rotation
    half = x_BTHE.shape[-1] // 2
    first, second = x_BTHE[..., :half], x_BTHE[..., half:]
    turned_BTHE = np.empty_like(x_BTHE)
    turned_BTHE[..., :half] = first * cosine_T1E - second * sine_T1E
    turned_BTHE[..., half:] = second * cosine_T1E + first * sine_T1E
    return turned_BTHE


def swiglu(gate_up_BTG: Matrix) -> Matrix:
    """Return silu(gate) * up.

    Source: Shazeer 2020, arXiv:2002.05202, equation 6.
    """
    half = gate_up_BTG.shape[-1] // 2
    gate_BTF, up_BTF = gate_up_BTG[..., :half], gate_up_BTG[..., half:]
    gated_BTF: Matrix = gate_BTF * up_BTF
    gated_BTF /= 1.0 + np.exp(-gate_BTF)
    return gated_BTF


def read_block(shape: TransformerShape, tensors: Tensors, layer: int, path: object) -> Block:
    """Take the weights of one layer.

    Raises:
        DamagedFileError: a tensor is missing or of another shape.
    """

    def get(name: str, *sizes: int) -> Matrix:
        return take(tensors, f"model.layers.{layer}.{name}.weight", sizes, path)

    width, inner, head = shape.width, shape.feed_forward_width, shape.head_width
    queries, keys = shape.num_heads * head, shape.num_kv_heads * head
    projections = {"q": queries, "k": keys, "v": keys}
    qkv = [get(f"self_attn.{name}_proj", size, width) for name, size in projections.items()]
    gate_up = [get(f"mlp.{name}_proj", inner, width) for name in ("gate", "up")]
    return Block(
        attention_norm_D=get("input_layernorm", width),
        qkv_PD=np.concatenate(qkv),
        q_norm_E=get("self_attn.q_norm", head),
        k_norm_E=get("self_attn.k_norm", head),
        out_DQ=get("self_attn.o_proj", width, queries),
        feed_forward_norm_D=get("post_attention_layernorm", width),
        gate_up_GD=np.concatenate(gate_up),
        down_DF=get("mlp.down_proj", width, inner),
    )
