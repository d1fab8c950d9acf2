"""The sparse linear model: values of scikit-learn, sizes that hold, damage that is refused."""

from __future__ import annotations

import numpy as np
import pytest

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.sparse_linear import SparseLinear, SparseRows, Vocabulary
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings

TEXTS = ["好 房间 干净", "坏 房间 很 脏 很 脏", "good clean room", "bad dirty dirty room", ""]


def counted(texts, **settings):
    return NgramFeatures(NgramFeatureSettings(**settings)).counts(texts)


def some_model(num_columns=3, seed=0, texts=TEXTS):
    random = np.random.default_rng(seed)
    counts = counted(texts)
    vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows)
    weights = random.normal(size=(len(vocabulary.keys_F), num_columns)).astype(np.float32)
    return SparseLinear(vocabulary, weights, random.normal(size=num_columns).astype(np.float32))


def test_values_are_those_of_scikit_learns_tfidf():
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = counted(TEXTS, most_characters=0, most_words=1)
    vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows)
    rows = vocabulary.rows(*counts)
    peer = TfidfVectorizer(analyzer=str.split, sublinear_tf=True)
    matrix = peer.fit_transform(TEXTS)
    for number in range(len(TEXTS)):
        found = np.sort(rows.values_N[rows.rows_N == number])
        np.testing.assert_allclose(found, np.sort(matrix[number].data), rtol=1e-5)


def test_scores_are_sums_of_contributions():
    model = some_model()
    rows = model.vocabulary.rows(*counted(TEXTS))
    dense = np.zeros((len(TEXTS), len(model.vocabulary.keys_F)))
    dense[rows.rows_N, rows.columns_N] = rows.values_N
    wanted = dense @ model.weights_FC + model.bias_C
    np.testing.assert_allclose(model.scores(rows), wanted, atol=1e-5)
    assert model.contributions(rows).shape == (len(rows.rows_N), 3)


def test_unknown_ngrams_change_nothing():
    model = some_model()
    rows = model.vocabulary.rows(*counted(["zzz 龘龘"]))
    np.testing.assert_array_equal(model.scores(rows), model.bias_C[None])


def test_eight_bits_hardly_change_a_score():
    model = some_model()
    small = model.compressed()
    rows, small_rows = (m.vocabulary.rows(*counted(TEXTS)) for m in (model, small))
    np.testing.assert_allclose(small.scores(small_rows), model.scores(rows), atol=0.03)
    assert small.weights_FC.dtype == np.int8


@pytest.mark.parametrize("most_bytes", [6_000, 20_000, 60_000])
def test_what_is_affordable_fits(most_bytes, tmp_path):
    random = np.random.default_rng(1)
    texts = ["".join(chr(0x4E00 + code) for code in random.integers(0, 99, 40)) for _ in range(99)]
    model = some_model(texts=texts)
    kept = model.affordable(most_bytes)
    assert 0 < len(kept) < len(model.vocabulary.keys_F)
    smaller = SparseLinear(model.vocabulary.part(kept), model.weights_FC[kept], model.bias_C)
    path = tmp_path / "linear.bin"
    smaller.compressed().save(path)
    assert 0.5 * most_bytes < path.stat().st_size <= most_bytes
    importance = model.importance()
    assert importance[kept].min() >= np.delete(importance, kept).max()


@pytest.mark.parametrize("form", ["whole", "compressed", "halved"])
def test_saved_and_loaded_it_says_the_same(tmp_path, form):
    model = some_model() if form == "whole" else some_model().compressed()
    model = model.halved() if form == "halved" else model
    path = tmp_path / "linear.bin"
    model.save(path, {"most_words": 2})
    assert path.stat().st_size == pytest.approx(model.size_bytes(), abs=64)
    loaded, metadata = SparseLinear.load(path)
    assert metadata == {"most_words": 2}
    rows = loaded.vocabulary.rows(*counted(TEXTS))
    np.testing.assert_allclose(
        loaded.scores(rows), model.scores(model.vocabulary.rows(*counted(TEXTS))), atol=2e-3
    )


@pytest.mark.parametrize("num_columns", [1, 2, 5])
def test_many_ngrams_take_two_bytes_each_and_four_bits_a_weight(tmp_path, num_columns):
    random = np.random.default_rng(2)
    keys_F = np.unique(random.integers(0, 1 << 32, 50_000, dtype=np.uint32))
    weights_FC = random.normal(size=(len(keys_F), num_columns)).astype(np.float32)
    vocabulary = Vocabulary(keys_F, np.ones(len(keys_F), np.float32))
    model = SparseLinear(vocabulary, weights_FC, np.zeros(num_columns, np.float32)).compressed()
    small, path = model.halved(), tmp_path / "linear.bin"
    small.save(path)
    assert path.stat().st_size < 70_000 + len(keys_F) * (4 + -(-num_columns // 2))
    loaded, _metadata = SparseLinear.load(path)
    assert loaded.bits == 4
    assert np.array_equal(loaded.vocabulary.keys_F, keys_F)
    assert np.array_equal(loaded.weights_FC, small.weights_FC)
    plain_FC = loaded.weights_FC * loaded.scales_F[:, None]
    assert np.abs(plain_FC - weights_FC).max() < np.abs(weights_FC).max() / 10
    np.testing.assert_array_equal(loaded.scales_F, small.scales_F)
    np.testing.assert_array_equal(loaded.vocabulary.idf_F, small.vocabulary.idf_F)
    for room in (100_000, 200_000, 400_000):
        small.part(small.affordable(room)).save(path)
        assert 0.9 * room < path.stat().st_size <= room or len(small.affordable(room)) == len(
            keys_F
        )


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "linear.bin"
    some_model().save(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFileError):
        SparseLinear.load(path)


def test_a_model_without_ngrams_still_answers():
    empty = np.zeros(0, dtype=np.int64)
    vocabulary = Vocabulary(empty.astype(np.uint32), empty.astype(np.float32))
    model = SparseLinear(vocabulary, np.zeros((0, 2), np.float32), np.array([1, 2], np.float32))
    rows = vocabulary.rows(*counted(["a"]))
    assert isinstance(rows, SparseRows)
    np.testing.assert_array_equal(model.scores(rows), [[1.0, 2.0]])
    assert model.compressed().num_columns == 2
