"""The server beside the engine it asks: what HTTP costs, what company gains, how soon it is up.

    python -m benchmarks.serving FOLDER [--streams 32] [--tokens 128]

A model of 10M random parameters in 8 bits is made in FOLDER. The texts are the same everywhere;
what the server answers is compared with what the engine writes. Streams are read by a client that
does as little as it can, on the same cores.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import engine_models
from sparrowlm.api.model import Model
from sparrowlm.runtime.batching import BatchDecoder, Task
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.sampling import SamplingSettings

_ROUNDS = 9


def wishes(count: int, num_tokens: int) -> list[dict]:
    """Return requests whose texts never end by themselves."""
    return [
        {
            "prompt": " ".join(engine_models.word(n) for n in range(7 * i, 7 * i + 12)),
            "max_tokens": num_tokens, "seed": i, "temperature": 0.8, "top_p": 0.95,
            "logit_bias": {"0": -100},
        }
        for i in range(count)
    ]  # fmt: skip


def written_offline(model: Model, asked: Sequence[dict]) -> tuple[float, list[str]]:
    """Return seconds and texts of the engine alone, all texts side by side."""
    decoder = BatchDecoder(model.engine, model.codec)
    began = time.monotonic()
    writings = []
    for wish in asked:
        sampling = SamplingSettings(
            temperature=wish["temperature"], top_p=wish["top_p"], seed=wish["seed"],
            logit_bias=((0, -100),),
        )  # fmt: skip
        settings = DecodingSettings(sampling=sampling, max_tokens=wish["max_tokens"])
        writings.append(decoder.prepare(Task(prompt=wish["prompt"], settings=settings)))
        decoder.add(writings[-1])
    texts: dict = {writing: "" for writing in writings}
    while decoder.has_work():
        for writing, event in decoder.step():
            texts[writing] += event.token.text
    return time.monotonic() - began, list(texts.values())


def _request(wish: dict, *, is_stream: bool) -> bytes:
    body = json.dumps({**wish, "stream": is_stream}).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _answers(place: tuple[str, int], requests: Sequence[bytes], *, at_once: int) -> list[bytes]:
    """Return what came back, so many requests at once; nothing is looked at meanwhile."""
    answers: list[bytes] = [b""] * len(requests)
    pieces: dict[int, list[bytes]] = {}
    numbers = iter(range(len(requests)))
    with selectors.DefaultSelector() as selector:

        def ask() -> None:
            for number in numbers:
                connection = socket.create_connection(place)
                connection.sendall(requests[number])
                connection.setblocking(False)
                pieces[number] = []
                selector.register(connection, selectors.EVENT_READ, number)
                return

        for _ in range(at_once):
            ask()
        while pieces:
            for key, _events in selector.select():
                piece = key.fileobj.recv(1 << 16)
                if piece:
                    pieces[key.data].append(piece)
                    continue
                answers[key.data] = b"".join(pieces.pop(key.data))
                selector.unregister(key.fileobj)
                key.fileobj.close()
                ask()
    return answers


def text_of(content: bytes) -> str:
    """Return the text of a stream as it came over the wire, chunked."""
    text = ""
    for line in content.split(b"\n"):
        if line.startswith(b"data: {"):
            text += json.loads(line[6:])["choices"][0]["text"]
    return text


def written_over_http(
    place: tuple[str, int], asked: Sequence[dict], *, at_once: int
) -> tuple[float, list[str]]:
    """Return seconds and texts, so many streams at once."""
    requests = [_request(wish, is_stream=True) for wish in asked]
    began = time.monotonic()
    contents = _answers(place, requests, at_once=at_once)
    seconds = time.monotonic() - began
    return seconds, [text_of(content) for content in contents]


class Server:
    """`sparrow serve` in a process of its own.

    Args:
        model: path of the model.
    """

    def __init__(self, model: Path) -> None:
        began = time.monotonic()
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sparrowlm", "serve", f"m={model}", "--port", "0", "--json"],
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        address = json.loads(self.process.stdout.readline())["address"]
        host, port = address.removeprefix("http://").rsplit(":", 1)
        self.place = (host, int(port))
        first = _request({"prompt": "a", "max_tokens": 1}, is_stream=False)
        _answers(self.place, [first], at_once=1)
        self.seconds = time.monotonic() - began

    def resident_mib(self) -> float:
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--model", type=Path, help="another model that writes")
    options = parser.parse_args()
    path = options.model
    if path is None:
        engine_models.make(options.folder / "10M", "10M")
        path = options.folder / "10M" / "int8.gguf"
    starts = [Server(path) for _round in range(_ROUNDS)]
    for server in starts[1:]:
        server.process.terminate()
    server = starts[0]
    ready = sorted(one.seconds for one in starts)[len(starts) // 2]
    print(f"start to first answer: {ready:.2f} s; idle: {server.resident_mib():.0f} MiB")
    model = Model(path)
    asked = wishes(options.streams, options.tokens)
    shares, gains, served = [], [], []
    for _round in range(_ROUNDS):
        offline, texts = written_offline(model, asked)
        online, answers = written_over_http(server.place, asked, at_once=options.streams)
        assert answers == texts, "the server wrote other texts than the engine"
        serial, _same = written_over_http(server.place, asked[:8], at_once=1)
        parallel, _same = written_over_http(server.place, asked[:8], at_once=8)
        shares.append(1 - offline / online)
        gains.append(serial / parallel)
        served.append(options.streams * options.tokens / online)
        print(
            f"{options.streams} streams: engine {offline:.2f} s, server {online:.2f} s"
            f" (share of HTTP {shares[-1]:.1%}), {served[-1]:,.0f} tokens/s;"
            f" 8 streams at once {gains[-1]:.2f} × one by one",
            flush=True,
        )
    middle = _ROUNDS // 2
    print(
        f"medians: share of HTTP {sorted(shares)[middle]:.1%}, 8 at once"
        f" {sorted(gains)[middle]:.2f} ×, {sorted(served)[middle]:,.0f} tokens/s"
    )
    server.process.terminate()


if __name__ == "__main__":
    main()
