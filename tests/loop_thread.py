"""A server on a loop of its own thread, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class LoopThread:
    """Runs one asyncio server; `async def serve(reader, writer)` is what it does."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._tasks = set()
        self._transports = set()
        self.port = 0
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    async def _start(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader, writer):
        task = asyncio.current_task()
        self._tasks.add(task)
        self.watch(writer)
        try:
            await self.serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(ConnectionError):
                writer.close()

    def watch(self, writer):
        """Remember a connection, so that none is left open at the end."""
        self._transports.add(writer.transport)

    async def serve(self, reader, writer):
        raise NotImplementedError

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/v1"

    def close(self):
        async def end():
            self._server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for transport in self._transports:
                transport.abort()
            # Sockets are closed in the loop's next rounds.
            for _round in range(10):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.close()


async def read_request(reader):
    """Return (head, body) of one HTTP request, as bytes; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head, await reader.readexactly(length)


def response(status, body, kind="application/json", headers=""):
    """Return a whole HTTP answer, as bytes."""
    head = f"HTTP/1.1 {status} Some\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return (head + headers + "\r\n").encode() + body
