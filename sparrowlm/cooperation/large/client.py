"""A large model behind any OpenAI-style address, for asyncio; door.py has the same without.

budget, cache, circuit breaker, places   admission.py, cache.py
attempts, hedges, deadline               attempts.py
one request over HTTP                    exchange.py
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar

from sparrowlm.cooperation.large.admission import Admission
from sparrowlm.cooperation.large.answers import (
    Answer,
    Vectors,
    read_answer,
    read_vectors,
)
from sparrowlm.cooperation.large.attempts import Attempts, Json
from sparrowlm.cooperation.large.budget import Ledger
from sparrowlm.cooperation.large.cache import AnswerCache, request_key
from sparrowlm.cooperation.large.exchange import Exchange
from sparrowlm.cooperation.large.failures import LargeFailure
from sparrowlm.cooperation.large.requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    LargeRequest,
    Message,
)
from sparrowlm.cooperation.large.schema import refuse_unknown, value_in
from sparrowlm.cooperation.large.settings import LargeSettings

_Result = TypeVar("_Result")
_KEPT = ("choices", "data", "model", "usage")
_ONLY_JSON = "Answer with JSON only, no other text. JSON schema of the answer:\n"


class AsyncLargeModel:
    """Asks a large model within its limits; used from one event loop.

    Equal requests that are under way share one call; with a cache they do for ever.

    Args:
        settings: address, model, key and limits.
        ledger: what may be spent; None: no limit, and nothing is counted.
        cache: answers already paid for; None keeps none.

    Raises:
        DependencyError: httpx2 is not installed.
    """

    def __init__(
        self,
        settings: LargeSettings,
        ledger: Ledger | None = None,
        cache: AnswerCache | None = None,
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self._cache = cache
        self._exchange = Exchange(settings)
        self._admission = Admission(settings, ledger)
        self._attempts = Attempts(settings, self._exchange, self._admission)
        self._under_way: dict[bytes, asyncio.Task[tuple[Json, bool]]] = {}
        self._num_waiting: dict[bytes, int] = {}

    @property
    def breaker_state(self) -> str:
        """The circuit breaker: "closed", "open" or "half-open"."""
        return self._admission.breaker.state

    async def ask(self, request: ChatRequest | CompletionRequest) -> Answer:
        """Return the answer to a conversation or the continuation of a text.

        With a JSON schema the answer's value is what its JSON says. A server that knows no schemas
        is asked once more in words, and JSON is found among its prose.

        Args:
            request: what is asked.

        Raises:
            LargeFailure: there is no answer that can be used; its kind says why.
            SettingError: the schema has keywords that cannot be checked.
        """
        schema = request.json_schema if isinstance(request, ChatRequest) else None
        if schema is None or isinstance(request, CompletionRequest):
            return await self._within_deadline(self._ask(request))
        refuse_unknown(schema)
        return await self._within_deadline(self._ask_json(request))

    async def embed(self, request: EmbeddingRequest) -> Vectors:
        """Return vectors of texts; raises as ask."""
        num_texts = len(request.texts)

        async def found() -> Vectors:
            body, is_known = await self._shared(
                request, lambda body: read_vectors(body, self.settings, num_texts)
            )
            return read_vectors(body, self.settings, num_texts, is_from_cache=is_known)

        return await self._within_deadline(found())

    async def models(self) -> tuple[str, ...]:
        """Return the names of the models that the server has; raises as ask."""
        found = await self._within_deadline(self._exchange.send("/models", None))
        rows = found.get("data")
        if not isinstance(rows, list):
            raise LargeFailure.of("broken", url=self.settings.url, reason="data")
        return tuple(str(row["id"]) for row in rows if isinstance(row, dict) and "id" in row)

    async def stream(self, request: ChatRequest | CompletionRequest) -> AsyncGenerator[str, None]:
        """Yield an answer piece by piece; a known one comes in one piece. Raises as ask.

        Args:
            request: a schema is sent, and not checked.
        """
        deadline = self._deadline()
        key = self._key(request)
        known = await self._known(key)
        if known is not None:
            yield read_answer(known, self.settings).text
            return
        body = request.body(self.settings)
        body |= {"stream": True, "stream_options": {"include_usage": True}}
        async with aclosing(self._attempts.stream(request, body, deadline)) as pieces:
            while (piece := await self._next_piece(pieces, deadline)) is not None:
                if isinstance(piece, str):
                    yield piece
                    continue
                read_answer(piece, self.settings)
                await self._keep(key, piece)

    async def close(self) -> None:
        """Give up what is under way and close all connections."""
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)
        await self._exchange.close()

    async def __aenter__(self) -> AsyncLargeModel:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def _ask(self, request: ChatRequest | CompletionRequest) -> Answer:
        body, is_known = await self._shared(request, lambda body: read_answer(body, self.settings))
        return read_answer(body, self.settings, is_from_cache=is_known)

    async def _ask_json(self, request: ChatRequest) -> Answer:
        schema = request.json_schema or {}
        try:
            answer = await self._ask(request)
            is_found, value = value_in(answer.text, schema)
            if is_found:
                return replace(answer, value=value)
        except LargeFailure as failure:
            # Older servers refuse what they do not know.
            if failure.kind != "bad-request":
                raise
        asked = Message("system", _ONLY_JSON + json.dumps(schema, ensure_ascii=False))
        in_words = replace(request, messages=(asked, *request.messages), json_schema=None)
        answer = await self._ask(in_words)
        is_found, value = value_in(answer.text, schema)
        if not is_found:
            raise LargeFailure.of("schema", url=self.settings.url, model=answer.model)
        return replace(answer, value=value)

    async def _shared(
        self, request: LargeRequest, check: Callable[[Json], object]
    ) -> tuple[Json, bool]:
        """Return the server's JSON, asked for once, and whether it was known before."""
        key = self._key(request)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._found(key, request, check))
            self._under_way[key] = task
            self._num_waiting[key] = 0
            task.add_done_callback(lambda _task: self._forget(key))
        self._num_waiting[key] += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._num_waiting.get(key) == 1:
                # Nobody else waits for it.
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            raise
        finally:
            if key in self._num_waiting:
                self._num_waiting[key] -= 1

    async def _found(
        self, key: bytes, request: LargeRequest, check: Callable[[Json], object]
    ) -> tuple[Json, bool]:
        known = await self._known(key)
        if known is not None:
            return known, True
        answer = await self._attempts.post(request, check, self._deadline())
        await self._keep(key, answer)
        return answer, False

    def _forget(self, key: bytes) -> None:
        self._under_way.pop(key, None)
        self._num_waiting.pop(key, None)

    def _key(self, request: LargeRequest) -> bytes:
        return request_key(self.settings.url, request.endpoint, request.body(self.settings))

    async def _known(self, key: bytes) -> Json | None:
        return None if self._cache is None else await asyncio.to_thread(self._cache.find, key)

    async def _keep(self, key: bytes, answer: Json) -> None:
        if self._cache is not None:
            kept = {name: answer[name] for name in _KEPT if name in answer}
            await asyncio.to_thread(self._cache.keep, key, kept)

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.settings.patience.deadline_s

    async def _within_deadline(self, work: Awaitable[_Result]) -> _Result:
        try:
            async with asyncio.timeout(self.settings.patience.deadline_s):
                return await work
        except TimeoutError as error:
            raise self._too_late() from error

    async def _next_piece(self, pieces: AsyncIterator[Any], deadline: float) -> Any:  # noqa: ANN401
        try:
            async with asyncio.timeout_at(deadline):
                return await anext(pieces, None)
        except TimeoutError as error:
            raise self._too_late() from error

    def _too_late(self) -> LargeFailure:
        seconds = f"{self.settings.patience.deadline_s:g}"
        return LargeFailure.of("deadline", url=self.settings.url, seconds=seconds)
