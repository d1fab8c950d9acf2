"""Figures of matching equal those of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from sparrowlm.tasks.calibration import calibration_error
from sparrowlm.tasks.match.blending import PairBlend, learnt_blend, logistic_regression
from sparrowlm.tasks.match.metric import (
    average_precision,
    best_threshold,
    f1,
    interval,
    pair_figures,
    search_figures,
)

RANDOM = np.random.default_rng(5)
IS_SAME = RANDOM.random(500) < 0.3
SCORES = np.round(0.3 * IS_SAME + RANDOM.random(500), 2)  # rounded: many equal ones


def test_f1_and_average_precision_equal_scikit_learn():
    said = SCORES > 0.7
    assert f1(IS_SAME, said) == pytest.approx(f1_score(IS_SAME, said))
    assert average_precision(IS_SAME, SCORES) == pytest.approx(
        average_precision_score(IS_SAME, SCORES)
    )


def test_best_threshold_finds_the_best_f1_there_is():
    precision, recall, _ = precision_recall_curve(IS_SAME, SCORES)
    best = (2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()
    assert f1(IS_SAME, best_threshold(IS_SAME, SCORES) <= SCORES) == pytest.approx(best)


def test_calibration_error_equals_the_bins_of_scikit_learn():
    probabilities = RANDOM.random(500)
    true, mean = calibration_curve(IS_SAME, probabilities, n_bins=15)
    bins = (probabilities * 15).astype(int)
    weights = np.bincount(bins, minlength=15)[np.unique(bins)] / len(bins)
    expected = float((np.abs(true - mean) * weights).sum())
    assert calibration_error(probabilities, IS_SAME) == pytest.approx(expected, abs=1e-9)


def test_search_figures_count_places():
    found = search_figures(np.array([0, 4, 9, 10, -1]))
    assert (found.hit_1, found.hit_5, found.hit_10) == (0.2, 0.4, pytest.approx(0.6))
    assert found.reciprocal_rank == pytest.approx((1 + 1 / 5 + 1 / 10 + 1 / 11) / 5)
    low, high = found.hit_1_interval
    assert 0 <= low <= 0.2 <= high <= 1


def test_figures_of_nothing_and_of_one():
    assert average_precision(np.zeros(3, dtype=bool), np.arange(3.0)) == 0.0
    assert calibration_error(np.zeros(0), np.zeros(0, dtype=bool)) == 0.0
    assert interval(lambda rows: 1.0, 0) == (0.0, 1.0)
    one = pair_figures(np.array([True]), np.array([0.9]), 0.5)
    assert (one.f1, one.accuracy) == (1.0, 1.0)
    assert search_figures(np.zeros(0, dtype=np.int64)).hit_1 == 0.0


def test_logistic_regression_equals_scikit_learn_with_the_same_ridge():
    inputs = np.stack([SCORES, RANDOM.random(500)], axis=1)
    weights, offset = logistic_regression(inputs, IS_SAME.astype(np.float32))
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    theirs = LogisticRegression(C=1 / 0.5, tol=1e-10).fit((inputs - mean) / spread, IS_SAME)
    assert weights * spread == pytest.approx(theirs.coef_[0], abs=1e-4)
    assert offset + weights @ mean == pytest.approx(theirs.intercept_[0], abs=1e-4)


def test_a_part_that_knows_nothing_is_left_out_and_the_rest_is_calibrated():
    scores = {"good": SCORES.astype(np.float32), "bad": -SCORES.astype(np.float32)}
    blend = learnt_blend(scores, IS_SAME.astype(np.float32))
    assert set(blend.weights) == {"good"}
    assert blend.probabilities(scores).mean() == pytest.approx(IS_SAME.mean(), abs=0.01)
    assert PairBlend.from_json(blend.as_json()) == blend
