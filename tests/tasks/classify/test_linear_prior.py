"""A linear model goes on from another: old n-grams stay, the difference is learnt."""

from __future__ import annotations

import numpy as np
import pytest

from sparrowlm.models.sparse_linear import Vocabulary
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.linear_prior import LinearPrior
from sparrowlm.tasks.classify.linear_training import LinearTraining
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings
from sparrowlm.training.linear import Machine, as_matrix, train_linear

OLD = {"good": ("干净", "舒服", "满意"), "bad": ("脏乱", "吵闹", "失望")}
NEW = {"good": ("好吃", "新鲜", "美味"), "bad": ("难吃", "发霉", "太咸")}


def texts_of(words, labels=("bad", "good")):
    random = np.random.default_rng(0)
    rows = [
        (f"{random.integers(99)}天{word}", label) for label in words for word in words[label] * 9
    ]
    targets = np.array([[label == one for one in labels] for _text, label in rows], np.float32)
    return LabelledTexts([text for text, _label in rows], targets, labels, False)


def trained(data, prior=None):
    training = LinearTraining(data, NgramFeatureSettings(), (), None, 0, prior)
    return training.part([Machine(1.0)])


def prior_of(data):
    part = trained(data)
    return LinearPrior(part.model, part.features, data.labels)


def test_what_new_texts_do_not_hold_is_kept():
    prior = prior_of(texts_of(OLD))
    alone, beside = trained(texts_of(NEW)), trained(texts_of(NEW), prior)
    old = [f"真{word}" for label in ("bad", "good") for word in OLD[label]]
    new = [f"真{word}" for label in ("bad", "good") for word in NEW[label]]
    wanted = [0, 0, 0, 1, 1, 1]
    assert beside.scores(new, 2).argmax(axis=1).tolist() == wanted
    assert beside.scores(old, 2).argmax(axis=1).tolist() == wanted
    known = np.abs(alone.scores(old, 2)[:, 1] - alone.model.bias_C[0])
    assert known.max() < 0.3  # nothing but chance


def test_old_weights_stand_in_the_columns_of_their_labels():
    data = texts_of(OLD)
    prior = prior_of(data)
    vocabulary = prior.joined(Vocabulary.of(NgramFeatures().counts(["好吃"]).keys_N, 1))
    assert (np.diff(vocabulary.keys_F.astype(np.int64)) > 0).all()
    three = prior.weights(vocabulary, ("bad", "good", "new"), 3)
    assert not three[:, 2].any()
    np.testing.assert_array_equal(three[:, 0], -three[:, 1])
    same = prior.weights(prior.model.vocabulary, data.labels, 1)
    np.testing.assert_array_equal(same, prior.model.plain_weights())
    turned = prior.weights(prior.model.vocabulary, ("good", "bad"), 1)
    np.testing.assert_array_equal(turned, -same)


def test_known_weights_that_are_right_are_used_and_wrong_ones_are_not():
    data = texts_of(OLD)
    counts = NgramFeatures().counts(data.texts)
    vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows)
    matrix = as_matrix(vocabulary.rows(*counts), len(vocabulary.keys_F))
    targets = data.targets_BL[:, 1:]
    right = train_linear(vocabulary, matrix, targets).weights_FC
    found = train_linear(vocabulary, matrix, targets, known_FC=right).weights_FC
    assert np.corrcoef(found[:, 0], right[:, 0])[0, 1] > 0.99
    wrong = np.random.default_rng(0).normal(size=right.shape).astype(np.float32)
    found = train_linear(vocabulary, matrix, targets, known_FC=wrong).weights_FC
    assert np.corrcoef(found[:, 0], right[:, 0])[0, 1] > 0.6


def test_a_label_that_no_text_has_any_more_keeps_its_weights():
    data = texts_of(OLD)
    counts = NgramFeatures().counts(data.texts)
    vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows)
    matrix = as_matrix(vocabulary.rows(*counts), len(vocabulary.keys_F))
    known = np.ones((len(vocabulary.keys_F), 1), dtype=np.float32)
    model = train_linear(vocabulary, matrix, np.zeros((len(data), 1)), known_FC=known)
    assert model.weights_FC.all()
    assert model.bias_C[0] == pytest.approx(-1.0)
