"""A feature that was constant on held-out text must not decide when it moves a little later."""

from __future__ import annotations

import numpy as np

from sparrowlm.training.mixture import learn_gate


def test_gate_scaling_of_a_constant_feature_is_bounded():
    random = np.random.default_rng(0)
    num_positions = 4_000
    is_first = random.random(num_positions) < 0.5
    probabilities_TK = np.where(is_first[:, None], [0.9, 0.2], [0.1, 0.6]).astype(np.float32)
    constant_T = np.full(num_positions, 13.77)
    features_TF = np.stack([is_first, constant_T], axis=1).astype(np.float32)
    gate = learn_gate(probabilities_TK, features_TF, 0).gate
    moved_TF = features_TF + np.array([0.0, 0.05], dtype=np.float32)
    assert np.abs(gate.weights(moved_TF) - gate.weights(features_TF)).max() < 0.1
