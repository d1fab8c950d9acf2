"""Training of the linear model: scikit-learn's weights, averaged, folds that are even."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.models.sparse_linear import Vocabulary
from sparrowlm.text.ngram_features import NgramFeatures
from sparrowlm.training.linear import Machine, as_matrix, bayes_scales, folds, train_linear

TEXTS = [f"{word} {number}" for number in range(20) for word in ("好 房间", "坏 房间")]
WANTED = np.array([text.startswith("好") for text in TEXTS])


def prepared():
    counts = NgramFeatures().counts(TEXTS)
    vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows)
    rows = vocabulary.rows(*counts)
    return vocabulary, rows, as_matrix(rows, len(vocabulary.keys_F))


def test_weights_are_those_of_linear_svc():
    from sklearn.svm import LinearSVC

    vocabulary, rows, matrix = prepared()
    model = train_linear(vocabulary, matrix, WANTED[:, None], [Machine(0.5)], seed=3)
    peer = LinearSVC(C=0.5, random_state=3).fit(matrix, WANTED)
    np.testing.assert_allclose(model.scores(rows)[:, 0], peer.decision_function(matrix), atol=1e-4)


def test_several_machines_are_averaged():
    vocabulary, rows, matrix = prepared()
    machines = [Machine(0.5), Machine(0.3, has_bayes_scales=True)]
    alone = [train_linear(vocabulary, matrix, WANTED[:, None], [m]).scores(rows) for m in machines]
    both = train_linear(vocabulary, matrix, WANTED[:, None], machines).scores(rows)
    np.testing.assert_allclose(both, np.mean(alone, axis=0), atol=1e-5)


def test_no_text_at_all_teaches_nothing():
    vocabulary, rows, matrix = prepared()
    model = train_linear(vocabulary, matrix[:0], WANTED[:0, None])
    assert not model.weights_FC.any()
    assert set(model.scores(rows)[:, 0].tolist()) == {-1.0}


def test_bayes_scales_are_large_where_a_label_shows():
    vocabulary, _rows, matrix = prepared()
    scales = bayes_scales(matrix, WANTED)
    telling = NgramFeatures().counts(["好"]).keys_N
    common = NgramFeatures().counts(["房"]).keys_N
    place = np.searchsorted(vocabulary.keys_F, [telling[0], common[0]])
    assert scales[place[0]] > 10 * scales[place[1]]
    assert bool((scales >= 0).all())


def test_a_label_that_all_or_none_have_needs_no_weights():
    vocabulary, rows, matrix = prepared()
    targets = np.stack([np.ones_like(WANTED), np.zeros_like(WANTED)], axis=1)
    model = train_linear(vocabulary, matrix, targets)
    assert not model.weights_FC.any()
    assert model.scores(rows)[0].tolist() == [1.0, -1.0]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=60), st.integers(2, 6), st.integers(0, 9))
def test_folds_are_even_within_every_label(labels, num_folds, seed):
    labels = np.array(labels)
    found = folds(labels, num_folds, seed)
    assert bool(((found >= 0) & (found < num_folds)).all())
    for label in np.unique(labels):
        counts = np.bincount(found[labels == label], minlength=num_folds)
        assert counts.max() - counts.min() <= 1
    assert np.array_equal(found, folds(labels, num_folds, seed))


def test_without_scikit_learn_one_sentence_says_what_to_install(monkeypatch):
    import builtins

    from sparrowlm.foundation.errors import DependencyError

    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    _vocabulary, rows, _matrix = prepared()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DependencyError, match="scikit-learn"):
        as_matrix(rows, 10)


def test_doubtful_texts_count_for_both_sides():
    """Of texts that are all alike the score is the expected side, 2 p - 1."""
    texts = ["好 房间"] * 200
    counts = NgramFeatures().counts(texts)
    vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows)
    rows = vocabulary.rows(*counts)
    matrix = as_matrix(rows, len(vocabulary.keys_F))
    for share in (0.2, 0.5, 0.9):
        shares = np.full((200, 1), share)
        model = train_linear(vocabulary, matrix, shares, [Machine(10.0)])
        assert model.scores(rows)[0, 0] == pytest.approx(2 * share - 1, abs=0.02)


def test_certain_shares_are_labels():
    vocabulary, rows, matrix = prepared()
    labels = train_linear(vocabulary, matrix, WANTED[:, None], [Machine(0.5)])
    shares = np.where(WANTED, 0.99, 0.01)[:, None]
    same = train_linear(vocabulary, matrix, shares, [Machine(0.5)])
    assert np.array_equal(labels.scores(rows), same.scores(rows))
