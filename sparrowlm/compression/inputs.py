"""What the matrices of a decoder read, summed up: for every matrix the products of its inputs.

Shape letters: B windows, T positions, I columns of a matrix, D width.
"""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int64
from sparrowlm.runtime.threads import spread
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.runtime.transformer_layers import Block, Matrix, product

EMBEDDING = "model.embed_tokens.weight"
# Matrices of a layer that are one in the engine, for they read the same.
_JOINED = {
    "qkv_PD": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "out_DQ": ("self_attn.o_proj",),
    "gate_up_GD": ("mlp.gate_proj", "mlp.up_proj"),
    "down_DF": ("mlp.down_proj",),
}
_TOKENS_AT_ONCE = 2048

Products = dict[str, Float64[np.ndarray, "columns columns"]]


class _Watch:
    """Multiplies as the engine would, and sums up what is multiplied."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._lock = Lock()
        self._keys = {
            id(getattr(block, part)): (layer, part)
            for layer, block in enumerate(blocks)
            for part in _JOINED
        }
        self.sums: dict[tuple[int, str], np.ndarray[Any, np.dtype[np.float64]]] = {}

    def multiply(self, x_BTI: Matrix, weight_OI: Matrix) -> Matrix:
        key = self._keys[id(weight_OI)]
        self.add(key, x_BTI.reshape(-1, x_BTI.shape[-1]))
        return product(x_BTI, weight_OI)

    def add(self, key: tuple[int, str], inputs_NI: Float32[np.ndarray, "inputs columns"]) -> None:
        products_II = (inputs_NI.T @ inputs_NI).astype(np.float64)
        with self._lock:
            self.sums[key] = self.sums[key] + products_II if key in self.sums else products_II


def input_products(
    engine: TransformerEngine, windows_BT: Int64[np.ndarray, "batch time"]
) -> Products:
    """Sum x x^T over the inputs of every matrix.

    Args:
        engine: of the decoder; changed while this runs.
        windows_BT: texts, at most context_tokens ids each.

    Returns:
        By names in model.safetensors; of the embedding what it reads where it gives the scores.
    """
    watch = _Watch(engine.blocks)
    at_once = max(_TOKENS_AT_ONCE // windows_BT.shape[1], 1)
    engine.multiply = watch.multiply
    try:
        states = spread(
            engine.window_states,
            [windows_BT[first : first + at_once] for first in range(0, len(windows_BT), at_once)],
        )
        for states_BTD in states:
            watch.add((-1, EMBEDDING), states_BTD.reshape(-1, states_BTD.shape[-1]))
    finally:
        engine.multiply = product
    return {
        name: products_II
        for (layer, part), products_II in watch.sums.items()
        for name in _names(layer, part)
    }


def _names(layer: int, part: str) -> list[str]:
    if layer < 0:
        return [part]
    return [f"model.layers.{layer}.{name}.weight" for name in _JOINED[part]]
