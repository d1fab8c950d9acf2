"""The encoder: torch, NumPy and transformers say the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.encoder import EncoderModel, NgramTableShape, pooled
from sparrowlm.models.ngram_buckets import ngram_buckets
from sparrowlm.models.quantised_rows import QuantisedRows, quantised
from sparrowlm.runtime.encoder_engine import EncoderEngine, NgramTables
from sparrowlm.runtime.encoder_engine import pooled as pooled_by_numpy

SHAPE = TransformerShape(
    vocab_size=41, width=48, num_layers=2, num_heads=4, num_kv_heads=2, head_width=10,
    feed_forward_width=56, context_tokens=24, is_causal=False,
)  # fmt: skip
TABLES = NgramTableShape(orders=(2, 3), num_buckets=64, width=8)


def encoder(tables=TABLES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = EncoderModel(SHAPE, tables, generator).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.normal_(1.0, 0.2, generator=generator)
            elif weight.ndim == 2 and weight.shape != (SHAPE.vocab_size, SHAPE.width):
                weight.normal_(0.0, 0.3, generator=generator)
        for table_RW in model.tables_RW:  # numbers that 8 bits hold exactly
            table_RW.copy_(torch.from_numpy(quantised(table_RW.numpy()).plain()))
    return model


def engine_of(model):
    tensors = {name: tensor.detach().numpy() for name, tensor in model.tensors().items()}
    tables = tuple(quantised(table_RW.detach().numpy()) for table_RW in model.tables_RW)
    parts = NgramTables(model.table_shape.orders, tables, model.up_DW.detach().numpy())
    return EncoderEngine(SHAPE, tensors, parts, "here")


def some_sequences(count, seed=0):
    random = np.random.default_rng(seed)
    return [random.integers(0, 41, random.integers(1, 25)) for _text in range(count)]


@pytest.mark.parametrize("tables", [TABLES, NgramTableShape(orders=())])
def test_numpy_reads_like_torch(tables):
    model = encoder(tables)
    engine = engine_of(model)
    sequences = some_sequences(30)
    found = engine.pooled(sequences)
    for row, ids in enumerate(sequences):
        ids_BT, lengths_B = torch.from_numpy(ids)[None], torch.tensor([len(ids)])
        states_BTD = model.states(ids_BT, lengths_B)
        wanted = pooled(states_BTD, lengths_B)[0].detach().numpy()
        np.testing.assert_allclose(found[row], wanted, atol=2e-5)


def test_transformers_gives_the_same_states_for_the_same_inputs():
    from transformers import Qwen3Config, Qwen3Model

    model = encoder()
    engine = engine_of(model)
    config = SHAPE.hugging_face_config()
    config.pop("architectures")
    peer = Qwen3Model(Qwen3Config(**config)).eval()
    own = {n: t for n, t in model.tensors().items() if n.startswith("model.")}
    peer.load_state_dict({n.removeprefix("model."): t for n, t in own.items()})
    ids_BT = np.random.default_rng(1).integers(0, 41, (3, 24))
    inputs_BTD = torch.from_numpy(engine.input_embeddings(ids_BT, np.full(3, 24)))
    with torch.no_grad():
        wanted = peer(inputs_embeds=inputs_BTD).last_hidden_state.numpy()
    found = engine.states(ids_BT, np.full(3, 24))
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_read_causally_it_never_sees_the_future():
    model = encoder()
    ids_BT = torch.arange(20)[None] % 41
    changed_BT = ids_BT.clone()
    changed_BT[0, 12:] = 3
    before, after = model(ids_BT), model(changed_BT)
    assert torch.allclose(before[:, :12], after[:, :12], atol=1e-6)
    assert not torch.allclose(before[:, 12:], after[:, 12:], atol=1e-3)


def test_what_stands_behind_the_end_changes_nothing():
    model = encoder()
    ids_BT = torch.arange(20)[None] % 41
    lengths_B = torch.tensor([9], dtype=torch.int32)
    changed_BT = ids_BT.clone()
    changed_BT[0, 9:] = 7
    one = pooled(model.states(ids_BT, lengths_B), lengths_B)
    other = pooled(model.states(changed_BT, lengths_B), lengths_B)
    assert torch.allclose(one, other, atol=1e-6)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(2,), (2, 3), (3, 5), ()]))
@settings(max_examples=50, deadline=None)
def test_buckets_depend_on_the_ids_of_the_ngram_alone(seed, orders):
    random = np.random.default_rng(seed)
    ids_BT = random.integers(0, 1 << 30, (2, 12))
    buckets = ngram_buckets(ids_BT, orders, 1000)
    assert buckets.shape == (len(orders), 2, 12)
    assert bool(((buckets >= 0) & (buckets < 1000)).all())
    place = 7
    for index, order in enumerate(orders):
        changed_BT = ids_BT.copy()
        changed_BT[:, place + 1 :] += 1
        changed_BT[:, : place - order + 1] += 1
        again = ngram_buckets(changed_BT, orders, 1000)
        assert np.array_equal(again[index, :, place], buckets[index, :, place])


def test_buckets_of_different_ngrams_seldom_meet():
    pairs = np.array([(a, b) for a in range(60) for b in range(60)])
    buckets = ngram_buckets(pairs, (2,), 1 << 20)[0, :, 1]
    assert len(np.unique(buckets)) > 0.99 * len(pairs)


def test_pooling_by_torch_and_numpy():
    states = np.random.default_rng(0).normal(size=(4, 7, 5)).astype(np.float32)
    lengths = np.array([7, 1, 3, 5], dtype=np.int32)
    wanted = pooled(torch.from_numpy(states), torch.from_numpy(lengths)).numpy()
    np.testing.assert_allclose(pooled_by_numpy(states, lengths), wanted, rtol=1e-6)


@given(st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
@settings(max_examples=100, deadline=None)
def test_eight_bits_are_off_by_half_a_step_at_most(seed, size):
    random = np.random.default_rng(seed)
    matrix = (random.normal(size=(5, 9)) * size).astype(np.float32)
    rows = quantised(matrix)
    assert isinstance(rows, QuantisedRows)
    allowed = 0.5001 * rows.scales_R[:, None] + 1e-6 * np.abs(matrix)
    assert bool((np.abs(rows.plain() - matrix) <= allowed).all())
    assert np.abs(rows.integers_RD.astype(int)).max() <= 127


@settings(max_examples=200)
@given(st.integers(0, 10**6), st.integers(-6, 12))
def test_rounding_again_changes_nothing(seed, power):
    rows = np.random.default_rng(seed).normal(size=(40, 16)).astype(np.float32)
    once = quantised(rows * np.float32(2.0**power))
    again = quantised(once.plain())
    np.testing.assert_array_equal(once.integers_RD, again.integers_RD)
    np.testing.assert_array_equal(once.scales_R, again.scales_R)


def test_no_value_leaves_the_range():
    rows = np.geomspace(1e-9, 8e6, 400, dtype=np.float32)[:, None] * np.ones((1, 3), np.float32)
    found = quantised(rows)
    np.testing.assert_allclose(found.plain(), rows, rtol=0.07, atol=1.3e-4)
    assert np.abs(found.integers_RD.astype(int)).max() == 127
