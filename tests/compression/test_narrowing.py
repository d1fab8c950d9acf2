"""Narrower networks: what says nothing can go without a trace, and what goes is made up for."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import small_shape, transformer_tensors

from sparrowlm.compression.inputs import input_products
from sparrowlm.compression.narrowing import narrowed, narrower_shapes, rounded_bytes
from sparrowlm.compression.parts import Weights

SHAPE = small_shape(30, width=32, num_heads=4, num_kv_heads=2, head_width=8, feed_forward_width=64)
WINDOWS = np.random.default_rng(0).integers(0, 30, (24, 32))


def silenced(weights, units, head):
    """Let some units and one head of keys and values add nothing."""
    tensors, per_head = dict(weights.tensors), SHAPE.head_width * 2
    for layer in range(SHAPE.num_layers):
        prefix = f"model.layers.{layer}."
        for name, columns in (
            (prefix + "mlp.down_proj.weight", units),
            (prefix + "self_attn.o_proj.weight", range(head * per_head, (head + 1) * per_head)),
        ):
            tensors[name] = tensors[name].copy()
            tensors[name][:, list(columns)] = 0.0
    return Weights(weights.shape, tensors)


def states(weights):
    return weights.engine().window_states(WINDOWS)


def products(weights):
    return input_products(weights.engine(), WINDOWS)


@pytest.mark.parametrize("head", [0, 1])
def test_what_adds_nothing_goes_without_a_trace(head):
    units = np.random.default_rng(head).permutation(64)[:32]
    whole = silenced(Weights(SHAPE, transformer_tensors(SHAPE)), units, head)
    shape = small_shape(
        30, width=32, num_heads=2, num_kv_heads=1, head_width=8, feed_forward_width=32
    )
    small = narrowed(whole, shape, products(whole))
    assert small.tensors["model.layers.1.mlp.up_proj.weight"].shape == (32, 32)
    assert small.tensors["model.layers.1.self_attn.k_proj.weight"].shape == (8, 32)
    np.testing.assert_allclose(states(small), states(whole), atol=2e-5)


def test_what_is_left_makes_up_for_what_goes():
    whole = Weights(SHAPE, transformer_tensors(SHAPE))
    # The second half of the units says what the first half says.
    tensors = dict(whole.tensors)
    for layer in range(SHAPE.num_layers):
        for part in ("gate_proj", "up_proj"):
            name = f"model.layers.{layer}.mlp.{part}.weight"
            tensors[name] = np.concatenate([tensors[name][:32], tensors[name][:32]])
    whole = Weights(SHAPE, tensors)
    shape = narrower_shapes(SHAPE)[0]
    assert shape.feed_forward_width == 32
    small = narrowed(whole, shape, products(whole))
    np.testing.assert_allclose(states(small), states(whole), atol=2e-2)


def test_shapes_become_smaller_and_their_bytes_too():
    shapes = narrower_shapes(small_shape(300, feed_forward_width=160, num_heads=4))
    sizes = [rounded_bytes(shape, 4) for shape in shapes]
    assert sizes == sorted(sizes, reverse=True)
    assert all(shape.feed_forward_width % 32 == 0 for shape in shapes)
    assert {shape.num_kv_heads for shape in shapes} == {1, 2}
    assert narrower_shapes(small_shape(300, feed_forward_width=32)) == []
