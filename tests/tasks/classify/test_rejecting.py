"""Texts that belong nowhere: refused, within the share of false refusals that is allowed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.model import ClassifierSettings, probabilities
from sparrowlm.tasks.classify.rejecting import Detector, learnt_detector, reject_label, signs


def some_scores(seed, num_inside=600, num_outside=100):
    """Scores of three labels and "oos", for texts that belong somewhere and then for others."""
    random = np.random.default_rng(seed)
    true = random.integers(0, 3, num_inside)
    inside = random.normal(size=(num_inside, 4)) - 1
    inside[np.arange(num_inside), true] += 4
    outside = random.normal(size=(num_outside, 4)) - 1
    outside[:, 3] += 1
    scores = {"linear": np.concatenate([inside, outside]).astype(np.float32)}
    return scores, np.arange(num_inside + num_outside) >= num_inside, true


def learnt(seed=0):
    scores, is_outside, true = some_scores(seed)
    blend = Blend({"linear": 1.0})
    found = signs(scores, blend.logits(scores), 3)
    detector = learnt_detector(found, is_outside, 3)
    assert detector is not None
    return detector, blend, scores, is_outside, true


def test_refusals_keep_to_what_is_allowed():
    detector, blend, *_rest = learnt()
    scores, is_outside, _true = some_scores(1)
    refused = detector.refuses(signs(scores, blend.logits(scores), 3))
    assert refused[is_outside].mean() > 0.6
    assert refused[~is_outside].mean() < 0.05


def test_a_refused_text_gets_the_label_that_means_so_and_no_other_does():
    detector, blend, scores, _is_outside, _true = learnt()
    settings = ClassifierSettings(labels=("a", "b", "c", "oos"), blend=blend, detector=detector)
    given = probabilities(settings, scores)
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-5)
    refused = detector.refuses(signs(scores, blend.logits(scores), 3))
    assert np.array_equal(given.argmax(axis=1) == 3, refused)
    plain = blend.probabilities(scores)
    assert np.array_equal(
        given[~refused][:, :3].argmax(axis=1), plain[~refused][:, :3].argmax(axis=1)
    )


def test_too_few_examples_teach_nothing():
    scores, is_outside, _true = some_scores(0, num_outside=4)
    found = signs(scores, scores["linear"], 3)
    assert learnt_detector(found, is_outside, 3) is None


def test_separable_examples_keep_weights_finite():
    found = np.array([[0.0], [1.0]] * 20)
    detector = learnt_detector(found, np.array([False, True] * 20), 1)
    assert detector is not None
    assert np.isfinite(detector.weights).all()


def test_a_detector_survives_json():
    detector = learnt()[0]
    assert Detector.from_json(json.loads(json.dumps(detector.as_json()))) == detector


@pytest.mark.parametrize(
    ("labels", "expected"),
    [(("a", "OOS"), 1), (("out_of_scope", "b"), 0), (("a", "范围外"), 1), (("a", "other"), None)],
)
def test_which_label_means_none_of_these(labels, expected):
    assert reject_label(labels) == expected
