"""The client of a large model for programs without asyncio: the same calls, on a loop of its own.

The loop runs in a thread that ends with the program or at close().
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

from sparrowlm.cooperation.large.answers import Answer, Vectors
from sparrowlm.cooperation.large.budget import Ledger
from sparrowlm.cooperation.large.cache import AnswerCache
from sparrowlm.cooperation.large.client import AsyncLargeModel
from sparrowlm.cooperation.large.requests import ChatRequest, CompletionRequest, EmbeddingRequest
from sparrowlm.cooperation.large.settings import LargeSettings

_Result = TypeVar("_Result")


class LargeModel:
    """Asks a large model within its limits; any number of threads may share it.

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
        self._model = AsyncLargeModel(settings, ledger, cache)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="sparrow-large-model", daemon=True
        )
        self._thread.start()

    @property
    def breaker_state(self) -> str:
        """The circuit breaker: "closed", "open" or "half-open"."""
        return self._model.breaker_state

    def ask(self, request: ChatRequest | CompletionRequest) -> Answer:
        """Return the answer; see AsyncLargeModel.ask."""
        return self._run(self._model.ask(request))

    def embed(self, request: EmbeddingRequest) -> Vectors:
        """Return vectors of texts; see AsyncLargeModel.embed."""
        return self._run(self._model.embed(request))

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that the server has; see AsyncLargeModel.models."""
        return self._run(self._model.models())

    def stream(self, request: ChatRequest | CompletionRequest) -> Iterator[str]:
        """Yield an answer piece by piece; see AsyncLargeModel.stream."""
        pieces = self._model.stream(request)

        async def following() -> str | None:
            return await anext(pieces, None)

        async def end() -> None:
            await pieces.aclose()

        try:
            while (piece := self._run(following())) is not None:
                yield piece
        finally:
            self._run(end())

    def close(self) -> None:
        """Give up what is under way, close all connections and end the thread."""
        if self._loop.is_closed():
            return
        self._run(self._ended())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> LargeModel:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    async def _ended(self) -> None:
        await self._model.close()
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # Ctrl-C ends the waiting here: the call must not go on, and cost, over there.
            future.cancel()
            raise
