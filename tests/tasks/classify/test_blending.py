"""Blends: calibrated, never worse than their best part, equal to a trusted optimiser."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.tasks.classify.blending import (
    Blend,
    label_probabilities,
    learnt_blend,
    loss_nats,
)


def some_scores(seed, num_texts=400, num_labels=3, noise=1.0):
    random = np.random.default_rng(seed)
    true = random.integers(0, num_labels, num_texts)
    targets = np.eye(num_labels, dtype=np.float32)[true]
    one = targets * 2 + random.normal(size=targets.shape) * noise
    other = targets + random.normal(size=targets.shape) * noise
    return targets, {"one": one.astype(np.float32), "other": (50 * other).astype(np.float32)}


@given(st.integers(0, 999), st.sampled_from([0.3, 1.0, 3.0]))
@settings(max_examples=25)
def test_a_blend_is_at_least_as_good_as_its_parts(seed, noise):
    targets, scores = some_scores(seed, noise=noise)
    both = loss_nats(learnt_blend(scores, targets).logits(scores), targets, is_multi_label=False)
    for name in scores:
        part = {name: scores[name]}
        alone = learnt_blend(part, targets).logits(part)
        assert both <= loss_nats(alone, targets, is_multi_label=False) + 1e-4


def test_weights_are_those_of_scipys_optimiser():
    from scipy.optimize import minimize

    targets, scores = some_scores(0, num_texts=3000)

    def loss(weights):
        logits = weights[0] * scores["one"] + weights[1] * scores["other"]
        return loss_nats(logits.astype(np.float64), targets, is_multi_label=False)

    wanted = minimize(loss, [1.0, 0.02], method="Nelder-Mead", options={"xatol": 1e-6}).x
    found = learnt_blend(scores, targets).weights
    assert found["one"] == pytest.approx(wanted[0], rel=0.01)
    assert found["other"] == pytest.approx(wanted[1], rel=0.01)


def test_a_part_that_misleads_gets_no_say():
    targets, scores = some_scores(1)
    blend = learnt_blend({"one": scores["one"], "liar": -targets * 3}, targets)
    assert list(blend.weights) == ["one"]


def test_several_labels_a_text_have_an_offset():
    random = np.random.default_rng(0)
    targets = (random.random((500, 4)) < 0.1).astype(np.float32)
    scores = {"one": (targets * 4 + random.normal(size=targets.shape)).astype(np.float32)}
    blend = learnt_blend(scores, targets, is_multi_label=True)
    given_BL = blend.probabilities(scores)
    assert blend.offset < 0
    assert float(given_BL.mean()) == pytest.approx(float(targets.mean()), abs=0.01)


def test_perfectly_separated_scores_keep_finite_weights():
    targets = np.eye(2, dtype=np.float32)[[0, 1] * 20]
    blend = learnt_blend({"one": targets * 9}, targets)
    assert 0 < blend.weights["one"] < 100


@given(st.lists(st.lists(st.floats(-900, 900), min_size=3, max_size=3), min_size=1, max_size=5))
def test_probabilities_are_probabilities(rows):
    logits = np.array(rows)
    exactly_one = label_probabilities(logits, is_multi_label=False)
    np.testing.assert_allclose(exactly_one.sum(axis=1), 1.0, rtol=1e-9)
    apart = label_probabilities(logits, is_multi_label=True)
    for given_BL in (exactly_one, apart):
        assert bool(((given_BL >= 0) & (given_BL <= 1)).all())
    assert np.isfinite(loss_nats(logits, np.ones_like(logits) / 3, is_multi_label=False))


def test_a_blend_survives_json():
    blend = Blend({"linear": 2.5, "encoder": 0.25}, -0.5, True)
    assert Blend.from_json(json.loads(json.dumps(blend.as_json()))) == blend
