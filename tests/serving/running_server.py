"""A real `sparrow serve` in a process of its own, and small models for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from small_models import small_model
from small_understanding import small_classifier, small_encoder, small_tagger

SIZES = {"width": 32, "num_heads": 2, "num_kv_heads": 1, "head_width": 16}
# Written by NumPy, by the compiled engine, and as a mixture of both and counts.
WRITERS = ("plain", "quick", "mixed")


def write_models(folder: Path) -> dict[str, Path]:
    """Write a model of every kind that the server knows."""
    return {
        "plain": small_model(folder / "plain", "transformer"),
        "quick": small_model(folder / "quick", "transformer", context_tokens=64, **SIZES),
        "mixed": small_model(folder / "mixed", "mixture", "word", **SIZES),
        "labels": small_classifier(folder / "labels.gguf"),
        "tags": small_tagger(folder / "tags.gguf"),
        "vectors": small_encoder(folder / "vectors.gguf"),
    }


@dataclass
class Running:
    """A server that runs.

    Attributes:
        process: of its own.
        address: "http://127.0.0.1:port".
        complaints: lines of its stderr.
    """

    process: subprocess.Popen[str]
    address: str
    complaints: list[str] = field(default_factory=list)
    _client: httpx2.Client | None = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def client(self, **options) -> httpx2.Client:
        # Certificates are read for every client, which takes longer than most requests.
        return httpx2.Client(
            base_url=self.address, timeout=60, trust_env=False, verify=False, **options
        )

    def ask(self, path: str, **body):
        if self._client is None:
            self._client = self.client()
        answer = self._client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def running(*words: str, **environment: str) -> Iterator[Running]:
    """Start `sparrow serve`; what follows the models are options."""
    command = [sys.executable, "-m", "sparrowlm", "serve", *words, "--port", "0", "--json"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "SPARROW_LANG": "en", **environment},
    )  # fmt: skip
    complaints: list[str] = []
    reader = threading.Thread(target=lambda: complaints.extend(process.stderr), daemon=True)
    reader.start()
    try:
        line = process.stdout.readline()
        if not line:
            process.wait(30)
            reader.join(5)
            raise RuntimeError("".join(complaints))
        found = Running(process, json.loads(line)["address"], complaints)
        try:
            yield found
        finally:
            found.close()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        reader.join(5)
        process.stderr.close()


def named(paths: dict[str, Path]) -> list[str]:
    """Return models as words of a command line."""
    return [f"{name}={path}" for name, path in paths.items()]


def events_of(content: str) -> list[dict]:
    """Return the values of a stream's events, [DONE] left out but demanded."""
    lines = [line[len("data: ") :] for line in content.splitlines() if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]
