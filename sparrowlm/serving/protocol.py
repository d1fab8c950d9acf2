"""HTTP as uvicorn speaks it, with limits on what a client can hold on to before it has asked."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sparrowlm.serving.settings import Limits

_CLOSED_AT_ONCE = b"HTTP/1.1 %s\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: 1\r\n\r\n"


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections that are too many, too slow, or whose headers are too long.

    Attributes:
        limits: connections, header_bytes and header_seconds are kept here.
    """

    limits = Limits()

    _header_timer: asyncio.TimerHandle | None = None
    _header_bytes = 0
    _reads_headers = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(b"503 Service Unavailable")
            return
        self._begin_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.transport.is_closing():
            return
        if self._reads_headers:
            # What follows the headers in the same packet is counted too: at most one packet.
            self._header_bytes += len(data)
        super().data_received(data)
        if self._reads_headers and self._header_bytes > self.limits.header_bytes:
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        if self._header_timer is None:
            self._begin_headers()
        self.scope["extensions"] = {"sparrow.abort": {"abort": self._abort}}

    def on_headers_complete(self) -> None:
        """Its headers are all there."""
        self._stop_timer()
        self._reads_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is all there."""
        super().on_message_complete()
        self._reads_headers, self._header_bytes = True, 0

    def _begin_headers(self) -> None:
        self._reads_headers, self._header_bytes = True, 0
        self._header_timer = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _stop_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _too_slow(self) -> None:
        self._header_timer = None
        self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.transport.write(_CLOSED_AT_ONCE % status)
            self.transport.close()

    def _abort(self) -> None:
        """Close without waiting for a client that takes nothing."""
        transport: Any = self.transport
        if not transport.is_closing() or hasattr(transport, "abort"):
            transport.abort()


def limited_protocol(limits: Limits) -> type[HttpToolsProtocol]:
    """Return the protocol of a server's connections.

    Args:
        limits: see LimitedProtocol.
    """
    return type("ServerProtocol", (LimitedProtocol,), {"limits": limits})
