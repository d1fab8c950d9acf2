"""Questions with personal data to a large model: what leaves, and what comes back.

    python -m benchmarks.masked_escalations [--calls 10000]

Every question goes through a masking client to a stand-in on loopback that keeps every byte it is
sent, head and body, and answers with the question repeated, every third one as a stream. Two of
three are Chinese. Counted are items that stand anywhere in the bytes received, as they are or as
JSON or a URL would write them, and answers that are not exactly what they would have been unmasked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from urllib.parse import quote

from benchmarks.stand_ins import MODEL, StandIn, personal_lines
from sparrowlm.cooperation.large import (
    AsyncLargeModel,
    AsyncMaskedLarge,
    ChatRequest,
    LargeSettings,
    Message,
)


async def escalate(url: str, lines: list[str]) -> int:
    """Return how many answers were restored exactly."""
    num_restored = 0
    async with AsyncLargeModel(LargeSettings(url, MODEL, max_concurrent=8)) as large:

        async def one(number: int, line: str) -> bool:
            masked = AsyncMaskedLarge(large)
            request = ChatRequest((Message("user", line),), seed=number)
            if number % 3 == 0:
                text = "".join([piece async for piece in masked.stream(request)])
            else:
                text = (await masked.ask(request)).text
            return text == "You said: " + line

        for start in range(0, len(lines), 64):
            part = enumerate(lines[start : start + 64], start)
            num_restored += sum(await asyncio.gather(*(one(n, line) for n, line in part)))
    return num_restored


def written(item: str) -> set[bytes]:
    """Return the ways in which an item may stand in what is sent."""
    ways = {item, json.dumps(item)[1:-1], quote(item), quote(item, safe="")}
    return {way.encode("utf-8") for way in ways}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    options = parser.parse_args()
    rows = personal_lines(options.calls, seed=99)
    with StandIn() as server:
        began = time.perf_counter()
        num_restored = asyncio.run(escalate(server.url, [line for line, *_ in rows]))
        took = time.perf_counter() - began
        received = bytes(server.received)
    leaked = [
        line[start:end]
        for line, _kind, start, end in rows
        if any(way in received for way in written(line[start:end]))
    ]
    each_ms = 1000 * took / len(rows)
    print(f"{len(rows)} escalations, {len(received) / 1e6:.1f} MB sent, {each_ms:.1f} ms each")
    print(f"raw items sent: {len(leaked)}; answers restored: {num_restored / len(rows):.4%}")
    for item in leaked[:10]:
        print("LEAKED", item)
    sys.exit(0 if not leaked and num_restored == len(rows) else 1)


if __name__ == "__main__":
    main()
