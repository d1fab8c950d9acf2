"""Sampling against its definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.runtime.sampling import SamplingSettings, distribution, draw

logits = arrays(np.float32, st.integers(1, 40), elements=st.floats(-12, 12, width=32))


def softmax(logits_V: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits_V.astype(np.float64) - logits_V.max())
    return shifted / shifted.sum()


@given(logits)
def test_sampling_without_dials_is_softmax(logits_V):
    found_V = distribution(logits_V, SamplingSettings())
    assert np.allclose(found_V, softmax(logits_V), atol=1e-12)


@given(logits, st.floats(0.05, 5))
def test_sampling_temperature_divides_logits(logits_V, temperature):
    found_V = distribution(logits_V, SamplingSettings(temperature=temperature))
    assert np.allclose(found_V, softmax(logits_V.astype(np.float64) / temperature), atol=1e-9)


@given(logits)
def test_sampling_at_temperature_zero_takes_the_first_of_the_likeliest(logits_V):
    generator = random_generator(0, "test")
    found = draw(logits_V, SamplingSettings(temperature=0, top_k=3, top_p=0.5), generator)
    assert found == int(logits_V.argmax())


@given(logits, st.integers(1, 50))
def test_sampling_top_k_keeps_the_k_likeliest(logits_V, k):
    found_V = distribution(logits_V, SamplingSettings(top_k=k))
    kept = found_V > 0
    assert kept.sum() == min(k, len(logits_V))
    if not kept.all():
        assert logits_V[kept].min() >= logits_V[~kept].max() - 1e-6
    expected_V = np.where(kept, softmax(logits_V), 0)
    assert np.allclose(found_V, expected_V / expected_V.sum())


@given(logits, st.floats(0.01, 1.0))
def test_sampling_top_p_keeps_the_smallest_sufficient_set(logits_V, p):
    full_V = softmax(logits_V)
    found_V = distribution(logits_V, SamplingSettings(top_p=p))
    kept = found_V > 0
    assert full_V[kept].sum() >= p - 1e-9
    # No set with fewer ids reaches p (but for rounding), and none of the likelier ids is left out.
    fewer = np.sort(full_V)[::-1][: kept.sum() - 1]
    assert p == 1.0 or fewer.sum() < p + 1e-6
    if not kept.all():
        assert full_V[kept].min() >= full_V[~kept].max() - 1e-12
    assert np.isclose(found_V.sum(), 1)


@given(logits, st.floats(0, 1))
def test_sampling_min_p_keeps_what_is_likely_enough(logits_V, p):
    full_V = softmax(logits_V)
    found_V = distribution(logits_V, SamplingSettings(min_p=p))
    clear = np.abs(full_V - p * full_V.max()) > 1e-12
    assert np.array_equal((found_V > 0)[clear], (full_V >= p * full_V.max())[clear])


@given(logits, st.floats(1.01, 3), st.data())
def test_sampling_repetition_penalty_multiplies_log_probabilities(logits_V, penalty, data):
    recent = data.draw(st.lists(st.integers(0, len(logits_V) - 1), min_size=1, max_size=9))
    found_V = distribution(logits_V, SamplingSettings(repetition_penalty=penalty), recent)
    logs_V = np.log(softmax(logits_V))
    logs_V[list(set(recent))] *= penalty
    assert np.allclose(found_V, softmax(logs_V), atol=1e-9)
    shifted_V = distribution(
        logits_V + np.float32(64), SamplingSettings(repetition_penalty=penalty), recent
    )
    assert np.allclose(found_V, shifted_V, atol=1e-4)  # logits may be shifted


def test_sampling_repetition_looks_back_sixty_four_ids():
    logits_V = np.zeros(3, dtype=np.float32)
    settings_ = SamplingSettings(repetition_penalty=2.0)
    found_V = distribution(logits_V, settings_, [0] + [1] * 64)
    assert found_V[0] == found_V[2] > found_V[1]


@given(logits, st.data())
def test_sampling_never_draws_what_is_not_allowed(logits_V, data):
    allowed = data.draw(arrays(np.bool_, len(logits_V)).filter(lambda mask: mask.any()))
    generator = random_generator(1, "test")
    for choice in (SamplingSettings(), SamplingSettings(temperature=0), SamplingSettings(top_k=2)):
        assert allowed[draw(logits_V, choice, generator, (), allowed)]


def test_sampling_frequencies_match_the_distribution():
    logits_V = np.array([2.0, 1.0, 0.0, -1.0, 0.5, 1.7], dtype=np.float32)
    choice = SamplingSettings(temperature=0.8, top_p=0.95)
    expected_V = distribution(logits_V, choice)
    generator = random_generator(3, "test")
    drawn = np.bincount([draw(logits_V, choice, generator) for _ in range(20_000)], minlength=6)
    assert not drawn[expected_V == 0].any()
    kept = expected_V > 0
    expected = expected_V[kept] * 20_000
    chi_square = float(((drawn[kept] - expected) ** 2 / expected).sum())
    assert (
        chi_square < 20.5
    )  # 4 degrees of freedom: exceeded once in 2,500 seeds; this one is fixed


@given(seed=st.integers(0, 2**63 - 1))
@settings(max_examples=20)
def test_sampling_with_a_seed_is_repeatable(seed):
    logits_V = np.linspace(-1, 1, 200, dtype=np.float32)
    one, other = random_generator(seed, "sample 0"), random_generator(seed, "sample 0")
    settings_ = SamplingSettings()
    assert [draw(logits_V, settings_, one) for _ in range(8)] == [
        draw(logits_V, settings_, other) for _ in range(8)
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -0.1}, {"temperature": float("nan")}, {"temperature": float("inf")},
        {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}, {"min_p": -0.1}, {"min_p": 1.5},
        {"repetition_penalty": 0.0}, {"repetition_penalty": float("inf")},
    ],
)  # fmt: skip
def test_sampling_refuses_settings_without_meaning(wrong):
    with pytest.raises(SettingError) as refused:
        SamplingSettings(**wrong)
    assert next(iter(wrong)) in refused.value.sentence("en")
    assert next(iter(wrong)) in refused.value.sentence("zh")


@given(logits, st.floats(-2, 2), st.floats(-2, 2), st.data())
def test_sampling_penalties_and_biases_shift_logits(logits_V, presence, frequency, data):
    ids = st.integers(0, len(logits_V) - 1)
    counts = data.draw(st.dictionaries(ids, st.integers(1, 5), max_size=4))
    biases = data.draw(st.dictionaries(ids, st.floats(-100, 100), max_size=4))
    wishes = SamplingSettings(
        presence_penalty=presence, frequency_penalty=frequency,
        logit_bias=(*biases.items(), (10**6, 50.0)),
    )  # fmt: skip
    shifted_V = logits_V.astype(np.float64)
    for token_id, bias in biases.items():
        shifted_V[token_id] += bias
    for token_id, count in counts.items():
        shifted_V[token_id] -= presence + count * frequency
    found_V = distribution(logits_V, wishes, (), None, counts)
    assert np.allclose(found_V, softmax(shifted_V), atol=1e-9)
    before_V = logits_V.copy()
    greedy = SamplingSettings(
        temperature=0, presence_penalty=presence, frequency_penalty=frequency,
        logit_bias=tuple(biases.items()),
    )  # fmt: skip
    drawn = draw(logits_V, greedy, random_generator(0, "test"), (), None, counts)
    assert shifted_V[drawn] >= shifted_V.max() - 1e-4
    assert np.array_equal(logits_V, before_V)  # what was given stays as it is


@pytest.mark.parametrize(
    "wishes",
    [{"presence_penalty": 2.1}, {"frequency_penalty": -3}, {"logit_bias": ((1, 101.0),)}],
)
def test_sampling_refuses_penalties_and_biases_out_of_range(wishes):
    with pytest.raises(SettingError):
        SamplingSettings(**wishes)
