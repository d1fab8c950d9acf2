"""Calibrated confidence: what was distorted is found again; scikit-learn is the judge."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_answers import LABELS, made_up
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from sparrowlm.cooperation import rankers, scales
from sparrowlm.cooperation.calibrators import (
    Calibrator,
    chosen_ranker,
    chosen_scale,
    judged_answers,
    log_loss,
)
from sparrowlm.tasks.calibration import calibration_error, error_by_chance


def judged(count=4000, **how):
    return judged_answers(*made_up(count, **how), LABELS)


@pytest.mark.parametrize("sharpness", [0.3, 1.0, 3.0])
def test_temperature_finds_what_was_too_sharp(sharpness):
    ranker = rankers.fitted_temperature(judged(sharpness=sharpness))
    assert ranker.scales[0] == pytest.approx(1 / sharpness, rel=0.1)


def test_vector_scaling_finds_a_label_that_was_forgotten():
    data = judged(bias=(0.0, 2.0, 0.0, 0.0))
    ranker = rankers.fitted_vector(data)
    offsets = np.array(ranker.offsets) - np.mean(np.delete(ranker.offsets, 1))
    assert offsets[1] > 1.0
    assert np.abs(np.delete(offsets, 1)).max() < 0.4
    test = judged(seed=1, bias=(0.0, 2.0, 0.0, 0.0))

    def loss(one):
        own = scales.PlattScale().probabilities(one.scores(test.evidence))
        return log_loss(own, test.is_right_B)

    assert loss(ranker) < loss(rankers.fitted_temperature(data))


def test_scaling_ranker_is_the_softmax_of_the_answer():
    data = judged(50)
    ranker = rankers.ScalingRanker((0.7,), (0.0,))
    scaled = np.exp(0.7 * data.evidence.logs_BL)
    shares = scaled / scaled.sum(axis=1, keepdims=True)
    own = shares[np.arange(50), data.evidence.chosen_B]
    given = scales.PlattScale().probabilities(ranker.scores(data.evidence))
    np.testing.assert_allclose(given, own, rtol=1e-9)


def test_platt_equals_scikit_learn_where_rows_outweigh_the_pull():
    data = judged(20_000, sharpness=2.0)
    scores = rankers.RawRanker().scores(data.evidence)
    ours = scales.fitted_platt(scores, data.is_right_B)
    theirs = LogisticRegression(C=1e6).fit(scores[:, None], data.is_right_B)
    assert ours.slope == pytest.approx(float(theirs.coef_[0, 0]), rel=0.01)
    assert ours.offset == pytest.approx(float(theirs.intercept_[0]), abs=0.02)


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=60), seed=st.integers(0, 9))
def test_pooled_equals_scikit_learn(values, seed):
    weights = np.random.default_rng(seed).uniform(0.5, 3.0, len(values))
    expected = IsotonicRegression().fit_transform(
        np.arange(len(values)), np.array(values), sample_weight=weights
    )
    np.testing.assert_allclose(scales.pooled(np.array(values), weights), expected, atol=1e-9)


@given(seed=st.integers(0, 30), count=st.integers(1, 80), num_levels=st.integers(1, 40))
def test_every_scale_keeps_the_order(seed, count, num_levels):
    random = np.random.default_rng(seed)
    scores = np.sort(random.integers(0, num_levels, count).astype(float))
    is_right = random.random(count) < 0.5
    probes = np.sort(np.concatenate([scores, random.normal(0, num_levels, 30)]))
    for fitted in scales.FITTED.values():
        given_B = fitted(scores, is_right).probabilities(probes)
        assert (np.diff(given_B) >= -1e-12).all()
        assert ((given_B >= 0) & (given_B <= 1)).all()


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 4.0])
def test_calibration_error_falls_to_what_chance_explains(sharpness):
    data, test = judged(3000, sharpness=sharpness), judged(3000, seed=1, sharpness=sharpness)
    _way, ranker = chosen_ranker(data.part(np.arange(500)))
    _way, scale = chosen_scale(ranker.scores(data.evidence), data.is_right_B)
    given_B = scale.probabilities(ranker.scores(test.evidence))
    after = calibration_error(given_B, test.is_right_B)
    assert after < 0.03
    assert after < 3 * error_by_chance(given_B)
    if sharpness != 1.0:
        assert calibration_error(test.evidence.confidence_B, test.is_right_B) > 2 * after


def test_choice_keeps_to_what_is_simple_where_nothing_is_gained():
    way, _ranker = chosen_ranker(judged(600))
    assert way == "raw"
    scores = rankers.RawRanker().scores(judged(600).evidence)
    assert chosen_scale(scores, judged(600).is_right_B)[0] == "as it is"
    # Too few rows, or errors, to learn from: nothing is.
    few = judged(30)
    assert chosen_ranker(few)[0] == "raw"
    assert chosen_scale(scores[:30], np.ones(30, dtype=bool))[0] == "as it is"


def test_choice_takes_other_signals_where_they_say_more():
    """The model's own probability says nothing here, another signal everything."""
    answers, _truths = made_up(1000)
    random = np.random.default_rng(5)
    helpful = random.normal(0, 2, 1000)
    is_right = random.random(1000) < 1 / (1 + np.exp(-helpful))
    from dataclasses import replace

    told = [
        replace(one, signals={**one.signals, "helpful": float(value)})
        for one, value in zip(answers, helpful, strict=True)
    ]
    truths = [
        (one.answer,) if right else ("else",) for one, right in zip(told, is_right, strict=True)
    ]
    way, ranker = chosen_ranker(judged_answers(told, truths, LABELS))
    assert way == "logistic"
    assert np.argmax(np.abs(ranker.weights)) == 3


@pytest.mark.parametrize("way", list(rankers.FITTED))
@pytest.mark.parametrize("scale_way", list(scales.FITTED))
def test_calibrator_comes_back_from_json(way, scale_way):
    data = judged(300)
    ranker = rankers.FITTED[way](data)
    scale = scales.FITTED[scale_way](ranker.scores(data.evidence), data.is_right_B)
    calibrator = Calibrator(ranker, scale, LABELS, way, scale_way)
    back = Calibrator.from_json(json.loads(json.dumps(calibrator.as_json())))
    assert back == calibrator
    answer = made_up(1)[0][0]
    assert back.calibrated(answer) == calibrator.calibrated(answer)


def test_one_answer_is_scored_as_in_a_batch():
    data, answers = judged(300), made_up(300)[0]
    for way, fitted in rankers.FITTED.items():
        ranker = fitted(data)
        calibrator = Calibrator(ranker, scales.PlattScale(), LABELS)
        alone = [calibrator.score(answer) for answer in answers[:40]]
        np.testing.assert_allclose(alone, ranker.scores(data.evidence)[:40], rtol=1e-9, err_msg=way)
