"""What stands before every single request: a free place, the circuit breaker, the budget."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from sparrowlm.cooperation.large.answers import read_usage
from sparrowlm.cooperation.large.breaker import Breaker
from sparrowlm.cooperation.large.budget import Ledger, Reservation, Spending
from sparrowlm.cooperation.large.failures import LargeFailure
from sparrowlm.cooperation.large.pacing import Latencies
from sparrowlm.cooperation.large.requests import LargeRequest
from sparrowlm.cooperation.large.settings import LargeSettings


@dataclass(slots=True)
class Seat:
    """Leave for one request.

    Attributes:
        until: moment of the loop's clock by which it must be over.
        given_s: how long that was when it began.
        answer: the server's JSON, set by whom it reached.
    """

    until: float
    given_s: float
    answer: Mapping[str, Any] | None = None


class Admission:
    """Lets requests pass one by one and notes how each ended.

    Args:
        settings: of the large model.
        ledger: None where there is no budget.
    """

    def __init__(self, settings: LargeSettings, ledger: Ledger | None) -> None:
        self.latencies = Latencies()
        self.breaker = Breaker(settings.url, settings.persistence)
        self._places = asyncio.Semaphore(settings.max_concurrent)
        self._ledger = ledger

    @asynccontextmanager
    async def admitted(self, request: LargeRequest, deadline: float) -> AsyncIterator[Seat]:
        """Yield leave for one request.

        Args:
            request: what will be sent.
            deadline: moment of the loop's clock.

        Raises:
            LargeFailure: "breaker" or "budget"; nothing was sent then.
        """
        async with self._places:
            is_probe = self.breaker.enter()
            outcome: Literal["answered", "failed", "unknown"] = "unknown"
            try:
                reservation, until = await self._reserve(request, deadline)
                seat = Seat(until, until - asyncio.get_running_loop().time())
                began_s = time.monotonic()
                try:
                    yield seat
                except LargeFailure as failure:
                    outcome = _outcome(failure)
                    await self._settle_failed(reservation, failure, time.monotonic() - began_s)
                    raise
                outcome = "answered"
                took_s = time.monotonic() - began_s
                self.latencies.add(took_s)
                await self._settle(reservation, seat.answer or {}, took_s)
            finally:
                self.breaker.leave(outcome, is_probe=is_probe)

    async def _reserve(
        self, request: LargeRequest, deadline: float
    ) -> tuple[Reservation | None, float]:
        if self._ledger is None:
            return None, deadline
        now = asyncio.get_running_loop().time()
        left_ms = max(int((deadline - now) * 1000), 1)
        most_read, most_written = request.most_tokens()
        reserve = self._ledger.reserve
        reservation = await asyncio.to_thread(reserve, most_read, most_written, left_ms)
        return reservation, min(deadline, now + reservation.most.milliseconds / 1000)

    async def _settle_failed(
        self, reservation: Reservation | None, failure: LargeFailure, took_s: float
    ) -> None:
        """Take money back where a failure surely cost none."""
        if self._ledger is None or reservation is None or not failure.is_free:
            return
        is_sent = failure.kind != "connect"
        actual = Spending(calls=int(is_sent), milliseconds=int(took_s * 1000))
        await asyncio.to_thread(self._ledger.settle, reservation, actual)

    async def _settle(
        self, reservation: Reservation | None, answer: Mapping[str, Any], took_s: float
    ) -> None:
        if self._ledger is None or reservation is None:
            return
        milliseconds = int(took_s * 1000)
        usage = read_usage(answer)
        if usage is None:
            # Not counted by the server: what was reserved stays, it is the most there can be.
            most = reservation.most
            actual = Spending(1, most.cost_nano, most.tokens, milliseconds)
        else:
            cost_nano = self._ledger.budget.prices.cost_nano(usage.num_read, usage.num_written)
            tokens = usage.num_read + usage.num_written
            actual = Spending(1, cost_nano, tokens, milliseconds)
        await asyncio.to_thread(self._ledger.settle, reservation, actual)


def _outcome(failure: LargeFailure) -> Literal["answered", "failed", "unknown"]:
    if failure.is_the_server:
        return "failed"
    # Whoever refuses a request is there.
    return "answered" if failure.kind == "bad-request" else "unknown"
