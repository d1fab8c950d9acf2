"""Figures equal to scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.tasks.calibration import calibration_error, error_by_chance
from sparrowlm.tasks.classify.evaluation import measured
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.metric import (
    confusion,
    label_scores,
    macro_f1,
    macro_f1_interval,
    micro_f1,
    reliability,
    share_interval,
)

LABELS = ("甲", "b", "c", "d")
pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


@given(pairs)
def test_single_label_figures_are_those_of_scikit_learn(rows):
    from sklearn import metrics

    true, predicted = np.array(rows).T
    numbers = np.arange(4)
    scores = label_scores(true[:, None] == numbers, predicted[:, None] == numbers, LABELS)
    wanted = metrics.precision_recall_fscore_support(
        true, predicted, labels=numbers, zero_division=0
    )
    for index, score in enumerate(scores):
        found = (score.precision, score.recall, score.f1, score.support)
        assert found == pytest.approx([column[index] for column in wanted])
    assert macro_f1(scores) == pytest.approx(
        metrics.f1_score(true, predicted, average="macro", zero_division=0)
    )
    assert np.array_equal(
        confusion(true, predicted, 4), metrics.confusion_matrix(true, predicted, labels=numbers)
    )


@given(st.integers(0, 999))
def test_several_labels_are_counted_as_scikit_learn_counts(seed):
    from sklearn import metrics

    random = np.random.default_rng(seed)
    true, predicted = random.random((2, 30, 4)) < 0.4
    wanted = metrics.f1_score(true, predicted, average="micro", zero_division=0)
    assert micro_f1(true, predicted) == pytest.approx(wanted)


def test_calibration_error_of_known_cases():
    assert calibration_error(np.array([0.9] * 10), np.array([True] * 9 + [False])) < 1e-9
    assert calibration_error(np.array([1.0] * 10), np.array([False] * 10)) == pytest.approx(1.0)
    mixed = calibration_error(np.array([0.95] * 10 + [0.55] * 10), np.array([True] * 20))
    assert mixed == pytest.approx(0.25)
    assert calibration_error(np.zeros(0), np.zeros(0, dtype=bool)) == 0.0


@pytest.mark.parametrize("count", [60, 600, 6000])
def test_chance_alone_is_what_exactly_right_confidences_show(count):
    random = np.random.default_rng(count)
    sure = random.beta(3, 1, count)
    errors = [calibration_error(sure, random.random(count) < sure) for _draw in range(300)]
    assert error_by_chance(sure) == pytest.approx(np.mean(errors), rel=0.08)
    assert error_by_chance(np.zeros(0)) == 0.0
    assert error_by_chance(np.ones(5)) == 0.0
    assert reliability(np.array([0.9, 0.91]), np.array([True, False])) == [
        (pytest.approx(0.905), 0.5, 2)
    ]


def test_intervals_hold_the_value_and_shrink():
    low, high = share_interval(90, 100)
    assert low < 0.9 < high
    assert np.subtract(*share_interval(900, 1000)[::-1]) < high - low
    assert share_interval(0, 0) == (0.0, 1.0)
    random = np.random.default_rng(0)
    true = random.integers(0, 4, 300)
    predicted = np.where(random.random(300) < 0.8, true, random.integers(0, 4, 300))
    numbers = np.arange(4)
    value = macro_f1(label_scores(true[:, None] == numbers, predicted[:, None] == numbers, LABELS))
    low, high = macro_f1_interval(true, predicted, 4)
    assert low < value < high
    assert high - low < 0.15


def data(targets, labels=("a", "b"), is_multi_label=False):
    texts = [f"text {number}" for number in range(len(targets))]
    return LabelledTexts(texts, np.array(targets, dtype=np.float32), labels, is_multi_label)


def test_labels_that_the_model_does_not_know_count_as_wrong():
    figures = measured(np.array([[0.9, 0.1], [0.2, 0.8]]), data([[1, 0], [0, 0]]))
    assert (figures.accuracy, figures.num_unknown, figures.num_texts) == (0.5, 1, 2)
    assert figures.errors[0].true == ()


def test_worst_errors_come_first():
    given_BL = np.array([[0.6, 0.4], [0.99, 0.01], [0.1, 0.9]])
    figures = measured(given_BL, data([[0, 1], [0, 1], [0, 1]]))
    assert [error.text for error in figures.errors] == ["text 1", "text 0"]
    assert figures.errors[0].predicted == ("a",)


def test_a_text_with_several_labels_must_have_all_of_them():
    targets = [[1, 1], [1, 0]]
    figures = measured(
        np.array([[0.9, 0.8], [0.9, 0.7]]), data(targets, is_multi_label=True), threshold=0.5
    )
    assert figures.accuracy == 0.5
    assert figures.micro_f1 == pytest.approx(6 / 7)


def test_no_texts_at_all():
    figures = measured(np.zeros((0, 2)), data(np.zeros((0, 2))))
    assert figures.num_texts == 0
    assert figures.as_json()["errors"] == []
