"""Tails and bounds of counts, beside scipy's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sparrowlm.cooperation.binomial import chance_of_so_few, fewest_answers, upper_bound

RATES = st.floats(1e-4, 0.9999)
COUNTS = st.integers(0, 3000)


@given(num_answers=COUNTS, share=st.floats(0, 1), rate=RATES)
def test_tail_equals_scipy(num_answers, share, rate):
    num_errors = int(share * num_answers)
    ours = chance_of_so_few(num_errors, num_answers, rate)
    assert ours == pytest.approx(
        stats.binom.cdf(num_errors, num_answers, rate), rel=1e-8, abs=1e-300
    )


@given(
    num_answers=st.integers(1, 3000), share=st.floats(0, 0.999), confidence=st.floats(0.5, 0.999)
)
def test_bound_equals_the_beta_quantile(num_answers, share, confidence):
    num_errors = min(int(share * num_answers), num_answers - 1)
    expected = stats.beta.ppf(confidence, num_errors + 1, num_answers - num_errors)
    assert upper_bound(num_errors, num_answers, confidence) == pytest.approx(expected, rel=1e-9)


def test_bound_of_nothing_is_no_bound():
    assert upper_bound(0, 0, 0.9) == 1.0
    assert upper_bound(7, 7, 0.9) == 1.0
    assert chance_of_so_few(0, 0, 0.05) == 1.0


@given(max_error=st.floats(0.005, 0.5), confidence=st.floats(0.5, 0.99), rate=st.floats(0, 0.6))
def test_fewest_answers_suffice_and_hardly_fewer_do(max_error, confidence, rate):
    number = fewest_answers(max_error, confidence, rate)
    if rate >= max_error:
        assert number is None
        return
    if max_error - rate < 0.1 * max_error:
        return  # millions of answers: right, and slow to count

    def proves(count):
        import math

        return chance_of_so_few(math.ceil(rate * count), count, max_error) <= 1 - confidence

    assert proves(number)
    # Errors are whole, so that a few smaller numbers may do as well; half of them do not.
    assert not proves(max(number // 2, 1)) or number <= 2


def test_fewest_answers_known_figures():
    # The rule of three, exactly: ln .1 / ln .95 = 44.9
    assert fewest_answers(0.05, 0.9) == 45
    assert fewest_answers(0.01, 0.95) == 299
