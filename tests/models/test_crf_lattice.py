"""Best labels and marginals against all sequences, and native against NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.crf.constraints import FORBIDDEN, Constraints
from sparrowlm.models.crf.lattice import best_labels, expectations, marginals

ROOMS = ["0"] if native_part() is None else ["0", "1"]


def random_problem(seed: int, num_labels: int, lengths: list[int], *, masks: bool = False):
    generator = np.random.default_rng(seed)
    num_positions = sum(lengths)
    scores = generator.normal(scale=3, size=(num_positions, num_labels)).astype(np.float32)
    edges = generator.normal(scale=2, size=num_labels * (num_labels + 2))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    penalties = None
    if masks:
        allowed = generator.random((num_positions, num_labels)) < 0.6
        allowed[np.arange(num_positions), generator.integers(0, num_labels, num_positions)] = True
        penalties = np.where(allowed, 0.0, FORBIDDEN)
    return scores, starts, edges, penalties


def all_sequences(scores, edges, penalties, first, last):
    num_labels = scores.shape[1]
    square = num_labels * num_labels
    transitions = edges[:square].reshape(num_labels, num_labels)
    begin, end = edges[square : square + num_labels], edges[square + num_labels :]
    found = {}
    for labels in itertools.product(range(num_labels), repeat=last - first):
        score = begin[labels[0]] + end[labels[-1]]
        for t, label in enumerate(labels):
            score += float(scores[first + t, label])
            score += 0.0 if penalties is None else penalties[first + t, label]
            score += transitions[labels[t - 1], label] if t else 0.0
        found[labels] = score
    return found


@pytest.mark.parametrize("native", ROOMS)
@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_labels=st.integers(1, 4),
    lengths=st.lists(st.integers(0, 5), min_size=1, max_size=3),
    masks=st.booleans(),
    is_constrained=st.booleans(),
)
def test_brute_force(native, seed, num_labels, lengths, masks, is_constrained):
    scores, starts, edges, penalties = random_problem(seed, num_labels, lengths, masks=masks)
    if is_constrained:
        generator = np.random.default_rng(seed)
        rules = Constraints(
            generator.random((num_labels, num_labels)) < 0.8,
            generator.random(num_labels) < 0.8,
            generator.random(num_labels) < 0.8,
        )
        edges = edges + rules.penalties()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARROW_NATIVE", native)
        labels = best_labels(scores, starts, edges, penalties)
        probabilities = marginals(scores, starts, edges, penalties)
    for first, last in itertools.pairwise(starts):
        if first == last:
            continue
        sequences = all_sequences(scores, edges, penalties, first, last)
        best = max(sequences.values())
        got = sequences[tuple(labels[first:last])]
        # Among paths that all break rules, float64 keeps four digits behind the point.
        assert got == pytest.approx(best, abs=1e-6 if best > FORBIDDEN / 2 else 1e-2)
        if best < FORBIDDEN / 2:
            continue
        weights = np.exp(np.array(list(sequences.values())) - best)
        expected = np.zeros((last - first, num_labels))
        for sequence, weight in zip(sequences, weights / weights.sum(), strict=True):
            expected[np.arange(last - first), sequence] += weight
        np.testing.assert_allclose(probabilities[first:last], expected, atol=2e-6)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), num_labels=st.integers(2, 9), masks=st.booleans())
def test_native_equals_numpy(seed, num_labels, masks):
    if native_part() is None:
        pytest.skip("the compiled part is not built")
    lengths = np.random.default_rng(seed).integers(0, 40, 12).tolist()
    problem = random_problem(seed, num_labels, lengths, masks=masks)
    native = best_labels(*problem), marginals(*problem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARROW_NATIVE", "0")
        np.testing.assert_array_equal(best_labels(*problem), native[0])
        np.testing.assert_allclose(marginals(*problem), native[1], atol=1e-6)


def test_equal_scores_give_the_smallest_label():
    starts, edges = np.array([0, 3]), np.zeros(3 * 5)
    scores = np.zeros((3, 3), dtype=np.float32)
    for native in ROOMS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SPARROW_NATIVE", native)
            assert best_labels(scores, starts, edges).tolist() == [0, 0, 0]


def test_a_long_sentence_keeps_its_precision():
    scores, starts, edges, _ = random_problem(3, 3, [200_000])
    rules = Constraints(
        np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=bool), *2 * [np.ones(3, bool)]
    )
    labels = best_labels(scores, starts, edges + rules.penalties())
    assert rules.allows(labels.tolist())
    tail = best_labels(scores[-50:], np.array([0, 50]), edges + rules.penalties())
    assert labels[-40:].tolist() == tail[-40:].tolist()


def test_expected_edges_are_the_gradient_of_log_z():
    scores, starts, edges, _ = random_problem(5, 3, [4, 1, 6])
    whole = scores.astype(np.float64)
    found = expectations(whole, starts, edges)
    for place in range(len(edges)):
        moved = edges.copy()
        moved[place] += 1e-5
        slope = (expectations(whole, starts, moved).log_z - found.log_z) / 1e-5
        assert slope == pytest.approx(found.edges[place], abs=1e-3)
