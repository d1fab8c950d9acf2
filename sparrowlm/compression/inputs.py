"""What the matrices of a network read, summed up: for every matrix the products of its inputs.

Shape letters: B windows, T positions, I columns of a matrix, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64, Int64
from sparrowlm.runtime.encoder_engine import EncoderEngine
from sparrowlm.runtime.recurrent_engine import RecurrentEngine
from sparrowlm.runtime.threads import spread
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.runtime.transformer_layers import Block, Matrix, product

EMBEDDING = "model.embed_tokens.weight"
RECURRENT_EMBEDDING = "embedding.weight"
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
        key, products_II = self._keys[id(weight_OI)], _sum(x_BTI)
        with self._lock:
            self.sums[key] = self.sums[key] + products_II if key in self.sums else products_II
        return product(x_BTI, weight_OI)


def input_products(
    engine: TransformerEngine, windows_BT: Int64[np.ndarray, "batch time"]
) -> Products:
    """Sum x x^T over the inputs of every matrix of a decoder.

    Args:
        engine: of the decoder; changed while this runs.
        windows_BT: texts, at most context_tokens ids each.

    Returns:
        By names in model.safetensors; of the embedding what it reads where it gives the scores.
    """
    at_once = max(_TOKENS_AT_ONCE // windows_BT.shape[1], 1)
    states_DD = np.zeros((engine.shape.width, engine.shape.width))

    def read() -> None:
        pieces = range(0, len(windows_BT), at_once)
        some = [windows_BT[first : first + at_once] for first in pieces]
        for states_BTD in spread(engine.window_states, some):
            np.add(states_DD, _sum(states_BTD), out=states_DD)

    return {**products_while(engine, read), EMBEDDING: states_DD}


def recurrent_products(
    engine: RecurrentEngine, windows_BT: Int64[np.ndarray, "batch time"]
) -> Products:
    """Sum x x^T over the inputs of every matrix of a recurrent network; see input_products."""
    at_once = max(_TOKENS_AT_ONCE // windows_BT.shape[1], 1)
    some = [windows_BT[first : first + at_once] for first in range(0, len(windows_BT), at_once)]
    products: Products = {}
    for found in spread(lambda one_BT: _recurrent_sums(engine, one_BT), some):
        for name, products_II in found.items():
            products[name] = products.get(name, 0.0) + products_II
    return products


def _recurrent_sums(
    engine: RecurrentEngine, windows_BT: Int64[np.ndarray, "batch time"]
) -> Products:
    *layers_BTN, back_BTD = engine.window_inputs(windows_BT)
    sums = {RECURRENT_EMBEDDING: _sum(back_BTD), "projection.weight": _sum(layers_BTN[-1])}
    for layer, (inputs_BTN, states_BTS) in enumerate(pairwise(layers_BTN)):
        sums[f"recurrent.weight_ih_l{layer}"] = _sum(inputs_BTN)
        # The first of a text meets a state of zeros.
        sums[f"recurrent.weight_hh_l{layer}"] = _sum(states_BTS[:, :-1])
    return sums


def _sum(inputs_BTI: Matrix) -> Float64[np.ndarray, "columns columns"]:
    inputs_NI = inputs_BTI.reshape(-1, inputs_BTI.shape[-1])
    products_II: np.ndarray[Any, np.dtype[np.float64]] = (inputs_NI.T @ inputs_NI).astype(
        np.float64
    )
    return products_II


def products_while(
    engine: TransformerEngine | EncoderEngine, run: Callable[[], object]
) -> Products:
    """Sum x x^T over the inputs of the matrices of all layers while something runs.

    Args:
        engine: runs in NumPy; changed meanwhile.
        run: lets the engine read.
    """
    watch = _Watch(engine.blocks)
    engine.multiply = watch.multiply
    try:
        run()
    finally:
        engine.multiply = product
    return {
        name: products_II
        for (layer, part), products_II in watch.sums.items()
        for name in _names(layer, part)
    }


def _names(layer: int, part: str) -> list[str]:
    return [f"model.layers.{layer}.{name}.weight" for name in _JOINED[part]]
