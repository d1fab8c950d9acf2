from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.mixture import gate_features, gate_from_tensors, num_gate_features
from sparrowlm.models.recent_text import NUM_RECENT_FEATURES
from sparrowlm.training.mixture import constant_gate, constant_weights, learn_gate


@given(seed=st.integers(0, 1000), time=st.integers(1, 20), orders=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_mixture_weights_are_distributions(seed, time, orders):
    random = np.random.default_rng(seed)
    counts_TN = random.integers(0, 1000, (time, orders)).astype(np.float32)
    logs_TV = np.log(random.dirichlet(np.ones(7), time)).astype(np.float32)
    recent_TF = random.random((time, NUM_RECENT_FEATURES)).astype(np.float32)
    features_TF = gate_features(counts_TN, counts_TN // 2, recent_TF, logs_TV)
    assert features_TF.shape == (time, num_gate_features(orders))
    weights_K = random.dirichlet(np.ones(orders + 2)).astype(np.float32)
    gate = constant_gate(weights_K, features_TF.shape[1])
    weights_TK = gate.weights(features_TF)
    assert np.allclose(weights_TK, weights_K, atol=1e-5)


def test_mixture_gate_learns_whom_to_trust():
    random = np.random.default_rng(0)
    num_positions = 8_000
    is_first_right = random.random(num_positions) < 0.5
    probabilities_TK = np.where(is_first_right[:, None], [0.9, 0.1], [0.1, 0.9])
    features_TF = np.stack([is_first_right, random.random(num_positions)], axis=1)
    result = learn_gate(probabilities_TK.astype(np.float32), features_TF.astype(np.float32), 0)
    constant = -np.log(probabilities_TK @ [0.5, 0.5]).mean()
    assert result.expert_nats == pytest.approx(-np.log(probabilities_TK).mean(axis=0), rel=1e-5)
    assert -np.log(0.9) < result.mixture_nats < 0.2 < constant


def test_mixture_gate_is_the_same_for_the_same_seed():
    random = np.random.default_rng(1)
    probabilities_TK = random.random((3_000, 3)).astype(np.float32)
    features_TF = random.random((3_000, 4)).astype(np.float32)
    one, other = (learn_gate(probabilities_TK, features_TF, 5) for _ in range(2))
    for name, tensor in one.gate.tensors().items():
        assert np.array_equal(tensor, other.gate.tensors()[name])


def test_mixture_few_positions_get_one_weight_per_expert():
    probabilities_TK = np.tile(np.array([[0.5, 0.01]], dtype=np.float32), (50, 1))
    result = learn_gate(probabilities_TK, np.ones((50, 6), dtype=np.float32), 0)
    weights_K = result.gate.weights(np.zeros((1, 6), dtype=np.float32))[0]
    assert weights_K[0] > 0.9
    assert np.isfinite(result.mixture_nats)


def test_mixture_constant_weights_find_the_source():
    random = np.random.default_rng(2)
    from_first = random.random(20_000) < 0.3
    tokens = np.where(from_first, random.integers(0, 2, 20_000), random.integers(2, 4, 20_000))
    first, second = np.array([0.5, 0.5, 0, 0]), np.array([0, 0, 0.5, 0.5])
    experts = np.stack([first[tokens], second[tokens]], axis=1).astype(np.float32) + 1e-9
    assert constant_weights(experts)[0] == pytest.approx(0.3, abs=0.02)


def test_mixture_gate_survives_its_file_and_refuses_another_order():
    gate = constant_gate(np.full(5, 0.2, dtype=np.float32), num_gate_features(3))
    again = gate_from_tensors(gate.tensors(), 3, "gate.safetensors")
    assert np.array_equal(again.output_bias_K, gate.output_bias_K)
    with pytest.raises(DamagedFileError):
        gate_from_tensors(gate.tensors(), 4, "gate.safetensors")
    with pytest.raises(DamagedFileError):
        gate_from_tensors({}, 3, "gate.safetensors")
