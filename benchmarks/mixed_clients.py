"""Sixty-four clients at once for ten minutes: normal ones, slow readers, and some that vanish.

    python -m benchmarks.mixed_clients MODEL [--minutes 10]

Thirty-two read their answers as they come, sixteen read a few bytes at a time, sixteen close the
connection in the middle. Every whole answer is compared with the text that the model itself writes
for that prompt and seed. Bars: no wrong or crossed answer, memory grows by at most 5 % after the
first minute.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from pathlib import Path

from benchmarks.servers import Server, content_of, request, text_of
from sparrowlm.api.model import Model

_NORMAL, _SLOW, _VANISHING = 32, 16, 16
_NUM_WISHES = 200
_SETTLED_SECONDS = 60.0


def wishes(chosen: random.Random) -> list[dict]:
    """Return requests of every size."""
    prompts = ["", "The", "从前", "Once upon a time there was", "一天早上，", "😀" * 50]
    return [
        {
            "prompt": chosen.choice(prompts), "seed": n, "max_tokens": chosen.choice([1, 20, 60]),
            "temperature": chosen.choice([0, 0.7, 1.2]), "top_p": chosen.choice([1, 0.9]),
        }
        for n in range(_NUM_WISHES)
    ]  # fmt: skip


def own_text(model: Model, wish: dict) -> str:
    """Return what the model itself writes."""
    return model.generate(**{**wish, "top_p": None if wish["top_p"] == 1 else wish["top_p"]})[0]


class Crowd:
    """All clients together.

    Args:
        server: that is asked.
        asked: requests.
        texts: of the model itself, in their order.
    """

    def __init__(self, server: Server, asked: list[dict], texts: list[str]) -> None:
        self._server = server
        self._pairs = list(zip(asked, texts, strict=True))
        self.counts: Counter[str] = Counter()
        self.first_seconds: list[float] = []

    async def run(self, kind: str, number: int, until: float) -> None:
        """Ask again and again."""
        chosen = random.Random(f"{kind} {number}")
        while time.monotonic() < until:
            wish, text = chosen.choice(self._pairs)
            is_stream = kind != "normal" or chosen.random() < 0.7
            content = await self._ask({**wish, "stream": is_stream}, kind, chosen)
            if content is None:
                self.counts["vanished"] += 1
                continue
            found = text_of(content) if is_stream else self._whole(content)
            self.counts["right" if found == text else "wrong"] += 1
            if found != text:
                print("wrong:", kind, wish, repr(text), repr(found), content[:200], flush=True)

    @staticmethod
    def _whole(content: bytes) -> str:
        return content_of(content)["choices"][0]["text"]

    async def _ask(self, wish: dict, kind: str, chosen: random.Random) -> bytes | None:
        reader, writer = await asyncio.open_connection(*self._server.place)
        try:
            began = time.monotonic()
            writer.write(request(wish))
            if kind == "vanishing":
                await reader.read(chosen.randrange(1, 2000))
                return None
            if kind == "slow":
                pieces = []
                while piece := await reader.read(64):
                    pieces.append(piece)
                    await asyncio.sleep(0.02)
                return b"".join(pieces)
            first = await reader.read(4096)
            self.first_seconds.append(time.monotonic() - began)
            return first + await reader.read()
        finally:
            writer.close()


async def crowd(server: Server, asked: list[dict], texts: list[str], minutes: float) -> Crowd:
    """Let everybody ask for some minutes."""
    found = Crowd(server, asked, texts)
    until = time.monotonic() + 60 * minutes
    kinds = ["normal"] * _NORMAL + ["slow"] * _SLOW + ["vanishing"] * _VANISHING
    clients = [asyncio.create_task(found.run(kind, n, until)) for n, kind in enumerate(kinds)]
    settled = 0.0
    while time.monotonic() < until:
        await asyncio.sleep(min(_SETTLED_SECONDS, 60 * minutes / 4))
        settled = settled or server.memory_mb()
        print(f"{dict(found.counts)}; {server.memory_mb():.0f} MB", flush=True)
    await asyncio.gather(*clients)
    growth = server.memory_mb() / settled - 1
    sorted_seconds = sorted(found.first_seconds)
    print(
        f"{dict(found.counts)};"
        f" memory {settled:.0f} -> {server.memory_mb():.0f} MB ({growth:+.1%});"
        f" first bytes p50 {1000 * sorted_seconds[len(sorted_seconds) // 2]:.0f} ms,"
        f" p99 {1000 * sorted_seconds[int(0.99 * len(sorted_seconds))]:.0f} ms"
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    model = Model(options.model)
    asked = wishes(random.Random(1))
    texts = [own_text(model, wish) for wish in asked]
    with Server(f"m={options.model}") as server:
        asyncio.run(crowd(server, asked, texts, options.minutes))


if __name__ == "__main__":
    main()
