"""The hidden Markov model: counts, unknown observations, files."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.hashing import mixed
from sparrowlm.models.crf.constraints import Constraints
from sparrowlm.models.hmm import HiddenMarkovModel, levels_of


def sampled(seed: int, num_positions: int = 4000):
    """A chain of two labels that stay; each shows its own symbols, and a coarse kind of them."""
    generator = np.random.default_rng(seed)
    labels = np.zeros(num_positions, dtype=np.int32)
    for t in range(1, num_positions):
        labels[t] = labels[t - 1] if generator.random() < 0.9 else 1 - labels[t - 1]
    symbols = generator.integers(0, 50, num_positions) + 50 * (
        labels ^ (generator.random(num_positions) < 0.2)
    )
    fine, coarse = mixed(symbols), mixed(symbols // 50 + 1000)
    starts = np.arange(0, num_positions + 1, 40, dtype=np.int64)
    return levels_of([fine, coarse]), starts, labels


def test_the_chain_helps():
    observations, starts, labels = sampled(1)
    model = HiddenMarkovModel.train(observations, starts, labels, 2)
    new, new_starts, truth = sampled(2)
    found = model.decode(new, new_starts)
    assert (found == truth).mean() > 0.85
    alone = model.scores(new).argmax(axis=1)
    assert (alone == truth).mean() < 0.83


def test_unknown_symbols_are_judged_by_their_kind():
    observations, starts, labels = sampled(1)
    model = HiddenMarkovModel.train(observations, starts, labels, 2)
    new, new_starts, truth = sampled(2)
    new[:, 0] = mixed(np.arange(len(new)) + 10_000)
    assert (model.decode(new, new_starts) == truth).mean() > 0.84
    new[:, 1] = 0
    assert set(model.decode(new, new_starts)) <= {0, 1}


def test_constraints_hold():
    observations, starts, labels = sampled(1)
    model = HiddenMarkovModel.train(observations, starts, labels, 2)
    never = np.array([[True, False], [True, True]])
    rules = Constraints(never, np.array([True, False]), np.array([True, True]))
    found = model.decode(observations, starts, rules)
    for first, last in pairwise(starts):
        assert rules.allows(found[first:last].tolist())


def test_arrays_give_the_same_model():
    observations, starts, labels = sampled(1)
    model = HiddenMarkovModel.train(observations, starts, labels, 2)
    same = HiddenMarkovModel.of_arrays(model.arrays())
    np.testing.assert_array_equal(
        same.decode(observations, starts), model.decode(observations, starts)
    )


def test_probabilities_of_labels_sum_to_one():
    observations, starts, labels = sampled(1)
    model = HiddenMarkovModel.train(observations, starts, labels, 2)
    for shares in model.shares:
        np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-5)
    # A border follows a label with the rest of the probability.
    square = np.exp(model.edges[:4].reshape(2, 2)).sum(axis=1) + np.exp(model.edges[6:])
    np.testing.assert_allclose(square, 1.0, atol=1e-6)


def test_nothing_to_count_is_refused():
    nothing = np.zeros((0, 1), np.uint64)
    with pytest.raises(DataError):
        HiddenMarkovModel.train(nothing, np.zeros(1, np.int64), np.zeros(0, np.int32), 2)
