"""The compiled engine: the same bits whoever computes them, the numbers of the NumPy engine."""

from __future__ import annotations

import platform
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from gguf_models import gguf_model
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import CHINESE, ENGLISH, small_codec

from sparrowlm.export.gguf_blocks import FORMS
from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.hardware import usable_cores
from sparrowlm.foundation.native_part import native_part
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.gguf_loading import gguf_shape, gguf_tensors
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.native_engine import NativeEngine, kernel_names
from sparrowlm.runtime.sampling import (
    Draw,
    SamplingSettings,
    compiled_wish,
    distribution,
    draw,
    draw_id,
)
from sparrowlm.runtime.transformer_engine import TransformerEngine

pytestmark = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")

ODD_TEXTS = [
    "", " ", "\n\n", "don't CAN'T I'LL", "a  b\t\r\nc ", "北京，人工智能。", "1234.5 ½", "'ſ ſ",
    "<|document|><0x41>", "😀👨‍👩‍👧𠮷", "\u2581x\u3000y\u0085", "e\u0301ᄒ", "\x00\x7f",
]  # fmt: skip


@pytest.fixture(scope="module", params=FORMS)
def file(request, tmp_path_factory) -> GgufFile:
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    return GgufFile(gguf_model(path, request.param))


@pytest.fixture(scope="module")
def ids(file) -> np.ndarray:
    vocab_size = gguf_shape(file).vocab_size
    return np.random.default_rng(1).integers(0, vocab_size, 77).astype(np.int64)


def engine_of(file: GgufFile, *args) -> NativeEngine:
    return NativeEngine(file.content, gguf_shape(file).context_tokens, *args)


def test_every_instruction_set_and_number_of_threads_gives_the_same_bits(file, ids):
    known = []
    for name in kernel_names():
        for threads in (1, 2, 3):
            engine = engine_of(file, name, threads)
            assert engine.kernels == name
            known.append(engine.step(ids, engine.start()))
    assert "portable" in kernel_names()
    for logits in known[1:]:
        np.testing.assert_array_equal(logits, known[0])


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").exists(),
    reason="nobody says which instructions there are",
)
def test_the_instruction_sets_are_those_that_linux_lists():
    flags = set(Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split())
    needed = {
        "avx512-vnni": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"},
        "avx-vnni": {"avx2", "f16c", "avx_vnni"},
        "avx2": {"avx2", "f16c"},
        "portable": set(),
    }
    assert kernel_names() == [name for name, flag in needed.items() if flag <= flags]


def test_the_number_of_threads_is_measured_where_it_may_pay(file, tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert engine_of(file).num_threads == 1  # a token takes microseconds
    sizes = {"width": 512, "head_width": 64, "num_heads": 8, "feed_forward_width": 1024}
    large = GgufFile(gguf_model(tmp_path / "large.gguf", **sizes))
    ids, known = np.arange(1, 20), []
    for _time in range(8):
        engine = engine_of(large)
        assert 1 <= engine.num_threads <= usable_cores()
        known.append(engine.step(ids, engine.start()))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    alone = engine_of(large)
    assert alone.num_threads == 1
    for found in known:
        np.testing.assert_array_equal(found, alone.step(ids, alone.start()))


def test_one_by_one_and_many_at_once_are_the_same_bits(file, ids):
    engine = engine_of(file)
    whole = engine.step(ids, engine.start())
    cache = engine.start()
    single = np.concatenate([engine.step(ids[t : t + 1], cache) for t in range(len(ids))])
    np.testing.assert_array_equal(single, whole)
    for count in (1, 31, 32, 33, 48, 49, 77):
        last = engine.step(ids[:count], engine.start(), is_last_only=True)
        np.testing.assert_array_equal(last[0], whole[count - 1])
    cache = engine.start()
    engine.step(ids[:20], cache)
    rows = engine.step_rows(np.repeat(ids[20], 70), engine.branch(cache, [0] * 70))
    np.testing.assert_array_equal(rows, np.repeat(whole[20:21], 70, axis=0))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8))
def test_what_is_guessed_changes_no_bit(file, seed, most_rows):
    random = np.random.default_rng(seed)
    # Few different ids, so that what came before comes again; longer than the window.
    pattern = random.integers(1, 6, random.integers(3, 12))
    text = np.resize(pattern, 90)
    text[random.integers(0, 90, 6)] = random.integers(1, 6, 6)
    plain, guessing = engine_of(file), engine_of(file)
    expected = plain.start().sessions[0]
    cache = guessing.start()
    for t, number in enumerate(text):
        one = np.array([number], dtype=np.int64)
        found = guessing.step(one, cache)
        cache.ahead.limit(most_rows)
        cache.ahead.insist()
        wanted = plain._decoder.read(expected, one.astype(np.int32), True)
        np.testing.assert_array_equal(found, wanted, err_msg=str(t))
    assert cache.ahead.num_right > 0
    # Whatever else is done with the row begins where the text ends, not behind what was guessed.
    branch = guessing.branch(cache, [0])
    more = random.integers(1, 6, 5)
    wanted = plain._decoder.read(expected, more.astype(np.int32), False)
    np.testing.assert_array_equal(guessing.step(more, branch), wanted)
    saved = guessing.restore(guessing.save(cache))
    np.testing.assert_array_equal(guessing.step(more, saved), wanted)


def test_numbers_are_those_of_the_numpy_engine(file, ids):
    shape = gguf_shape(file)
    numpy_engine = TransformerEngine(shape, gguf_tensors(file, shape), file.path)
    expected = numpy_engine.step(ids, numpy_engine.start())
    engine = engine_of(file)
    found = engine.step(ids, engine.start())
    is_float = file.tensors["token_embd.weight"].type_number in (0, 1, 30)
    # Keys and values are kept as float16; inputs of matrices of codes are rounded to 8 bits.
    tolerance = 1e-3 if is_float else 0.06
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
    pieces = np.concatenate(list(engine.predictions(ids)))
    assert pieces.shape == (len(ids) - 1, shape.vocab_size)
    np.testing.assert_allclose(np.exp(pieces).sum(axis=1), 1.0, rtol=1e-5)


def test_a_branch_leaves_its_origin_as_it_is(file, ids):
    engine = engine_of(file)
    cache = engine.start()
    engine.step(ids[:10], cache)
    other = engine.branch(cache, [0])
    engine.step(ids[30:60], other)
    expected = engine.step(ids[:11], engine.start(), is_last_only=True)
    np.testing.assert_array_equal(engine.step(ids[10:11], cache), expected)


def test_threads_of_the_caller_do_not_meet(file, ids):
    engine = engine_of(file)
    expected = engine.step(ids, engine.start())
    found: list[np.ndarray] = []

    def work() -> None:
        found.extend(engine.step(ids, engine.start()) for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    for logits in found:
        np.testing.assert_array_equal(logits, expected)


@pytest.mark.parametrize("wrong", [[-1], [10_000], []])
def test_ids_outside_of_the_vocabulary_are_refused(file, wrong):
    engine = engine_of(file)
    with pytest.raises(ValueError, match="id"):
        engine.step(np.array(wrong, dtype=np.int64), engine.start())


@pytest.mark.parametrize("kind", ["character", "bpe", "word"])
def test_the_tokenizer_in_the_file_gives_the_same_ids(tmp_path, kind):
    codec = small_codec(kind)
    path = gguf_model(tmp_path / "m.gguf", codec=codec)
    native = native_part().Tokenizer(GgufFile(path).content)
    model = open_model(path)
    texts = [*ENGLISH, *CHINESE, *ODD_TEXTS]
    for text in texts:
        # A space inside a token is written U+2581, so that sign itself becomes bytes.
        expected = codec.encode(text)
        assert native.encode(text.encode()).tolist() == expected, text
        assert model.codec.encode(text) == expected, text
    pieces = [codec.token_bytes(token_id) for token_id in range(codec.vocab_size)]
    assert [native.piece(token_id) for token_id in range(native.size)] == pieces


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(
        st.one_of(
            st.sampled_from("ab 'sSt\n\t\r1，。中é😀ſ\u2028\u0301"),
            st.characters(exclude_categories=["Cs"]),
        ),
        max_size=40,
    )
)
@pytest.mark.parametrize("kind", ["character", "bpe", "word"])
def test_any_text_has_the_same_ids(tokenizers, kind, text):
    codec, native = tokenizers[kind]
    assert native.encode(text.encode()).tolist() == codec.encode(text)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory) -> dict:
    found = {}
    for kind in ("character", "bpe", "word"):
        codec = small_codec(kind)
        path = gguf_model(tmp_path_factory.mktemp(kind) / "m.gguf", codec=codec)
        found[kind] = codec, native_part().Tokenizer(GgufFile(path).content)
    return found


def test_long_pieces_are_merged_as_short_ones(tokenizers):
    codec, native = tokenizers["bpe"]
    generator = np.random.default_rng(0)
    for size in (90, 96, 97, 150, 3000):
        text = "".join(generator.choice(list("thecatsondg人工"), size))
        assert native.encode(text.encode()).tolist() == codec.encode(text)
    begun = time.monotonic()
    native.encode(b"thecat" * 200_000)
    assert time.monotonic() - begun < 20


def test_bytes_that_are_no_text_survive(tokenizers):
    data = b"a\xff\xc3b\xe4\xbd \xf0\x9f\x98"
    for _codec, native in tokenizers.values():
        ids = native.encode(data).tolist()
        assert b"".join(native.piece(token_id) for token_id in ids) == data


SAMPLING = [
    {},
    {"temperature": 0.3},
    {"top_k": 3},
    {"top_p": 0.7},
    {"min_p": 0.2},
    {"repetition_penalty": 1.4},
    {"temperature": 1.7, "top_k": 20, "top_p": 0.8, "min_p": 0.05, "repetition_penalty": 1.2},
    {"temperature": 0},
    {"top_k": 1},
    {"top_p": 1e-6},
]


@pytest.mark.parametrize("wishes", SAMPLING)
def test_ids_are_drawn_as_by_the_python_sampler(wishes, monkeypatch):
    chosen = SamplingSettings(**wishes)
    rng = np.random.default_rng(5)
    native = native_part().Sampler(100)
    monkeypatch.setenv("SPARROW_NATIVE", "0")  # otherwise Python asks the compiled one
    for number in range(400):
        logits = (rng.standard_normal(100) * 3).astype(np.float32)
        recent = rng.integers(0, 100, number % 90).astype(np.int32)
        allowed = rng.random(100) < 0.6 if number % 2 else None
        if allowed is not None:
            allowed[7] = True
        chance = random_generator(number, "draws").random()
        generator = random_generator(number, "draws")
        expected = draw(logits, chosen, generator, recent.tolist(), allowed)
        wish = Draw(chosen, chance, recent.tolist(), allowed)
        found = native.draw(logits, compiled_wish(wish, 100))
        if found != expected:
            # float32 beside float64: only where the chance falls between two ids.
            shares = distribution(logits, chosen, recent.tolist(), allowed)
            borders = np.abs(shares.cumsum() / shares.sum() - chance)
            assert borders.min() < 1e-6


@pytest.mark.parametrize("vocab_size", [1, 17, 300, 5000])
def test_whatever_shares_there_are_the_right_ids_are_kept(vocab_size, monkeypatch):
    rng = np.random.default_rng(vocab_size)
    native = native_part().Sampler(vocab_size)
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    for number in range(60):
        # Many equals, a few far above the rest, and ids that have no share at all.
        steps = rng.integers(1, 60)
        logits = rng.integers(0, steps, vocab_size).astype(np.float32) * np.float32(rng.random())
        logits[rng.random(vocab_size) < 0.01] += 40 * rng.random()
        chosen = SamplingSettings(
            top_k=int(rng.integers(1, vocab_size + 2)), min_p=float(rng.random() * 0.1),
            top_p=float(rng.uniform(0.01, 1)), temperature=float(rng.uniform(0.1, 2)),
        )  # fmt: skip
        shares = distribution(logits, chosen)
        for chance in (0.0, 1 - 2**-53, *rng.random(20)):
            found = native.draw(logits, compiled_wish(Draw(chosen, chance), vocab_size))
            borders = shares.cumsum() / shares.sum()
            expected = int(borders.searchsorted(chance, side="right"))
            near = np.abs(borders - chance).min() < 1e-6
            assert found == expected or near, (number, chance)
            assert shares[found] > 0 or near


@pytest.mark.parametrize("score", [-np.inf, -3e38, np.nan, np.inf])
def test_an_id_is_drawn_whatever_the_scores_are(score):
    native = native_part().Sampler(17)  # there is room for 32
    logits = np.full(17, score, dtype=np.float32)
    for wishes in SAMPLING:
        for chance in (0.0, 0.5, 1 - 2**-53):
            wish = Draw(SamplingSettings(**wishes), chance, [3, 16])
            assert 0 <= native.draw(logits, compiled_wish(wish, 17)) < 17


def test_rows_are_drawn_side_by_side_as_alone(tmp_path):
    engine = open_model(gguf_model(tmp_path / "m.gguf", "float32")).engine
    rng = np.random.default_rng(3)
    for count in (1, 2, 9, 33):
        logits = (rng.standard_normal((count, engine.vocab_size)) * 3).astype(np.float32)
        wishes = []
        for row in range(count):
            chosen = SamplingSettings(
                **SAMPLING[row % len(SAMPLING)], presence_penalty=row % 3 / 2,
                logit_bias=((5, 3.0), (10_000, 1.0)) if row % 2 else (),
            )  # fmt: skip
            counts = {4: 2, 9: 1} if chosen.presence_penalty else None
            allowed = rng.random(engine.vocab_size) < 0.7 if row % 4 else None
            wishes.append(Draw(chosen, rng.random(), [1, 2, 3], allowed, counts))
        before = logits.copy()
        found = engine.draw_each(logits, wishes)
        assert found == [draw_id(row, wish) for row, wish in zip(logits, wishes, strict=True)]
        np.testing.assert_array_equal(logits, before)


def test_the_house_opens_the_file_and_continues_a_text(tmp_path):
    path = gguf_model(tmp_path / "m.gguf", "float32")
    model = open_model(path)
    assert isinstance(model.engine, NativeEngine)
    decoder = Decoder(model.engine, model.codec)
    wishes = DecodingSettings(sampling=SamplingSettings(seed=1), max_tokens=30)
    text = "".join(decoder.stream("The cat", wishes))
    shape = gguf_shape(GgufFile(path))
    plain = TransformerEngine(shape, gguf_tensors(GgufFile(path), shape), path)
    assert text == "".join(Decoder(plain, model.codec).stream("The cat", wishes))


def test_without_the_compiled_part_numpy_answers(tmp_path, monkeypatch):
    path = gguf_model(tmp_path / "m.gguf", "int4")
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    model = open_model(path)
    assert isinstance(model.engine, TransformerEngine)
    assert model.engine.vocab_size == model.codec.vocab_size


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="nobody says what memory is used"
)
def test_models_that_are_closed_give_their_memory_back(tmp_path):
    path = gguf_model(tmp_path / "m.gguf", width=256, feed_forward_width=1024)

    def used_mib() -> float:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    for _ in range(5):
        open_model(path)
    before = used_mib()
    for _ in range(60):
        open_model(path)
    assert used_mib() - before < 20


def test_what_was_read_is_saved_and_gone_on_from(tmp_path):
    path = gguf_model(tmp_path / "m.gguf", "int8")
    engine, other = open_model(path).engine, open_model(path).engine
    for length in (1, 5, 16, 17, 31, 32, 50):
        ids = np.arange(length) * 7 % engine.vocab_size
        cache = engine.start()
        engine.step(ids, cache)
        again = other.restore(engine.save(cache))
        for step in (np.array([3]), np.array([4, 5])):
            assert np.array_equal(engine.step(step, cache), other.step(step, again))


def test_states_that_do_not_fit_are_refused(tmp_path):
    engine = open_model(gguf_model(tmp_path / "m.gguf", "int8")).engine
    cache = engine.start()
    engine.step(np.arange(9), cache)
    saved = engine.save(cache)
    stranger = open_model(gguf_model(tmp_path / "o.gguf", "int4")).engine
    with pytest.raises(ModelError, match="another model"):
        stranger.restore(saved)
    for damaged in (
        b"",
        saved[:-1],
        saved + b"x",
        b"X" + saved[1:],
        saved[:60] + b"\xff" + saved[61:],
    ):
        with pytest.raises(ModelError):
            engine.restore(damaged)
