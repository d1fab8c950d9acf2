"""What can be asked of word vectors, and their file."""

from __future__ import annotations

import numpy as np
import pytest

from sparrowlm.foundation.errors import DamagedFileError, DataError
from sparrowlm.models.protocol import LanguageModel
from sparrowlm.models.word_vectors import WordVectors


def made(vocab_size=6, width=3, window=2):
    generator = np.random.default_rng(vocab_size)
    vectors = generator.normal(size=(vocab_size, width)).astype(np.float32)
    vectors[0] = vectors[4] = 0
    outputs = generator.normal(size=(vocab_size, width)).astype(np.float32)
    noise = np.log(np.full(vocab_size, 1 / vocab_size)).astype(np.float32)
    return WordVectors(vectors, outputs, noise, window, {"seed": 3})


def test_neighbours_analogies_and_similarity_agree_with_gensim():
    gensim = pytest.importorskip("gensim.models")
    vectors = made(40, 5)
    keyed = gensim.KeyedVectors(vector_size=5)
    known = [i for i in range(40) if i not in (0, 4)]
    keyed.add_vectors([str(i) for i in known], vectors.vectors_VD[known])
    theirs = keyed.most_similar("7", topn=5)
    assert [str(n.id) for n in vectors.neighbours(7, 5)] == [word for word, _ in theirs]
    np.testing.assert_allclose(
        [n.similarity for n in vectors.neighbours(7, 5)], [s for _, s in theirs], rtol=1e-5
    )
    assert vectors.similarity(7, 9) == pytest.approx(keyed.similarity("7", "9"), rel=1e-5)
    theirs = keyed.most_similar(positive=["8", "9"], negative=["7"], topn=4)
    assert [str(n.id) for n in vectors.analogy(7, 8, 9, 4)] == [word for word, _ in theirs]


def test_ids_that_never_occurred_are_nobodys_neighbours():
    found = [n.id for n in made().neighbours(1, 10)]
    assert sorted(found) == [2, 3, 5]


def test_forward_is_the_mean_of_the_last_vectors_times_the_outputs():
    vectors = made()
    assert isinstance(vectors, LanguageModel)
    logits = vectors.forward(np.array([[1, 2, 3, 0, 5]]))[0]
    means = [
        vectors.vectors_VD[1],
        vectors.vectors_VD[[1, 2]].mean(axis=0),
        vectors.vectors_VD[[2, 3]].mean(axis=0),
        np.zeros(3),
        vectors.vectors_VD[5],
    ]
    for row, mean in zip(logits, means, strict=True):
        np.testing.assert_allclose(
            row, vectors.output_VD @ mean + vectors.log_noise_V, rtol=1e-5, atol=1e-6
        )


def test_saving_and_loading_keeps_every_bit(tmp_path):
    vectors = made()
    vectors.save(tmp_path / "one.safetensors")
    again = WordVectors.load(tmp_path / "one.safetensors")
    again.save(tmp_path / "two.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == (
        tmp_path / "two.safetensors"
    ).read_bytes()
    np.testing.assert_array_equal(again.vectors_VD, vectors.vectors_VD)
    assert (again.window, again.settings) == (2, {"seed": 3})


def test_other_programs_read_the_file(tmp_path):
    from safetensors.numpy import load_file

    vectors = made()
    vectors.save(tmp_path / "vectors.safetensors")
    found = load_file(tmp_path / "vectors.safetensors")
    np.testing.assert_array_equal(found["vectors_VD"], vectors.vectors_VD)


def test_every_damage_is_refused(tmp_path):
    path = tmp_path / "vectors.safetensors"
    made().save(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFileError):
            WordVectors.load(path)
    for position in range(len(whole)):
        for bit in range(8):
            flipped = bytearray(whole)
            flipped[position] ^= 1 << bit
            path.write_bytes(flipped)
            with pytest.raises(DamagedFileError):
                WordVectors.load(path)
    path.unlink()
    with pytest.raises(DamagedFileError):
        WordVectors.load(path)


def test_ids_outside_the_vocabulary_are_refused():
    vectors = made()
    for ask in (
        lambda: vectors.neighbours(6),
        lambda: vectors.similarity(-1, 2),
        lambda: vectors.analogy(1, 2, 99),
        lambda: vectors.forward(np.array([[1, 6]])),
    ):
        with pytest.raises(DataError):
            ask()


def test_rounded_rows_take_a_quarter_and_come_back_nearly_the_same(tmp_path):
    vectors = made(400, 64)
    vectors.save(tmp_path / "whole")
    vectors.save(tmp_path / "small", has_rounded_rows=True)
    sizes = [(tmp_path / name).stat().st_size for name in ("whole", "small")]
    assert sizes[1] < 0.3 * sizes[0]
    small = WordVectors.load(tmp_path / "small")
    for name in ("vectors_VD", "output_VD"):
        before, after = getattr(vectors, name), getattr(small, name)
        largest = np.abs(before).max(axis=1, keepdims=True)
        assert (np.abs(after - before) <= largest / 127.0 * 0.51 + 1e-6).all()
    content = bytearray((tmp_path / "small").read_bytes())
    content[-3] ^= 1
    (tmp_path / "small").write_bytes(bytes(content))
    with pytest.raises(DamagedFileError):
        WordVectors.load(tmp_path / "small")
