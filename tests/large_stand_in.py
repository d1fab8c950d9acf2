"""Stands in for a large model: deterministic, on loopback, remembers every byte it was sent."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math

from loop_thread import LoopThread, read_request, response

MODEL = "stand-in"


def said(body):
    """The default answer: the last message, turned a little."""
    return "You said: " + body["messages"][-1]["content"]


class StandIn(LoopThread):
    """Speaks chat, completions (echo, logprobs), embeddings, models; streams.

    Attributes:
        received: all bytes that came in.
        num_answered: by request body, how often it was answered to the last byte.
    """

    def __init__(self, answer=said, delay_s=0.0, key=None, counts_usage=True):
        self.answer = answer
        self.delay_s = delay_s
        self.key = key
        self.counts_usage = counts_usage
        self.received = bytearray()
        self.bodies = []
        self.num_answered = {}
        self.num_under_way = self.most_under_way = 0
        super().__init__()

    async def serve(self, reader, writer):
        while (request := await read_request(reader)) is not None:
            head, content = request
            self.received += head + content
            self.num_under_way += 1
            self.most_under_way = max(self.most_under_way, self.num_under_way)
            try:
                await self._respond(reader, writer, head, content)
            finally:
                self.num_under_way -= 1

    async def _respond(self, reader, writer, head, content):
        if self.delay_s:
            # Who goes away while it is thought about pays nothing.
            gone = asyncio.ensure_future(reader.read(1))
            await asyncio.wait([gone], timeout=self.delay_s)
            if gone.done():
                raise ConnectionResetError
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        if self.key and f"authorization: bearer {self.key}".encode() not in head.lower():
            complaint = json.dumps({"error": {"message": "Wrong key: " + str(self.key)}}).encode()
            writer.write(response(401, complaint))
            return
        path = head.split(b" ")[1].decode()
        body = json.loads(content) if content else {}
        self.bodies.append(body)
        if body.get("stream"):
            await self._stream(writer, path, body)
        else:
            found = json.dumps(self.found(path, body), ensure_ascii=False).encode()
            writer.write(response(200, found))
        await writer.drain()
        self.num_answered[content] = self.num_answered.get(content, 0) + 1

    def found(self, path, body):
        facts = {"id": "1", "created": 1, "model": body.get("model", MODEL)}
        if path.endswith("/models"):
            return {"object": "list", "data": [{"id": MODEL}, {"id": "other"}]}
        if path.endswith("/embeddings"):
            rows = [{"index": i, "embedding": vector(t)} for i, t in enumerate(body["input"])]
            return facts | {"data": rows, "usage": {"prompt_tokens": 3, "total_tokens": 3}}
        usage = {"prompt_tokens": len(str(body)), "completion_tokens": 4}
        facts |= {"usage": usage} if self.counts_usage else {}
        if path.endswith("/chat/completions"):
            choice = {"message": {"role": "assistant", "content": self.answer(body)}}
            if body.get("logprobs"):
                tokens = [chance(t) for t in choice["message"]["content"]]
                choice["logprobs"] = {"content": tokens}
        else:
            choice = continued(body)
        return facts | {"choices": [choice | {"index": 0, "finish_reason": "stop"}]}

    async def _stream(self, writer, path, body):
        is_chat = path.endswith("/chat/completions")
        text = self.answer(body) if is_chat else continued(body)["text"]
        head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + b": hello\r\n\r\n")
        for start in range(0, len(text), 3):
            piece = text[start : start + 3]
            choice = {"delta": {"content": piece}} if is_chat else {"text": piece}
            writer.write(event({"model": MODEL, "choices": [choice]}))
        last = {"delta": {}, "finish_reason": "stop"} if is_chat else {"finish_reason": "stop"}
        writer.write(event({"model": MODEL, "choices": [last]}))
        if self.counts_usage:
            usage = {"prompt_tokens": len(str(body)), "completion_tokens": 4}
            writer.write(event({"model": MODEL, "choices": [], "usage": usage}))
        writer.write(b"data: [DONE]\n\n")
        await writer.drain()
        writer.close()


def event(value):
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def vector(text):
    digest = hashlib.sha256(text.encode()).digest()[:8]
    length = math.sqrt(sum(byte * byte for byte in digest))
    return [byte / length for byte in digest]


def chance(token):
    tops = [{"token": token, "logprob": -0.1}, {"token": "?", "logprob": -2.5}]
    return {"token": token, "logprob": -0.1, "top_logprobs": tops}


def continued(body):
    text = " and so on"[: 3 * body["max_tokens"]]
    whole = body["prompt"] + text if body.get("echo") else text
    choice = {"text": whole}
    if "logprobs" in body:
        logs = [None, *[-0.1] * (len(whole) - 1)]
        tops = [None, *({t: -0.1} for t in whole[1:])]
        choice["logprobs"] = {
            "tokens": list(whole), "token_logprobs": logs, "top_logprobs": tops,
            "text_offset": list(range(len(whole))),
        }  # fmt: skip
    return choice
