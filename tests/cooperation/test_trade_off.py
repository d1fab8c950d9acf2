"""The curve beside a count by hand, and its page."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.cooperation.trade_off import trade_off


def drawn(seed, count, small=0.8, large=0.95):
    random = np.random.default_rng(seed)
    scores = random.random(count)
    small_right = random.random(count) < np.clip(small - 0.4 + 0.8 * scores, 0, 1)
    return scores, small_right, random.random(count) < large


@given(seed=st.integers(0, 50), count=st.integers(1, 200))
def test_curve_equals_a_count_by_hand(seed, count):
    scores, small, large = drawn(seed, count)
    found = trade_off(scores, small, large)
    order = np.argsort(scores)
    by_hand = []
    for num_calls in range(count + 1):
        asked = np.isin(np.arange(count), order[:num_calls])
        by_hand.append(np.where(asked, large, small).mean())
    assert found.small_accuracy == pytest.approx(by_hand[0])
    assert found.large_accuracy == pytest.approx(by_hand[-1])
    expected = np.interp(np.linspace(0, 1, 101), np.linspace(0, 1, count + 1), by_hand)
    np.testing.assert_allclose(found.accuracy_C, expected, atol=1e-12)
    if by_hand[-1] > by_hand[0]:
        gained = (np.array(by_hand) - by_hand[0]) / (by_hand[-1] - by_hand[0])
        area = np.mean((gained[1:] + gained[:-1]) / 2)
        assert found.average_gap_recovered == pytest.approx(area)
        for share, calls in found.calls_for_gap.items():
            place = round(calls * count)
            assert gained[place] >= share
            assert (gained[:place] < share).all()
    else:
        assert found.average_gap_recovered is None
        assert found.calls_for_gap is None


def test_questions_drawn_by_chance_recover_half_and_good_ones_more():
    _scores, small, large = drawn(0, 20_000)
    by_chance = trade_off(np.random.default_rng(1).random(20_000), small, large)
    assert by_chance.average_gap_recovered == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(by_chance.accuracy_C, by_chance.random_accuracy_C, atol=0.01)
    scores, small, large = drawn(0, 20_000)
    assert trade_off(scores, small, large).average_gap_recovered > 0.8
    oracle = trade_off(small.astype(float), small, large)
    assert oracle.average_gap_recovered > trade_off(scores, small, large).average_gap_recovered


def test_policy_figures_and_money():
    scores, small, large = drawn(3, 1000)
    kept = scores >= 0.3
    found = trade_off(scores, small, large, kept, cost_per_call=0.02)
    assert found.policy_calls == pytest.approx(1 - kept.mean())
    assert found.policy_accuracy == pytest.approx(np.where(kept, small, large).mean())
    assert found.cost(found.policy_calls) == pytest.approx(1000 * found.policy_calls * 0.02)
    assert found.as_json()["cost_per_1000_without"] == pytest.approx(20)
