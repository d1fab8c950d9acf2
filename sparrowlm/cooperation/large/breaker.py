"""A server that fails again and again is left alone for a while, then asked once.

    closed --failures in a row--> open --rest is over--> half open --probe succeeds--> closed
                                    ^                        |
                                    +-------probe fails------+  (rests twice as long)

Source: Nygard 2007, "Release It!", chapter 5 (circuit breaker).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

from sparrowlm.cooperation.large.failures import LargeFailure
from sparrowlm.cooperation.large.settings import Persistence

_LONGEST_REST_S = 60.0


class Breaker:
    """Counts failures of one server; used from one thread.

    Args:
        url: named in the failure.
        persistence: after how many failures it opens, and for how long.
        clock: monotonic seconds, replaced in tests.
    """

    def __init__(
        self, url: str, persistence: Persistence, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._persistence = persistence
        self._clock = clock
        self._num_failures = 0
        self._rest_s = persistence.breaker_rest_s
        self._opened_at: float | None = None
        self._is_probing = False

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """Whether requests may pass: all, none, or one."""
        if self._opened_at is None:
            return "closed"
        return "half-open" if self._left_s() <= 0 else "open"

    def enter(self) -> bool:
        """Let a request pass; tell its end to leave().

        Returns:
            Whether it is the one probe.

        Raises:
            LargeFailure: "breaker", while the server is left alone.
        """
        if self._opened_at is None:
            return False
        if self._left_s() > 0 or self._is_probing:
            left_s = max(self._left_s(), 0.0)
            raise LargeFailure.of("breaker", url=self._url, seconds=f"{left_s:.1f}")
        self._is_probing = True
        return True

    def leave(self, outcome: Literal["answered", "failed", "unknown"], *, is_probe: bool) -> None:
        """Take note of how a request ended.

        Args:
            outcome: "unknown" where it was given up here.
            is_probe: what enter() returned.
        """
        if is_probe:
            self._is_probing = False
        if outcome == "answered":
            self._num_failures, self._opened_at = 0, None
            self._rest_s = self._persistence.breaker_rest_s
        elif outcome == "failed":
            self._num_failures += 1
            if is_probe:
                self._rest_s = min(self._rest_s * 2, _LONGEST_REST_S)
            if is_probe or (
                self._opened_at is None and self._num_failures >= self._persistence.breaker_failures
            ):
                self._opened_at = self._clock()

    def _left_s(self) -> float:
        if self._opened_at is None:
            return 0.0
        return self._opened_at + self._rest_s - self._clock()
