"""One request and its answer over HTTP, within every limit of size and time.

Nothing is read without a limit: the head of the answer, every piece of it, its length, and the
complaint of a server that refuses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from sparrowlm import __version__
from sparrowlm.cooperation.large.events import EventReader
from sparrowlm.cooperation.large.failures import FailureKind, LargeFailure
from sparrowlm.cooperation.large.pacing import asked_wait_s
from sparrowlm.cooperation.large.settings import LargeSettings
from sparrowlm.foundation.errors import DependencyError

if TYPE_CHECKING:
    import httpx2

_MOST_COMPLAINT_BYTES = 65_536
_MOST_REASON_CHARACTERS = 200
_MOST_REDIRECTS = 3
_END_OF_STREAM = "[DONE]"
_KINDS_OF_STATUS: dict[int, FailureKind] = {
    401: "unauthorised", 403: "unauthorised", 404: "not-found", 408: "server", 425: "server",
    429: "rate-limited",
}  # fmt: skip


class Exchange:
    """Sends requests to one address and reads what comes back.

    Args:
        settings: address, key and limits.

    Raises:
        DependencyError: httpx2 is not installed.
    """

    def __init__(self, settings: LargeSettings) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise DependencyError.for_extra("httpx2", "cooperate") from error
        self._settings = settings
        # A hedge doubles what is under way.
        limits = httpx2.Limits(max_connections=2 * settings.max_concurrent + 1)
        connect_s = settings.patience.connect_s
        self._client = httpx2.AsyncClient(
            trust_env=settings.uses_system_proxies, follow_redirects=False, limits=limits,
            timeout=httpx2.Timeout(None, connect=connect_s), headers=_headers(settings),
        )  # fmt: skip

    async def send(self, endpoint: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the JSON object a server answers with.

        Args:
            endpoint: path behind the version.
            body: what is posted; None gets instead.

        Raises:
            LargeFailure: there is no such object, for any reason.
        """
        async with self._opened(endpoint, body) as response:
            return self._object(b"".join([piece async for piece in self._pieces(response)]))

    async def stream(
        self, endpoint: str, body: Mapping[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the JSON objects of a stream; ends early where the server breaks off.

        Args:
            endpoint: path behind the version.
            body: what is posted.

        Raises:
            LargeFailure: as send; "in-stream" for an error that comes as an event.
        """
        async with self._opened(endpoint, body) as response:
            if "event-stream" not in response.headers.get("content-type", ""):
                # A server without streams answers at once.
                whole = [piece async for piece in self._pieces(response)]
                yield self._object(b"".join(whole))
                return
            reader = EventReader()
            async with aclosing(self._pieces(response)) as pieces:
                async for piece in pieces:
                    for data in reader.take(piece):
                        if data.strip() == _END_OF_STREAM:
                            return
                        yield self._object(data.encode())
            for data in reader.end():
                if data.strip() != _END_OF_STREAM:
                    yield self._object(data.encode())

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    def _failure(self, kind: FailureKind, reason: object = "", **fields: object) -> LargeFailure:
        """Return a failure whose reason is short and holds no key."""
        text = " ".join(str(reason).split())
        if self._settings.key is not None:
            text = self._settings.key.hidden_in(text)
        names = {"url": self._settings.url, "model": self._settings.model}
        return LargeFailure.of(kind, reason=text[:_MOST_REASON_CHARACTERS], **names, **fields)

    @asynccontextmanager
    async def _opened(
        self, endpoint: str, body: Mapping[str, Any] | None
    ) -> AsyncIterator[httpx2.Response]:
        """Yield an answer with status 200 whose body is still to be read."""
        import httpx2

        response: httpx2.Response | None = None
        try:
            response = await self._head(endpoint, body)
            await self._refuse_status(response)
            yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            raise self._failure("connect", str(error) or type(error).__name__) from error
        except (httpx2.LocalProtocolError, httpx2.InvalidURL) as error:
            raise self._failure("bad-request", error) from error
        except httpx2.TransportError as error:
            raise self._failure("cut-off", str(error) or type(error).__name__) from error
        finally:
            if response is not None:
                await response.aclose()

    async def _head(self, endpoint: str, body: Mapping[str, Any] | None) -> httpx2.Response:
        """Return the head of the answer, after redirects on the same server."""
        url = self._settings.url + endpoint
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        first_byte_s = self._settings.patience.first_byte_s
        for _redirect in range(_MOST_REDIRECTS):
            request = self._client.build_request(
                "GET" if content is None else "POST", url, content=content
            )
            try:
                async with asyncio.timeout(first_byte_s):
                    response = await self._client.send(request, stream=True)
            except TimeoutError as error:
                raise self._failure("timeout", seconds=f"{first_byte_s:g}") from error
            if response.status_code not in (307, 308):
                return response
            target = urljoin(url, response.headers.get("location", ""))
            await response.aclose()
            # Another server must see neither the key nor the question.
            if urlsplit(target)[:2] != urlsplit(url)[:2]:
                break
            url = target
        raise self._failure("redirect", urlsplit(target).netloc)

    async def _refuse_status(self, response: httpx2.Response) -> None:
        status = response.status_code
        if status == 200:
            encoding = response.headers.get("content-encoding", "identity")
            if encoding != "identity":
                # Asked for as it is: what unpacks to a thousand times its size has no way in.
                raise self._failure("broken", encoding)
            return
        if 300 <= status < 400:
            raise self._failure("redirect", status)
        kind = _KINDS_OF_STATUS.get(status, "server" if status >= 500 else "bad-request")
        reason = f"{status} {await self._complaint(response)}"
        retry_after_s = asked_wait_s(response.headers.get("retry-after"))
        raise self._failure(kind, reason, retry_after_s=retry_after_s)

    async def _complaint(self, response: httpx2.Response) -> str:
        """Return the sentence in which a server says why it refuses, "" where it says nothing."""
        import httpx2

        content = b""
        try:
            async with aclosing(self._pieces(response)) as pieces:
                async for piece in pieces:
                    content += piece
                    if len(content) > _MOST_COMPLAINT_BYTES:
                        return ""
            return _message(json.loads(content))
        except (ValueError, RecursionError, LargeFailure, httpx2.TransportError):
            # The status alone has to say it.
            return ""

    async def _pieces(self, response: httpx2.Response) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes; none of it may come too late, nor too much of it."""
        num_bytes = 0
        idle_s = self._settings.patience.idle_s
        async with aclosing(response.aiter_raw()) as raw:
            while True:
                try:
                    async with asyncio.timeout(idle_s):
                        piece = await anext(raw, None)
                except TimeoutError as error:
                    raise self._failure("timeout", seconds=f"{idle_s:g}") from error
                if piece is None:
                    return
                num_bytes += len(piece)
                if num_bytes > self._settings.max_answer_bytes:
                    raise self._failure("too-large", most=self._settings.max_answer_bytes)
                yield piece

    def _object(self, content: bytes) -> dict[str, Any]:
        try:
            value = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._failure("broken", type(error).__name__) from error
        if not isinstance(value, dict):
            raise self._failure("broken", type(value).__name__)
        if value.get("error"):
            raise self._failure("in-stream", _message(value))
        return value


def _headers(settings: LargeSettings) -> dict[str, str]:
    headers = {
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": f"sparrowlm/{__version__}",
    }
    if settings.key is not None:
        headers["Authorization"] = f"Bearer {settings.key.secret}"
    return headers


def _message(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the message of an error object; parts that may repeat the question are left out."""
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, dict):
        error = error.get("message", error.get("detail"))
    return error if isinstance(error, str) else ""
