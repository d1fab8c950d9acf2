"""When to try again, and when to ask a second time meanwhile.

Source: Brooker 2015, "Exponential backoff and jitter" (AWS Architecture Blog), full jitter; Dean
and Barroso 2013, "The tail at scale", Communications of the ACM 56(2) (hedged requests).
"""

from __future__ import annotations

import random
from collections import deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from sparrowlm.cooperation.large.settings import Persistence

_FEWEST_LATENCIES = 20
_MOST_LATENCIES = 200


class Latencies:
    """How long the latest answers took."""

    def __init__(self) -> None:
        self._latest_s: deque[float] = deque(maxlen=_MOST_LATENCIES)

    def add(self, seconds: float) -> None:
        """Remember one."""
        self._latest_s.append(seconds)

    def slow_s(self) -> float | None:
        """Return the time within which 95 % came; None while too few are known."""
        if len(self._latest_s) < _FEWEST_LATENCIES:
            return None
        ordered = sorted(self._latest_s)
        return ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]


def wait_s(persistence: Persistence, num_failed: int, retry_after_s: float) -> float:
    """Return how long to wait before the next attempt.

    Args:
        persistence: the usual waits.
        num_failed: attempts so far, >= 1.
        retry_after_s: what the server asked for; never less is waited.
    """
    most_s = min(persistence.longest_wait_s, persistence.first_wait_s * 2 ** (num_failed - 1))
    drawn_s = random.uniform(0, most_s)
    # All who were turned away together must not come back together.
    return retry_after_s + drawn_s * 0.1 if retry_after_s else drawn_s


def asked_wait_s(retry_after: str | None) -> float:
    """Read a Retry-After header: seconds or a date.

    >>> asked_wait_s("2"), asked_wait_s("soon"), asked_wait_s(None)
    (2.0, 0.0, 0.0)
    """
    if not retry_after:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            moment = parsedate_to_datetime(retry_after)
        except ValueError:
            return 0.0
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return seconds if 0 < seconds < float("inf") else 0.0
