"""Stands between a client and a stand-in, and breaks things in one chosen way."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

from large_stand_in import event
from loop_thread import LoopThread, read_request, response

FAULTS = (
    "refuse", "401", "404", "429", "500", "hang", "slow-head", "reset", "no-done", "broken-json",
    "empty-choices", "wrong-model", "huge", "byte-at-a-time", "usage-everywhere", "error-event",
    "redirect",
)  # fmt: skip
# These change the form of an answer and not its content.
HARMLESS = frozenset(("none", "no-done", "wrong-model", "byte-at-a-time", "usage-everywhere"))
HUGE_BYTES = 10_000_000


class FaultProxy(LoopThread):
    """Passes requests on to a stand-in, and spoils the answers.

    Attributes:
        fault: one of FAULTS, or "none"; may be changed at any time.
        num_left: after so many spoilt answers the rest is passed on as it is; None: never.
    """

    def __init__(self, upstream, fault="none", num_left=None, retry_after="0.05"):
        self.upstream = upstream
        self.fault = fault
        self.num_left = num_left
        self.retry_after = retry_after
        self.num_requests = 0
        super().__init__()

    async def serve(self, reader, writer):
        if self.fault == "refuse" and self._spoils():
            writer.transport.abort()
            return
        while (request := await read_request(reader)) is not None:
            self.num_requests += 1
            fault = self.fault if self.fault == "refuse" or self._spoils() else "none"
            if not await self._answer(writer, fault, *request):
                return

    def _spoils(self):
        if self.fault == "none" or self.num_left == 0:
            return False
        if self.num_left is not None:
            self.num_left -= 1
        return True

    async def _answer(self, writer, fault, head, body):
        if fault in ("401", "404", "429", "500"):
            after = f"Retry-After: {self.retry_after}\r\n" if fault == "429" else ""
            writer.write(response(int(fault), b'{"error": {"message": "no"}}', headers=after))
            return True
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "slow-head":
            for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"s" * 3600:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.05)
        if fault == "redirect":
            elsewhere = "Location: http://127.0.0.2:9/v1/chat/completions\r\n"
            writer.write(response(307, b"", headers=elsewhere))
            return True
        answered = await self._upstream(head, body)
        start, _, content = answered.partition(b"\r\n\r\n")
        await self._spoilt(writer, fault, start, content)
        return False

    async def _upstream(self, head, body):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream.port)
        self.watch(writer)
        try:
            writer.write(head + body)
            start = await reader.readuntil(b"\r\n\r\n")
            sizes = [x for x in start.split(b"\r\n") if x.lower().startswith(b"content-length")]
            content = await (
                reader.readexactly(int(sizes[0].split(b":")[1])) if sizes else reader.read()
            )
        finally:
            writer.close()
        return start + content

    async def _spoilt(self, writer, fault, start, content):
        is_stream = b"event-stream" in start
        if fault == "byte-at-a-time":
            for byte in content_with_head(is_stream, content.replace(b"\n", b"\r\n")):
                writer.write(bytes([byte]))
                await writer.drain()
        elif fault == "reset":
            writer.write(content_with_head(is_stream, content)[: -max(len(content) // 2, 1)])
            await writer.drain()
            # Not waiting for what is unsent turns the close into a reset.
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        elif fault == "huge":
            await self._huge(writer, is_stream)
        else:
            spoil = spoil_events if is_stream else spoil_object
            writer.write(content_with_head(is_stream, spoil(fault, content)))
        if not writer.is_closing():
            await writer.drain()
            writer.close()

    async def _huge(self, writer, is_stream):
        kind = "text/event-stream" if is_stream else "application/json"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + (b"data: " if is_stream else b""))
        writer.write(b'{"choices": [{"message": {"content": "')
        for _piece in range(HUGE_BYTES // 100_000):
            writer.write(b"x" * 100_000)
            await writer.drain()


def content_with_head(is_stream, content):
    if not is_stream:
        return response(200, content, headers="Connection: close\r\n")
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return head.encode() + content


def spoil_object(fault, content):
    if fault == "broken-json":
        return content[: len(content) // 2]
    value = json.loads(content)
    if fault == "empty-choices":
        value["choices"] = []
    if fault == "wrong-model":
        value["model"] = "somebody-else"
    if fault == "error-event":
        value = {"error": {"message": "overloaded"}}
    return json.dumps(value).encode()


def spoil_events(fault, content):
    content = content.replace(b"\r\n", b"\n")
    lines = [line for line in content.split(b"\n\n") if line.startswith(b"data: ")]
    values = [json.loads(line[6:]) for line in lines if b"[DONE]" not in line]
    end = b"" if fault == "no-done" else b"data: [DONE]\n\n"
    if fault == "broken-json":
        return event(values[0]) + b'data: {"choices": [\n\n' + end
    if fault == "error-event":
        return event(values[0]) + event({"error": {"message": "overloaded"}})
    for number, value in enumerate(values):
        if fault == "empty-choices":
            value["choices"] = []
        if fault == "wrong-model":
            value["model"] = "somebody-else"
        if fault == "usage-everywhere":
            value["usage"] = {"prompt_tokens": 7, "completion_tokens": number}
    return b"".join(map(event, values)) + end
