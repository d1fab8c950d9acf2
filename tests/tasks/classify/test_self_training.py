"""Guessed labels: the surest of every label first, and words that only unlabelled texts connect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.linear_training import LinearRecipe, LinearTraining
from sparrowlm.tasks.classify.self_training import surest
from sparrowlm.tasks.classify.settings import ClassifierTrainingSettings
from sparrowlm.tasks.classify.training import ClassifierTraining
from sparrowlm.text.ngram_features import NgramFeatureSettings
from sparrowlm.training.encoder_stage import StagePlace
from sparrowlm.training.linear import Machine

WORDS = {"好": ("干净", "舒服", "满意", "热情"), "坏": ("脏乱", "吵闹", "失望", "冷淡")}
PLAIN, GUESSING = LinearRecipe((Machine(1.0),)), LinearRecipe((Machine(1.0),), has_guesses=True)


def texts(count, seed):
    """Pairs of words of one kind; a labelled text has one of the first two of its kind."""
    random = np.random.default_rng(seed)
    found = []
    for number in range(count):
        words = random.choice(WORDS["好" if number % 2 else "坏"], 2, replace=False)
        found.append(f"{words[0]} {words[1]} {random.integers(100)}")
    return found


def training():
    labelled = ["干净", "脏乱", "舒服", "吵闹"]
    targets = np.eye(2, dtype=np.float32)[[1, 0, 1, 0]]
    data = LabelledTexts(labelled, targets, ("坏", "好"), is_multi_label=False)
    data = data.with_unlabelled(texts(400, seed=1))
    return data, LinearTraining(data, NgramFeatureSettings(), (), None, 0)


def test_unlabelled_texts_stand_behind_the_others_and_are_not_measured_on():
    data = LabelledTexts(["a", "b"], np.eye(2, dtype=np.float32), ("x", "y"), is_multi_label=False)
    more = data.with_unlabelled(["c", "a", " ", "c", "d"])
    assert more.texts == ["a", "b", "c", "d"]
    assert more.unlabelled().tolist() == [2, 3]
    assert more.learnt().tolist() == [0, 1]
    assert more.is_known_B().tolist() == [True, True, False, False]
    assert np.array_equal(more.judged().targets_BL[:2], data.targets_BL)


def test_words_that_only_unlabelled_texts_connect_are_learnt():
    """Nobody labelled a text with these words; they stand beside labelled ones."""
    data, linear = training()
    words = [*WORDS["好"][2:], *WORDS["坏"][2:]]
    counts = linear.features.counts(words)
    wanted = [1.0, 1.0, -1.0, -1.0]
    for recipe, is_learnt in ((PLAIN, False), (GUESSING, True)):
        model = linear.train(data.learnt(), recipe)
        scores = model.scores(model.vocabulary.rows(*counts))[:, 0] - model.bias_C[0]
        assert (np.sign(scores).tolist() == wanted) == is_learnt


@pytest.mark.parametrize("is_of_the_kind", [True, False])
def test_guesses_are_learnt_only_where_held_out_texts_get_clearly_better(tmp_path, is_of_the_kind):
    """Every fold has words that no other one has; texts without a label connect them, or do not."""
    random = np.random.default_rng(0)
    signs = random.permutation(np.arange(0x4E00, 0x4E00 + 4000))
    words = ["".join(map(chr, pair)) for pair in signs[:80].reshape(40, 2)]
    kinds = words[:20], words[20:]
    targets = np.repeat(np.eye(2, dtype=np.float32), 20, axis=0)
    data = LabelledTexts(words, targets, ("好", "坏"), is_multi_label=False)
    of_the_kind = [" ".join(random.choice(kinds[n % 2], 4, replace=False)) for n in range(600)]
    others = ["".join(map(chr, random.choice(signs[80:], 8))) for _ in range(600)]
    more = tuple(of_the_kind if is_of_the_kind else others)
    settings = ClassifierTrainingSettings(unlabelled=more)
    stop = StopRequest(lambda _text: None)
    place = StagePlace(tmp_path, "test", SilentProgress(), stop)
    trained = ClassifierTraining(data, None, None, settings, place).run()
    assert trained.facts["learnt_from_guesses"] == is_of_the_kind


def test_guesses_depend_on_nothing_but_the_labelled_texts_given():
    data, linear = training()
    some = np.array([0, 1])
    first = linear.guesses(some)
    assert set(first.rows_U) <= set(data.unlabelled())
    assert set(first.labels_U) <= {0, 1}
    again = training()[1].guesses(some)
    assert np.array_equal(first.rows_U, again.rows_U)
    assert np.array_equal(first.labels_U, again.labels_U)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(2, 5)), elements=st.floats(-5, 5)),
    st.floats(0, 1),
)
def test_of_every_label_the_clearest_share_is_kept(scores, share):
    rows, labels = surest(scores, share)
    best = scores.argmax(axis=1)
    ordered = np.sort(scores, axis=1)
    lead = ordered[:, -1] - ordered[:, -2]
    assert np.array_equal(labels, best[rows])
    for label in np.unique(best):
        own, kept = np.flatnonzero(best == label), rows[labels == label]
        assert len(kept) == max(int(np.ceil(share * len(own))), 1)
        left = np.setdiff1d(own, kept)
        assert not len(left) or lead[kept].min() >= lead[left].max()
