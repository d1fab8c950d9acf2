"""What a part of a classifier says alone is as sure as that part is right, not as the blend is."""

from __future__ import annotations

import numpy as np
import pytest

from sparrowlm.corpora.labelled import LabelledText
from sparrowlm.tasks.classify.blending import Blend, learnt_blend
from sparrowlm.tasks.classify.model import ENCODER, FLOOR, LINEAR, Classifier, ClassifierSettings
from sparrowlm.tasks.classify.task import evaluate_classifier

LABELS = ("坏", "好")
TRUTH = np.random.default_rng(0).integers(0, 2, 2000)
EXAMPLES = [LabelledText(str(row), (LABELS[one],)) for row, one in enumerate(TRUTH)]


def scores_of(noise, seed):
    lead = 2 * TRUTH - 1 + np.random.default_rng(seed).normal(0, noise, len(TRUTH))
    return np.stack([-lead, lead], axis=1).astype(np.float32)


SCORES = {LINEAR: scores_of(1.5, 1), ENCODER: scores_of(1.0, 2)}


class Known(Classifier):
    """A classifier whose parts have these scores for the text "0", "1" and so on."""

    def part_scores(self, texts):
        return {name: rows[[int(text) for text in texts]] for name, rows in SCORES.items()}


def blend_of(*names):
    targets = np.eye(2, dtype=np.float32)[TRUTH]
    return learnt_blend({name: SCORES[name] for name in names}, targets)


ALONE = {FLOOR: blend_of(LINEAR), ENCODER: blend_of(ENCODER)}


@pytest.fixture
def classifier():
    own = Known(ClassifierSettings(labels=LABELS, blend=blend_of(LINEAR, ENCODER)), None, None)
    own.linear = own.encoder = object()
    return own


def test_every_part_is_calibrated_by_itself(classifier):
    found = evaluate_classifier(classifier, ALONE, EXAMPLES)
    assert set(found) == {"model", "floor", "encoder"}
    assert found["model"].accuracy > max(found["floor"].accuracy, found["encoder"].accuracy)
    assert max(one.calibration_error for one in found.values()) < 0.04


def test_models_of_earlier_versions_are_measured_too(classifier):
    blend = Blend({ENCODER: 0.1, LINEAR: 1.0})
    classifier.settings = ClassifierSettings(labels=LABELS, blend=blend)
    raw = evaluate_classifier(classifier, {}, EXAMPLES)
    assert set(raw) == {"model", "encoder"}
    known = evaluate_classifier(classifier, ALONE, EXAMPLES)
    assert raw["encoder"].accuracy == pytest.approx(known["encoder"].accuracy, abs=0.01)
    assert raw["encoder"].calibration_error > 0.2 > known["encoder"].calibration_error
