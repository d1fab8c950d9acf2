"""One request and its answer over ASGI: read within limits, written as JSON or as events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from typing import Any, TypeVar

import msgspec

from sparrowlm.foundation.errors import SparrowError
from sparrowlm.serving.complaints import (
    Refusal,
    complaint,
    decoded,
    headers_of,
    language_of,
    status_of,
)
from sparrowlm.serving.settings import Limits

Scope = dict[str, Any]
Receive = Any
Send = Any
_Body = TypeVar("_Body")
_JSON = "application/json"
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 * 1024 * 1024
_EVENTS = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


class ClientGone(Exception):
    """The client has closed its connection."""


class Exchange:
    """One request and its answer.

    Args:
        scope: of ASGI.
        receive: of ASGI.
        send: of ASGI.
        limits: of bodies and times.

    Attributes:
        headers: of the request, names in small letters; of several with one name the last.
        status: of the answer; 0 before it begins, 499 where the client had gone.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self._limits = limits
        self._extra_headers: list[tuple[bytes, bytes]] = []
        self.headers: Mapping[str, str] = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.status = 0
        # Of the request's body: a connection that is closed before it is read is reset.
        length = self.headers.get("content-length", "0")
        self._has_unread = length != "0" or "transfer-encoding" in self.headers

    def add_header(self, name: str, value: str) -> None:
        """Add a header to the answer that is to come."""
        self._extra_headers.append((name.encode("latin-1"), value.encode("latin-1")))

    async def body(self) -> bytes:
        """Read the request's body.

        Raises:
            Refusal: it is too long (413), or did not come in time (408).
            ClientGone: nobody waits for the answer.
        """
        most = self._limits.body_bytes
        length = self.headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise Refusal(413, "serving.body-too-long", received=int(length), most=most)
        pieces: list[bytes] = []
        total = 0
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                while True:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    pieces.append(message.get("body", b""))
                    total += len(pieces[-1])
                    if total > most:
                        raise Refusal(413, "serving.body-too-long", received=total, most=most)
                    if not message.get("more_body", False):
                        self._has_unread = False
                        return b"".join(pieces)
        except TimeoutError as error:
            seconds = self._limits.body_seconds
            raise Refusal(408, "serving.body-too-slow", most=f"{seconds:g}") from error

    async def read(self, kind: type[_Body]) -> _Body:
        """Read the body as JSON of a type.

        Args:
            kind: a msgspec structure.

        Raises:
            Refusal: it is not that.
            ClientGone: nobody waits for the answer.
        """
        return decoded(await self.body(), kind)

    async def answer(self, value: object, status: int = 200) -> None:
        """Send JSON."""
        await self.answer_bytes(msgspec.json.encode(value), _JSON, status)

    async def answer_bytes(self, content: bytes, kind: str, status: int = 200) -> None:
        """Send something whole.

        Args:
            content: of the answer.
            kind: its content-type.
            status: of HTTP.
        """
        self.add_header("content-type", kind)
        self.add_header("content-length", str(len(content)))
        await self._start(status, [])
        body = b"" if self.scope["method"] == "HEAD" else content
        await self._push(body, more=False)

    async def refuse(self, error: SparrowError) -> None:
        """Send a refusal, and do not let a client that is still sending miss it."""
        status = status_of(error)
        for name, value in headers_of(error).items():
            self.add_header(name, value)
        content = msgspec.json.encode(complaint(error, language_of(self.headers)))
        self.add_header("content-type", _JSON)
        self.add_header("content-length", str(len(content)))
        if status in (408, 413):
            self.add_header("connection", "close")
        await self._start(status, [])
        lingers = self._has_unread
        await self._push(content, more=lingers)
        if lingers:
            await self._linger()
            await self._push(b"", more=False)

    async def stream(self, chunks: AsyncGenerator[Any, None], *, is_named: bool) -> None:
        """Send events as they come.

        Args:
            chunks: JSON values; what goes wrong before the first is raised, not sent.
            is_named: whether each event is called by its "type", and no [DONE] comes last.
        """
        async with aclosing(chunks):
            first = await anext(chunks, None)
            await self._start(200, list(_EVENTS))
            try:
                if first is not None:
                    await self._push(_event(first, is_named=is_named), more=True)
                async for chunk in chunks:
                    await self._push(_event(chunk, is_named=is_named), more=True)
            except SparrowError as error:
                told = complaint(error, language_of(self.headers))
                await self._push(_event(told, is_named=False), more=True)
            await self._push(b"" if is_named else b"data: [DONE]\n\n", more=False)

    async def until_gone(self) -> None:
        """Return when the client has closed its connection; only after body()."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def abort(self) -> None:
        """Close the connection at once."""
        self.status = 499
        extension = self.scope.get("extensions", {}).get("sparrow.abort")
        if extension is not None:
            extension["abort"]()

    async def _linger(self) -> None:
        """Take what the client is still sending, so that it gets to read the answer."""
        taken = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while taken < _LINGER_BYTES:
                    message = await self._receive()
                    if message["type"] == "http.disconnect" or not message.get("more_body"):
                        return
                    taken += len(message.get("body", b""))

    async def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        await self._send({
            "type": "http.response.start",
            "status": status,
            "headers": headers + self._extra_headers,
        })  # fmt: skip

    async def _push(self, content: bytes, *, more: bool) -> None:
        try:
            async with asyncio.timeout(self._limits.write_seconds):
                await self._send({"type": "http.response.body", "body": content, "more_body": more})
        except TimeoutError as error:
            self.abort()
            raise ClientGone from error


def _event(value: Any, *, is_named: bool) -> bytes:  # noqa: ANN401 - any JSON value
    data = b"data: " + msgspec.json.encode(value) + b"\n\n"
    return b"event: " + str(value["type"]).encode() + b"\n" + data if is_named else data
