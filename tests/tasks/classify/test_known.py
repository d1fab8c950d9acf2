"""A linear model goes on from another: old n-grams stay, the difference is learnt."""

from __future__ import annotations

import numpy as np

from sparrowlm.models.sparse_linear import Vocabulary
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.known import KnownLinear
from sparrowlm.tasks.classify.linear_training import LinearRecipe, LinearTraining
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings
from sparrowlm.training.linear import Machine

OLD = {"good": ("干净", "舒服", "满意"), "bad": ("脏乱", "吵闹", "失望")}
NEW = {"good": ("好吃", "新鲜", "美味"), "bad": ("难吃", "发霉", "太咸")}


def texts_of(words, labels=("bad", "good")):
    random = np.random.default_rng(0)
    rows = [
        (f"{random.integers(99)}天{word}", label) for label in words for word in words[label] * 9
    ]
    targets = np.array([[label == one for one in labels] for _text, label in rows], np.float32)
    return LabelledTexts([text for text, _label in rows], targets, labels, False)


def trained(data, known=None, trust=0.0):
    training = LinearTraining(data, NgramFeatureSettings(), (), None, 0, known)
    return training.part(LinearRecipe((Machine(1.0),), trust), np.arange(len(data)))


def known_of(data):
    return KnownLinear(trained(data), data.labels)


def test_what_new_texts_do_not_hold_is_kept():
    known = known_of(texts_of(OLD))
    alone, beside = trained(texts_of(NEW)), trained(texts_of(NEW), known, 1.0)
    old = [f"真{word}" for label in ("bad", "good") for word in OLD[label]]
    new = [f"真{word}" for label in ("bad", "good") for word in NEW[label]]
    wanted = [0, 0, 0, 1, 1, 1]
    assert beside.scores(new, 2).argmax(axis=1).tolist() == wanted
    assert beside.scores(old, 2).argmax(axis=1).tolist() == wanted
    chance = np.abs(alone.scores(old, 2)[:, 1] - alone.model.bias_C[0])
    assert chance.max() < 0.3  # nothing but chance


def test_old_weights_stand_in_the_columns_of_their_labels():
    data = texts_of(OLD)
    known = known_of(data)
    vocabulary = known.part.model.vocabulary.united(
        Vocabulary.of(NgramFeatures().counts(["好吃"]).keys_N, 1)
    )
    assert (np.diff(vocabulary.keys_F.astype(np.int64)) > 0).all()
    three = known.weights_FC(vocabulary, ("bad", "good", "new"), 3)
    assert not three[:, 2].any()
    np.testing.assert_array_equal(three[:, 0], -three[:, 1])
    same = known.weights_FC(known.part.model.vocabulary, data.labels, 1)
    np.testing.assert_array_equal(same, known.part.model.weights_of(known.part.model.vocabulary))
    turned = known.weights_FC(known.part.model.vocabulary, ("good", "bad"), 1)
    np.testing.assert_array_equal(turned, -same)


def test_a_label_that_no_text_has_any_more_keeps_its_weights():
    known = known_of(texts_of(OLD))
    data = texts_of(NEW)
    only_bad = data.targets_BL.argmax(axis=1) == 0
    rest = data.part(np.flatnonzero(only_bad))
    part = trained(rest, known, 1.0)
    good = part.scores(["真干净"], 2)[0]
    assert good[1] - good[0] > part.scores(["真难吃"], 2)[0] @ [-1, 1]


def test_labels_or_ngrams_of_another_kind_are_left_out():
    known = known_of(texts_of(OLD))
    strange = KnownLinear(known.part, ("x", "y"))
    settings = NgramFeatureSettings(most_characters=2)
    for one, features in ((strange, NgramFeatureSettings()), (known, settings)):
        training = LinearTraining(texts_of(NEW), features, (), None, 0, one)
        assert training.known_scores() is None
