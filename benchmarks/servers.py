"""`sparrow serve` in a process of its own, and a client that does as little as it can.

Client and server share the machine's cores: what the client computes while it waits would be
counted as the server's.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PIECE_BYTES = 1 << 16
_IS_READY = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Server:
    """A server that is ready to answer; ended by leaving the with block.

    Args:
        words: of the command line behind `sparrow serve`.

    Attributes:
        place: host and port.
        models: names of its models.
        seconds: from its start until it answered.
        process: of it.
    """

    def __init__(self, *words: str | Path) -> None:
        began = time.monotonic()
        command = [sys.executable, "-m", "sparrowlm", "serve", *map(str, words), "--port", "0"]
        # Compiled bytecode is kept, as for people.
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        self.process = subprocess.Popen(
            [*command, "--json"], stdout=subprocess.PIPE, text=True, env=kept
        )
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(command)}: status {self.process.wait()}")
        facts = json.loads(line)
        host, port = facts["address"].removeprefix("http://").rsplit(":", 1)
        self.place, self.models = (host, int(port)), facts["models"]
        answers(self.place, [_IS_READY])
        self.seconds = time.monotonic() - began

    def memory_mb(self) -> float:
        """Return what it has in memory now, in millions of bytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.wait()


def request(body: Mapping[str, Any], path: str = "/v1/completions") -> bytes:
    """Return a request as it goes over the wire, its connection closed by the answer's end."""
    return posted(json.dumps(body).encode(), path)


def posted(content: bytes, path: str) -> bytes:
    """Return a request with any body; see request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + content


def answers(place: tuple[str, int], requests: Sequence[bytes], *, at_once: int = 1) -> list[bytes]:
    """Return what came back, heads included; nothing is looked at meanwhile.

    Args:
        place: host and port.
        requests: any number, answered in any order.
        at_once: open at the same time, >= 1.
    """
    found = [b""] * len(requests)
    pieces: dict[int, list[bytes]] = {}
    numbers = iter(range(len(requests)))
    with selectors.DefaultSelector() as selector:

        def ask() -> None:
            number = next(numbers, None)
            if number is None:
                return
            connection = socket.create_connection(place)
            connection.sendall(requests[number])
            connection.setblocking(False)
            pieces[number] = []
            selector.register(connection, selectors.EVENT_READ, number)

        for _ in range(at_once):
            ask()
        while pieces:
            for key, _events in selector.select():
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if piece := connection.recv(_PIECE_BYTES):
                    pieces[key.data].append(piece)
                    continue
                found[key.data] = b"".join(pieces.pop(key.data))
                selector.unregister(connection)
                connection.close()
                ask()
    return found


def content_of(answer: bytes) -> dict[str, Any]:
    """Return the JSON of a whole answer."""
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def text_of(answer: bytes) -> str:
    """Return the text of a completion that was streamed."""
    text = ""
    for line in answer.split(b"\n"):
        if line.startswith(b"data: {"):
            text += json.loads(line[6:])["choices"][0]["text"]
    return text
