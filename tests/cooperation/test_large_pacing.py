from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.cooperation.large.breaker import Breaker
from sparrowlm.cooperation.large.failures import LargeFailure
from sparrowlm.cooperation.large.pacing import Latencies, asked_wait_s, wait_s
from sparrowlm.cooperation.large.settings import Persistence


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def failed(breaker):
    breaker.leave("failed", is_probe=breaker.enter())


def test_breaker_opens_rests_probes_and_recovers(clock):
    breaker = Breaker("http://x", Persistence(breaker_failures=5, breaker_rest_s=2.0), clock)
    for _ in range(4):
        failed(breaker)
    assert breaker.state == "closed"
    failed(breaker)
    assert breaker.state == "open"
    with pytest.raises(LargeFailure) as caught:
        breaker.enter()
    assert caught.value.kind == "breaker"
    clock.now = 2.0
    assert breaker.state == "half-open"
    assert breaker.enter() is True
    with pytest.raises(LargeFailure):
        breaker.enter()  # one probe at a time
    breaker.leave("failed", is_probe=True)
    clock.now = 5.9
    assert breaker.state == "open"  # rests twice as long
    clock.now = 6.0
    breaker.leave("answered", is_probe=breaker.enter())
    assert breaker.state == "closed"
    assert breaker.enter() is False


def test_breaker_forgets_failures_after_an_answer(clock):
    breaker = Breaker("http://x", Persistence(breaker_failures=2), clock)
    for _ in range(5):
        failed(breaker)
        breaker.leave("answered", is_probe=breaker.enter())
    assert breaker.state == "closed"


def test_breaker_a_probe_given_up_lets_the_next_one_probe(clock):
    breaker = Breaker("http://x", Persistence(breaker_failures=1, breaker_rest_s=1.0), clock)
    failed(breaker)
    clock.now = 1.0
    breaker.leave("unknown", is_probe=breaker.enter())
    assert breaker.enter() is True


@given(st.integers(1, 20), st.floats(0, 1000))
def test_pacing_waits_within_its_bounds(num_failed, asked_s):
    patience = Persistence(first_wait_s=0.5, longest_wait_s=8.0)
    waited = wait_s(patience, num_failed, asked_s)
    assert asked_s <= waited <= asked_s + 8
    if asked_s == 0:
        assert waited <= 0.5 * 2 ** (num_failed - 1)


def test_pacing_reads_retry_after_as_seconds_and_as_date():
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < asked_wait_s(format_datetime(soon, usegmt=True)) <= 30
    assert asked_wait_s("1.5") == 1.5
    for nothing in (None, "", "-3", "nan", "inf", "tomorrow", "Wed, 99 Foo"):
        assert asked_wait_s(nothing) == 0.0


def test_pacing_knows_what_is_slow_after_twenty_answers():
    latencies = Latencies()
    for number in range(19):
        latencies.add(float(number))
    assert latencies.slow_s() is None
    latencies.add(19.0)
    assert latencies.slow_s() == 19
