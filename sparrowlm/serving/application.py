"""The server as an ASGI application: who may ask, what is asked, and what comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import parse_qs

from sparrowlm.foundation.errors import SparrowError
from sparrowlm.serving.access import Caller, Gate
from sparrowlm.serving.answers.models import answer_model, answer_models
from sparrowlm.serving.answers.service import Service
from sparrowlm.serving.answers.tasks import answer_tokenizer_info
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.description import description
from sparrowlm.serving.exchange import ClientGone, Exchange, Receive, Scope, Send
from sparrowlm.serving.metrics import CONTENT_TYPE
from sparrowlm.serving.pages import PAGES, page_headers
from sparrowlm.serving.routes import ROUTES

_LOGGER = logging.getLogger("sparrowlm.serving")
_OPEN_PATHS = frozenset(("/health", "/ready", *PAGES))
_MODELS = "/v1/models"


class Application:
    """Answers requests.

    Args:
        service: models, limits, counters.
        gate: who may ask.

    Attributes:
        is_ready: whether everything that should be is loaded; False again while it ends.
        failure: why it could not begin.
    """

    def __init__(self, service: Service, gate: Gate) -> None:
        self._service = service
        self._gate = gate
        self.is_ready = False
        self.failure: SparrowError | None = None
        self._gets: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            "/health": self._health, "/ready": self._ready, "/metrics": self._metrics,
            "/openapi.json": self._description, "/tokenizer_info": self._tokenizer_info,
            _MODELS: self._models,
        }  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        exchange = Exchange(scope, receive, send, self._service.limits)
        began_at = time.monotonic()
        try:
            await self._serve(exchange)
        except ClientGone:
            exchange.status = 499
            self._service.metrics.dropped.inc()
        self._count(exchange, began_at)

    async def _serve(self, exchange: Exchange) -> None:
        try:
            self._gate.check_place(exchange.headers, exchange.scope["scheme"])
            self._allow_origin(exchange)
            if exchange.scope["method"] == "OPTIONS":
                await exchange.answer_bytes(b"", "text/plain", 204)
                return
            await self._dispatch(exchange)
        except SparrowError as error:
            if exchange.status:
                _LOGGER.error("answer broke off: %s, %s", exchange.scope["path"][:100], error.code)
                exchange.abort()
                return
            await exchange.refuse(error)
        except ClientGone:
            raise
        except Exception:
            # Nothing of what was asked may stand in the log: the place in our code says enough.
            _LOGGER.exception("request failed: %s", exchange.scope["path"][:100])
            if exchange.status:
                exchange.abort()
                return
            await exchange.refuse(Refusal(500, "serving.unexpected"))

    async def _dispatch(self, exchange: Exchange) -> None:
        path, method = exchange.scope["path"], exchange.scope["method"]
        is_get = method in ("GET", "HEAD")
        if path in PAGES and is_get:
            for name, value in page_headers().items():
                exchange.add_header(name, value)
            await exchange.answer_bytes(*PAGES[path]())
            return
        caller = None if path in _OPEN_PATHS else self._gate.caller(exchange.headers)
        route = ROUTES.get(path)
        if route is not None and method == "POST" and caller is not None:
            await self._ask(exchange, caller)
        elif path in self._gets and is_get:
            await self._gets[path](exchange)
        elif path.startswith(_MODELS + "/") and is_get:
            name = path.removeprefix(_MODELS + "/")
            await exchange.answer(await answer_model(self._service, name))
        elif route is not None or path in self._gets or path in PAGES:
            exchange.add_header("allow", "POST" if route is not None else "GET")
            raise Refusal(405, "serving.method", received=method)
        else:
            raise Refusal(404, "serving.path", received=path[:100])

    async def _ask(self, exchange: Exchange, caller: Caller) -> None:
        """Answer a request with a body, unless its client goes away."""
        route = ROUTES[exchange.scope["path"]]
        if not self.is_ready:
            raise Refusal(503, "serving.closing", retry_after_seconds=1)
        caller.ask()
        request = await exchange.read(route.request)

        async def work() -> None:
            answer = await route.handler(self._service, caller, request)
            if not hasattr(answer, "chunks"):
                await exchange.answer(answer)
            elif answer.is_stream:
                await exchange.stream(answer.chunks(), is_named=route.is_named)
            else:
                await exchange.answer(await answer.whole())

        await self._while_wanted(exchange, work())

    async def _while_wanted(self, exchange: Exchange, work: Awaitable[None]) -> None:
        """Do some work until it is done, its client has gone, or it takes too long."""
        working = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(exchange.until_gone())
        seconds = self._service.limits.request_seconds
        try:
            await asyncio.wait(
                (working, watching), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if working.done():
                await working
            elif watching.done():
                raise ClientGone
            else:
                raise Refusal(504, "serving.too-slow", most=f"{seconds:g}")
        finally:
            for task in (working, watching):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task

    async def _live(self, receive: Receive, send: Send) -> None:
        """Load models before the first request and let them end after the last."""
        await receive()
        try:
            await self._service.shelf.preload()
        except SparrowError as error:
            self.failure = error
            await send({"type": "lifespan.startup.failed", "message": error.code})
            return
        self.is_ready = True
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.is_ready = False
        await self._service.shelf.close()
        await send({"type": "lifespan.shutdown.complete"})

    def _allow_origin(self, exchange: Exchange) -> None:
        origin = exchange.headers.get("origin")
        if origin is None:
            return
        exchange.add_header("access-control-allow-origin", origin)
        exchange.add_header("access-control-allow-headers", "authorization, content-type")
        exchange.add_header("access-control-allow-methods", "GET, POST, OPTIONS")
        exchange.add_header("vary", "origin")

    def _count(self, exchange: Exchange, began_at: float) -> None:
        path = exchange.scope["path"]
        known = path if path in ROUTES or path in self._gets or path in PAGES else "other"
        self._service.metrics.requests.labels(known, str(exchange.status)).inc()
        self._service.metrics.seconds.labels(known).observe(time.monotonic() - began_at)

    async def _health(self, exchange: Exchange) -> None:
        await exchange.answer({"status": "ok"})

    async def _ready(self, exchange: Exchange) -> None:
        status = 200 if self.is_ready else 503
        await exchange.answer({"status": "ready" if self.is_ready else "not ready"}, status)

    async def _metrics(self, exchange: Exchange) -> None:
        page = self._service.metrics.page(self._service.shelf)
        await exchange.answer_bytes(page, CONTENT_TYPE)

    async def _description(self, exchange: Exchange) -> None:
        await exchange.answer(description())

    async def _models(self, exchange: Exchange) -> None:
        await exchange.answer(answer_models(self._service))

    async def _tokenizer_info(self, exchange: Exchange) -> None:
        query = parse_qs(exchange.scope["query_string"].decode("latin-1"))
        wanted = query.get("model", [""])[0]
        await exchange.answer(await answer_tokenizer_info(self._service, wanted))
