"""A hundred thousand requests that nobody should send, and what the server makes of them.

    python -m benchmarks.hostile_requests MODEL... [--requests 100000]

Own bodies (half characters, NaN, wrong types, numbers without end, brackets ten thousand deep),
their mutants byte by byte, and requests made by schemathesis from the server's description, half of
them against it; between them bodies of 200 MB, headers without end, and three hundred connections
that send a byte now and then. A normal request is asked every second all the while.

Bars: no answer of 5xx, the server never ends, memory at most 200 MB more than at the start, every
normal request answered within a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from benchmarks.servers import Server, posted
from sparrowlm.serving.description import description
from sparrowlm.serving.routes import ROUTES

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from schemathesis import Case

_AT_ONCE = 16
_SLOW = 300
_DESCRIBED_SHARE = 0.1
_LARGE_BODY = 200_000_000
_VALID = [
    {"messages": [{"role": "user", "content": "The cat 你好"}], "max_tokens": 3},
    {"prompt": "The cat", "max_tokens": 3, "logprobs": 2, "echo": True, "n": 2},
    {"input": ["The cat", "你好 😀"], "k": 3, "explain": True},
    {"prompt": [1, 2, 3], "max_tokens": 2, "stop": ["a", "b"], "logit_bias": {"3": 5}},
    {"prompt": "x", "max_tokens": 9, "response_format": {"type": "regex", "pattern": "[ab]{2}"}},
    {"input": "a", "max_output_tokens": 3, "stream": True},
    {"pairs": [["a", "b"]], "question": "q"},
    {"tokens": [1, 2, 3]},
]
_FORMS = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"prompt": "\\ud800"}', b'{"temperature": NaN}',
    b'{"max_tokens": 1e999}', b'{"max_tokens": 100000000000000000000}',
    b'{"prompt": "\xed\xa0\x80"}',
    b'{"prompt": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", b'{"x": ' + b'{"a":' * 10_000 + b"1}",
    b'{"prompt": "' + b"a" * 500_000 + b'"}', b'{"prompt": ["' + b'a","' * 5000 + b'"]}',
    b'{"prompt": "a", "response_format": {"type": "regex", "pattern": "((a{1,99}){1,99}){1,99}"}}',
    b'{"prompt": "a", "max_tokens": 3, "response_format": {"type": "json_object"}, "n": 64}',
]  # fmt: skip


def body_of(chosen: random.Random) -> bytes:
    """Return a body that may be anything."""
    if chosen.random() < 0.2:
        return chosen.choice(_FORMS)
    valid = dict(chosen.choice(_VALID))
    for _change in range(chosen.randrange(3)):
        name = chosen.choice([*valid, "model", "stream", "n", "stop", "seed", "top_p", "k"])
        valid[name] = chosen.choice(
            [
                None,
                True,
                -1,
                0,
                1,
                2.5,
                1e300,
                "",
                "a",
                "😀",
                [],
                {},
                [[]],
                [None],
                {"a": 1},
                "\x00",
            ]
        )
    content = bytearray(json.dumps(valid).encode())
    for _mutation in range(chosen.randrange(4) if chosen.random() < 0.5 else 0):
        place = chosen.randrange(len(content))
        kind = chosen.randrange(3)
        if kind == 0:
            content[place] = chosen.randrange(256)
        elif kind == 1:
            del content[place : place + chosen.randrange(1, 9)]
        else:
            content[place:place] = content[: chosen.randrange(1, 20)]
        if not content:
            break
    return bytes(content)


def described_requests(count: int) -> list[tuple[str, bytes]]:
    """Return requests made by schemathesis, half of them against the description."""
    import schemathesis

    schema = schemathesis.openapi.from_dict(description())
    modes = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)
    found: list[tuple[str, bytes]] = []
    for path in ROUTES:
        for mode in modes:
            strategy = schema[path]["POST"].as_strategy(generation_mode=mode)
            each = max(1, count // len(ROUTES) // 2)
            found += [(path, body) for body in made_bodies(strategy, each)]
    return found


def made_bodies(strategy: SearchStrategy[Case], count: int) -> list[bytes]:
    """Return so many bodies of a strategy."""
    from hypothesis import HealthCheck, Phase, given, settings

    found: list[bytes] = []

    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=strategy)
    def make(case: Case) -> None:
        body = {"max_tokens": 3, **case.body} if isinstance(case.body, dict) else case.body
        try:
            found.append(body if isinstance(body, bytes) else json.dumps(body).encode())
        except TypeError:  # what stands for no body at all
            found.append(b"")

    make()
    return found


async def ask(server: Server, path: str, content: bytes) -> int:
    """Return the status of one request; 0 where the connection was closed without one."""
    try:
        reader, writer = await asyncio.open_connection(*server.place)
    except OSError:
        return -1
    try:
        writer.write(posted(content, path))
        answer = await asyncio.wait_for(reader.read(), 120)
        return int(answer[9:12]) if answer[:5] == b"HTTP/" else 0
    except (OSError, ValueError):
        return 0
    finally:
        writer.close()


class Watch:
    """Asks something normal every second.

    Args:
        server: that is asked.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.seconds: list[float] = []
        self.most_mb = 0.0

    async def run(self) -> None:
        body = json.dumps(
            {"model": self._server.models[0], "prompt": "The", "max_tokens": 2}
        ).encode()
        while True:
            began = time.monotonic()
            status = await ask(self._server, "/v1/completions", body)
            assert status in (200, 429), status
            self.seconds.append(time.monotonic() - began)
            self.most_mb = max(self.most_mb, self._server.memory_mb())
            await asyncio.sleep(1)


async def hold_open(server: Server, number: int) -> None:
    """Send a request a byte a second."""
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n{"
    while True:
        try:
            _reader, writer = await asyncio.open_connection(*server.place)
            for byte in head[: 20 + number % len(head)] + b" " * 1000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
        except OSError:
            await asyncio.sleep(0.1)


async def large_ones(server: Server) -> None:
    """Send bodies of 200 MB and headers without end, again and again."""
    while True:
        for rest in (
            f"Content-Length: {_LARGE_BODY}\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n",
            "",  # headers go on and on
        ):
            head = f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n{rest}"
            try:
                _reader, writer = await asyncio.open_connection(*server.place)
                writer.write(head.encode())
                piece = b"X-a: " + b"a" * 60_000 + b"\r\n"
                if "chunked" in head:
                    piece = b"ea60\r\n" + b"a" * 60_000 + b"\r\n"
                for _piece in range(_LARGE_BODY // len(piece)):
                    writer.write(piece)
                    await writer.drain()
                writer.close()
            except OSError:
                pass
        await asyncio.sleep(5)


async def attack(server: Server, requests: list[tuple[str, bytes]]) -> tuple[Counter, Watch]:
    """Send everything; return how often each status came."""
    watch, statuses = Watch(server), Counter()
    others = [asyncio.create_task(watch.run()), asyncio.create_task(large_ones(server))]
    others += [asyncio.create_task(hold_open(server, n)) for n in range(_SLOW)]
    waiting = iter(requests)
    began = time.monotonic()

    async def work() -> None:
        for path, content in waiting:
            status = await ask(server, path, content)
            statuses[status] += 1
            if status >= 500 or status <= 0:
                print(status, path, content[:300], flush=True)
            done = sum(statuses.values())
            if done % 5000 == 0:
                print(f"{done:,} after {time.monotonic() - began:.0f} s: {dict(statuses)},"
                      f" {server.memory_mb():.0f} MB", flush=True)  # fmt: skip

    await asyncio.gather(*(work() for _worker in range(_AT_ONCE)))
    for task in others:
        if task.done():
            task.result()
        task.cancel()
    return statuses, watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chosen = random.Random(options.seed)
    paths = [*ROUTES, "/v1/models", "/nothing", "/metrics"]
    requests = described_requests(int(options.requests * _DESCRIBED_SHARE))
    while len(requests) < options.requests:
        requests.append((chosen.choice(paths), body_of(chosen)))
    chosen.shuffle(requests)
    limits = ("--limit", "output_tokens=64", "--limit", "total_output_tokens=512")
    with Server(*options.models, *limits) as server:
        before = server.memory_mb()
        statuses, watch = asyncio.run(attack(server, requests))
        is_alive = server.process.poll() is None
    print(
        f"{sum(statuses.values()):,} requests: {dict(sorted(statuses.items()))};"
        f" server {'runs' if is_alive else 'HAS ENDED'};"
        f" memory {before:.0f} -> most {watch.most_mb:.0f} MB;"
        f" {len(watch.seconds)} normal requests, slowest {max(watch.seconds):.2f} s"
    )


if __name__ == "__main__":
    main()
