"""A call: attempts until one succeeds, none may follow, or the deadline is too near."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

from sparrowlm.cooperation.large.admission import Admission, Seat
from sparrowlm.cooperation.large.exchange import Exchange
from sparrowlm.cooperation.large.failures import FailureKind, LargeFailure
from sparrowlm.cooperation.large.pacing import wait_s
from sparrowlm.cooperation.large.requests import LargeRequest
from sparrowlm.cooperation.large.settings import LargeSettings
from sparrowlm.cooperation.large.streamed import StreamedAnswer

Json = dict[str, Any]
_Result = TypeVar("_Result")
# An attempt ends a little before its call does, so that its failure is known by its own name.
_SHARE_FOR_ENDING = 0.02


class Attempts:
    """Sends requests of one client.

    Args:
        settings: of the large model.
        exchange: carries them.
        admission: counts them.
    """

    def __init__(self, settings: LargeSettings, exchange: Exchange, admission: Admission) -> None:
        self._settings = settings
        self._exchange = exchange
        self._admission = admission

    async def post(
        self, request: LargeRequest, check: Callable[[Json], object], deadline: float
    ) -> Json:
        """Return the server's JSON.

        Args:
            request: what is asked.
            check: raises a LargeFailure for JSON that is no answer.
            deadline: moment of the loop's clock.

        Raises:
            LargeFailure: of the last attempt.
        """
        body = request.body(self._settings)

        async def once() -> Json:
            async with self._admission.admitted(request, self._end(deadline)) as seat:
                sent = self._exchange.send(request.endpoint, body)
                answer = await self._within(seat, sent)
                check(answer)
                seat.answer = answer
                return answer

        last: LargeFailure | None = None
        for number in range(1, self._settings.persistence.max_attempts + 1):
            try:
                return await self._hedged(once)
            except LargeFailure as failure:
                # Shut out after failures of one's own: these say more than the closed door.
                last = last if last is not None and failure.kind == "breaker" else failure
                if not await self._may_follow(failure, number, deadline):
                    break
        raise last or AssertionError

    async def stream(
        self, request: LargeRequest, body: Mapping[str, Any], deadline: float
    ) -> AsyncGenerator[str | Json, None]:
        """Yield pieces of text, and last the whole as the server's JSON.

        Args:
            request: what is asked.
            body: its JSON, with the wish for a stream.
            deadline: moment of the loop's clock.

        Raises:
            LargeFailure: of the last attempt; none follows once a piece was given.
        """
        for number in range(1, self._settings.persistence.max_attempts + 1):
            has_given = False
            try:
                async with aclosing(self._stream_once(request, body, deadline)) as pieces:
                    async for piece in pieces:
                        has_given = True
                        yield piece
                return
            except LargeFailure as failure:
                if has_given or not await self._may_follow(failure, number, deadline):
                    raise

    async def _stream_once(
        self, request: LargeRequest, body: Mapping[str, Any], deadline: float
    ) -> AsyncGenerator[str | Json, None]:
        is_chat = request.endpoint.startswith("/chat")
        async with self._admission.admitted(request, self._end(deadline)) as seat:
            whole = StreamedAnswer(self._settings, is_chat=is_chat)
            async with aclosing(self._exchange.stream(request.endpoint, body)) as events:
                while (event := await self._within(seat, anext(events, None))) is not None:
                    text = whole.take(event)
                    if text:
                        yield text
            seat.answer = answer = whole.body()
        yield answer

    async def _within(self, seat: Seat, work: Awaitable[_Result]) -> _Result:
        try:
            async with asyncio.timeout_at(seat.until):
                return await work
        except TimeoutError as error:
            deadline_s = self._settings.patience.deadline_s
            # Who waited long for a place and had little time left cannot blame the server.
            kind: FailureKind = "timeout" if seat.given_s >= deadline_s / 2 else "deadline"
            fields = {"url": self._settings.url, "seconds": f"{deadline_s:g}"}
            raise LargeFailure.of(kind, **fields) from error

    async def _may_follow(self, failure: LargeFailure, number: int, deadline: float) -> bool:
        """Wait and say True where another attempt makes sense and has the time."""
        persistence = self._settings.persistence
        if not failure.is_retryable or number >= persistence.max_attempts:
            return False
        pause_s = wait_s(persistence, number, failure.retry_after_s)
        if asyncio.get_running_loop().time() + pause_s >= self._end(deadline):
            return False
        await asyncio.sleep(pause_s)
        return True

    async def _hedged(self, once: Callable[[], Awaitable[Json]]) -> Json:
        """Ask a second time where the first answer is late; the first that comes is taken."""
        after_s = self._settings.patience.hedge_after_s
        if after_s is None:
            after_s = self._admission.latencies.slow_s()
        if not after_s:
            return await once()
        tasks = [asyncio.ensure_future(once())]
        try:
            done, _ = await asyncio.wait(tasks, timeout=after_s)
            if done:
                return await tasks[0]
            tasks.append(asyncio.ensure_future(once()))
            for next_done in asyncio.as_completed(tasks):
                try:
                    return await next_done
                except LargeFailure:
                    continue
            return await tasks[0]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _end(self, deadline: float) -> float:
        return deadline - _SHARE_FOR_ENDING * self._settings.patience.deadline_s
