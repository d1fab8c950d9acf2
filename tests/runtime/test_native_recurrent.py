"""Recurrent networks in the compiled engine: the same bits however read, the numbers of NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf_models import gguf_ngram, gguf_recurrent, gguf_recurrent_mixture
from small_models import recurrent_tensors, small_codec, small_model

from sparrowlm.export.gguf_blocks import FORMS
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import listed
from sparrowlm.export.gguf_recurrent import GgufRecurrent
from sparrowlm.foundation.errors import DamagedFileError, ModelError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.runtime.directory import ModelDirectory
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.gguf_recurrent import recurrent_shape
from sparrowlm.runtime.gguf_recurrent import recurrent_tensors as file_tensors
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.mixture_engine import MixtureEngine
from sparrowlm.runtime.native_engine import NativeRecurrentEngine, kernel_names
from sparrowlm.runtime.recurrent_engine import RecurrentEngine
from sparrowlm.runtime.windows import SCORING_WINDOW

pytestmark = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")


def gguf_lstm(path: Path) -> Path:
    return gguf_recurrent(path, "lstm")


FLOAT_TYPES = (0, 1, 30)


@pytest.fixture(scope="module", params=[(c, f) for c in ("rnn", "lstm") for f in FORMS], ids=str)
def file(request, tmp_path_factory) -> GgufFile:
    cell, form = request.param
    return GgufFile(gguf_recurrent(tmp_path_factory.mktemp("gguf") / "m.gguf", cell, form))


@pytest.fixture(scope="module")
def ids(file) -> np.ndarray:
    vocab_size = recurrent_shape(file).vocab_size
    return np.random.default_rng(1).integers(0, vocab_size, 150).astype(np.int64)


def numpy_engine(file: GgufFile) -> RecurrentEngine:
    shape = recurrent_shape(file)
    return RecurrentEngine(shape, file_tensors(file, shape), file.path)


def test_every_instruction_set_and_number_of_threads_gives_the_same_bits(file, ids):
    known = []
    for name in kernel_names():
        for threads in (1, 2, 3):
            engine = NativeRecurrentEngine(file.content, name, threads)
            known.append(engine.step(ids, engine.start()))
    for logits in known[1:]:
        np.testing.assert_array_equal(logits, known[0])


def test_in_any_portions_and_beside_others_the_bits_are_the_same(file, ids):
    engine = NativeRecurrentEngine(file.content)
    whole = engine.step(ids, engine.start())
    cache = engine.start()
    single = np.concatenate([engine.step(ids[t : t + 1], cache) for t in range(len(ids))])
    np.testing.assert_array_equal(single, whole)
    assert cache.ahead.num_guessed == 0
    cache = engine.start()
    pieces = [engine.step(part, cache) for part in np.split(ids, [3, 4, 67, 131])]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    for count in (1, 63, 64, 65, 128, 129):
        last = engine.step(ids[:count], engine.start(), is_last_only=True)
        np.testing.assert_array_equal(last[0], whole[count - 1])
    # Streams side by side, each at another place; more of them than are read at once.
    caches = [engine.start() for _ in range(70)]
    for row, one in enumerate(caches):
        engine.step(ids[: 1 + row], one)
    caches[0].sessions = [one.sessions[0] for one in caches]
    rows = engine.step_rows(ids[1:71], caches[0])
    np.testing.assert_array_equal(rows, whole[1:71])


def test_a_branch_leaves_its_origin_as_it_is(file, ids):
    engine = NativeRecurrentEngine(file.content)
    cache = engine.start()
    engine.step(ids[:10], cache)
    engine.step(ids[30:60], engine.branch(cache, [0]))
    expected = engine.step(ids[:11], engine.start(), is_last_only=True)
    np.testing.assert_array_equal(engine.step(ids[10:11], cache), expected)


def test_numbers_are_those_of_the_numpy_engine(file, ids):
    plain, engine = numpy_engine(file), NativeRecurrentEngine(file.content)
    expected = plain.step(ids, plain.start())
    found = engine.step(ids, engine.start())
    is_float = file.tensors["token_embd.weight"].type_number in FLOAT_TYPES
    # Inputs of matrices of codes are rounded to 8 bits.
    tolerance = 1e-5 if is_float else 0.05
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_long_texts_have_the_scores_of_the_numpy_engine(tmp_path):
    for cell in ("rnn", "lstm"):
        file = GgufFile(gguf_recurrent(tmp_path / f"{cell}.gguf", cell, "float32"))
        plain, engine = numpy_engine(file), NativeRecurrentEngine(file.content)
        for length in (2, SCORING_WINDOW + 1, 2 * SCORING_WINDOW + 77):
            ids = np.random.default_rng(2).integers(0, plain.vocab_size, length)
            found, expected = engine.surprisals(ids), plain.surprisals(ids)
            assert len(found) == length - 1
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [16, 33, 256])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_gates_far_from_zero_are_as_exact(tmp_path, cell, size):
    codec = small_codec()
    shape = RecurrentShape(
        cell=cell, vocab_size=codec.vocab_size, embedding_width=size + 3, state_width=size,
        num_layers=3,
    )  # fmt: skip
    tensors = {name: 6 * value for name, value in recurrent_tensors(shape).items()}
    for name in tensors:
        if "weight_hh" in name:  # the past is felt, without chaos
            tensors[name] /= 60
    path = tmp_path / "m.gguf"
    network = GgufRecurrent(shape=shape, tensors=tensors, codec=codec, form="float32")
    write_gguf(path, GgufParts(network=network))
    engine, plain = NativeRecurrentEngine(GgufFile(path).content), numpy_engine(GgufFile(path))
    ids = np.arange(90) * 7 % codec.vocab_size
    expected = plain.step(ids, plain.start())
    found = engine.step(ids, engine.start())
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_what_was_read_is_saved_and_gone_on_from(file, ids):
    engine, other = (NativeRecurrentEngine(file.content) for _ in range(2))
    for length in (1, 64, 100):
        cache = engine.start()
        engine.step(ids[:length], cache)
        saved = engine.save(cache)
        assert len(saved) < 600  # the state alone, however long the text
        again = other.restore(saved)
        for step in (np.array([3]), np.array([4, 5])):
            np.testing.assert_array_equal(engine.step(step, cache), other.step(step, again))


def test_states_that_do_not_fit_are_refused(tmp_path):
    engine = open_model(gguf_recurrent(tmp_path / "m.gguf", "lstm")).engine
    cache = engine.start()
    engine.step(np.arange(9), cache)
    saved = engine.save(cache)
    stranger = open_model(gguf_recurrent(tmp_path / "o.gguf", "lstm", "int4")).engine
    with pytest.raises(ModelError, match="another model"):
        stranger.restore(saved)
    for damaged in (b"", saved[:-1], saved + b"x", saved[:60] + b"\xff" + saved[61:]):
        with pytest.raises(ModelError):
            engine.restore(damaged)


def test_without_the_compiled_part_numpy_answers(tmp_path, monkeypatch):
    path = gguf_recurrent(tmp_path / "m.gguf", "lstm", "int5")
    assert isinstance(open_model(path).engine, NativeRecurrentEngine)
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    assert isinstance(open_model(path).engine, RecurrentEngine)


@pytest.mark.parametrize("make", [gguf_ngram, gguf_recurrent_mixture, gguf_lstm])
def test_a_talk_that_goes_on_is_written_as_a_new_one(tmp_path, make):
    content = GgufFile(make(tmp_path / "m.gguf")).content
    model, text = native_part().Model(content), b"The cat"
    for turn, more in enumerate((b" sat", " 猫".encode(), b"", b"\n\nThe")):
        written = model.generate(text, 30, turn)
        assert written == native_part().Model(content).generate(text, 30, turn)
        text += written + more
    # A text that begins otherwise, and one that is shorter.
    for other in (b"A dog", text, b"A"):
        written = model.generate(other, 30, 9)
        assert written == native_part().Model(content).generate(other, 30, 9)


@pytest.mark.parametrize("kind", ["rnn", "lstm", "ngram"])
def test_files_of_before_still_open(tmp_path, kind):
    directory = ModelDirectory(small_model(tmp_path / "m", kind))
    content = {name: directory.read(name) for name in directory.manifest["files"]}
    path = tmp_path / "m.gguf"
    manifest = {**directory.manifest, "files": listed(content)}
    write_gguf(path, GgufParts(files=content, manifest=manifest))
    one, other = open_model(directory.path), open_model(path)
    ids = np.array([0, *one.codec.encode("The cat")], dtype=np.int64)
    np.testing.assert_array_equal(
        other.engine.step(ids, other.engine.start()), one.engine.step(ids, one.engine.start())
    )


def test_a_mixture_may_have_a_recurrent_network(tmp_path):
    path = gguf_recurrent_mixture(tmp_path / "m.gguf", "float32")
    one, other = open_model(path.with_suffix("")).engine, open_model(path).engine
    assert isinstance(other, MixtureEngine)
    assert isinstance(other.neural, NativeRecurrentEngine)
    ids = np.arange(40) * 3 % one.vocab_size
    np.testing.assert_allclose(
        other.step(ids, other.start()), one.step(ids, one.start()), atol=1e-4
    )


def test_a_missing_tensor_is_named(tmp_path):
    path = gguf_recurrent(tmp_path / "m.gguf", "rnn")
    path.write_bytes(path.read_bytes().replace(b"rnn.1.state", b"rnn.1.stars"))
    with pytest.raises(DamagedFileError, match=r"rnn\.1\.state"):
        open_model(path)


def test_a_counting_model_gives_the_same_scores_in_the_engine(tmp_path):
    path = gguf_ngram(tmp_path / "m.gguf")
    model = open_model(path).engine
    ids = np.array([0, *np.arange(60) * 5 % model.vocab_size, 0, 7, 8], dtype=np.int64)
    expected = model.step(ids, model.start())
    for name in kernel_names():
        decoder = native_part().Decoder(GgufFile(path).content, name)
        found = decoder.read(decoder.start(), ids.astype(np.int32), False)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
        session = decoder.start()
        decoder.read(session, ids[:50].astype(np.int32))
        rows = [decoder.branch(session), decoder.restore(decoder.save(session))]
        for row in decoder.read_one_each(rows, ids[[50, 50]].astype(np.int32)):
            np.testing.assert_array_equal(row, found[50])
