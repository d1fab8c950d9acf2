"""The compiled engine reads texts as NumPy does, alone or together, on every instruction set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import transformer_tensors

from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.quantised_rows import quantised
from sparrowlm.runtime.encoder_engine import EncoderEngine, NgramTables
from sparrowlm.runtime.native_encoder import native_encoder
from sparrowlm.runtime.native_engine import kernel_names

pytestmark = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")

SHAPE = TransformerShape(
    vocab_size=41, width=48, num_layers=2, num_heads=4, num_kv_heads=2, head_width=16,
    feed_forward_width=56, context_tokens=24, is_causal=False,
)  # fmt: skip
MATRICES = [name for name, tensor in transformer_tensors(SHAPE).items() if tensor.ndim == 2]


def tables_of(orders: tuple[int, ...] = (2, 3)) -> NgramTables:
    random = np.random.default_rng(3)
    rows = tuple(quantised(random.normal(size=(64, 8)).astype(np.float32)) for _ in orders)
    return NgramTables(orders, rows, random.normal(size=(48, 8)).astype(np.float32))


def tensors_of(*, is_rounded: bool) -> tuple[dict, dict]:
    tensors = transformer_tensors(SHAPE)
    rows = {name: quantised(tensors[name]).codes() for name in MATRICES} if is_rounded else {}
    return {**tensors, **{name: row.plain() for name, row in rows.items()}}, rows


def engines(*, is_rounded: bool, orders: tuple[int, ...] = (2, 3)) -> list[EncoderEngine]:
    """Return the compiled engine and NumPy's."""
    tensors, rows = tensors_of(is_rounded=is_rounded)
    found = [EncoderEngine(SHAPE, tensors, tables_of(orders), "", rows) for _ in range(2)]
    found[1].run_in_numpy()
    assert found[0].kernels == kernel_names()[0]
    assert found[1].kernels is None
    return found


def some_texts(seed: int, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(0, 41, random.integers(1, 25)) for _ in range(count)]


def states_of(engine: EncoderEngine, texts: list, added: list | None = None) -> list[np.ndarray]:
    found: dict[int, np.ndarray] = {}
    for batch in engine.encode(texts, added):
        for row, states_TD, length in zip(*batch, strict=True):
            found[int(row)] = states_TD[:length]
    return [found[row] for row in range(len(texts))]


@pytest.mark.parametrize("orders", [(2, 3), (2,), ()])
def test_floats_give_the_states_that_numpy_gives(orders):
    native, plain = engines(is_rounded=False, orders=orders)
    texts = some_texts(0, 70)
    added = [np.random.default_rng(n).normal(size=(len(t), 48)) for n, t in enumerate(texts)]
    for more in (None, [one.astype(np.float32) for one in added]):
        for found, wanted in zip(
            states_of(native, texts, more), states_of(plain, texts, more), strict=True
        ):
            # Keys and values are kept as float16.
            assert np.abs(found - wanted).max() < 3e-3 * np.abs(wanted).max()


def test_what_numpy_alone_needs_is_made_when_numpy_runs():
    native, plain = engines(is_rounded=True)
    for engine in (native, plain):
        engine.pooled(some_texts(1, 3))
        states_of(engine, some_texts(2, 3))
    assert not {"blocks", "embedding_VD"} & vars(native).keys()
    assert {"blocks", "embedding_VD"} <= vars(plain).keys()


def test_codes_lose_little():
    native, plain = engines(is_rounded=True)
    found, wanted = (np.concatenate(states_of(one, some_texts(1, 60))) for one in (native, plain))
    assert np.linalg.norm(found - wanted) < 0.02 * np.linalg.norm(wanted)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
@settings(max_examples=20, deadline=None)
def test_a_text_has_the_same_bits_alone_and_among_others(seed, count):
    native = engines(is_rounded=True)[0]
    texts = some_texts(seed, count)
    together = states_of(native, texts)
    alone = [states_of(native, [text])[0] for text in texts]
    for one, other in zip(together, alone, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("is_rounded", [True, False])
def test_every_instruction_set_gives_the_same_bits(is_rounded):
    tensors, rows = tensors_of(is_rounded=is_rounded)
    texts = some_texts(2, 30)
    lengths = np.array([len(text) for text in texts], dtype=np.int32)
    ids, nothing = np.concatenate(texts).astype(np.int32), np.zeros((0, 0), dtype=np.float32)
    found = [
        native_encoder(SHAPE, {**tensors, **rows}, tables_of(), name).read(ids, lengths, nothing)
        for name in kernel_names()
    ]
    assert all(np.array_equal(found[0], one) for one in found[1:])


def test_widths_that_fill_no_vector_are_left_to_numpy():
    shape = TransformerShape(
        vocab_size=9, width=20, num_layers=1, num_heads=2, num_kv_heads=1, head_width=10,
        feed_forward_width=12, context_tokens=8, is_causal=False,
    )  # fmt: skip
    tables = NgramTables((), (), np.zeros((20, 0), dtype=np.float32))
    engine = EncoderEngine(shape, transformer_tensors(shape), tables, "")
    assert engine.kernels is None
    assert engine.pooled([np.array([1, 2])]).shape == (1, 40)


@pytest.mark.parametrize(
    ("ids", "lengths"),
    [([1, 2], [3]), ([1, 2], [2, 0]), ([41], [1]), ([-1], [1]), ([1] * 25, [25])],
)
def test_what_cannot_be_read_is_refused(ids, lengths):
    native = native_encoder(SHAPE, tensors_of(is_rounded=False)[0], tables_of())
    nothing = np.zeros((0, 0), dtype=np.float32)
    with pytest.raises(ValueError, match=r"."):
        native.read(np.array(ids, np.int32), np.array(lengths, np.int32), nothing)


def test_weights_that_do_not_fit_are_refused():
    tensors = tensors_of(is_rounded=False)[0]
    for name in (MATRICES[-1], "model.norm.weight"):
        with pytest.raises(ValueError, match="another size"):
            native_encoder(SHAPE, {**tensors, name: tensors[name][:-1]}, tables_of())
