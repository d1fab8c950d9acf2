"""What breaks between here and a large model: every call ends in time, with an answer or a reason.

    python -m benchmarks.large_faults [--calls 100] [--deadline 0.6]

A proxy between the client and a deterministic stand-in, both on loopback, breaks things in one way
after another. For each way and both forms (at once, as a stream) so many calls are made, eight at a
time, the circuit breaker switched off so that every call meets the fault; the slowest is held
against the deadline. Then, for every way that gives no answer, a client with its breaker is asked
until the breaker opens, and again after the fault is gone.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import sys
import time

from benchmarks.stand_ins import FAULTS, HARMLESS, MODEL, FaultProxy, StandIn
from sparrowlm.cooperation.large import (
    AsyncLargeModel,
    ChatRequest,
    LargeFailure,
    LargeSettings,
    Message,
    Patience,
    Persistence,
)

NEVER = 1_000_000_000


def chat(text: str) -> ChatRequest:
    return ChatRequest((Message("user", text),))


def client(url: str, deadline_s: float, breaker_failures: int) -> AsyncLargeModel:
    patience = Patience(deadline_s=deadline_s, first_byte_s=deadline_s / 3, idle_s=deadline_s / 3)
    persistence = Persistence(
        first_wait_s=0.01, breaker_failures=breaker_failures, breaker_rest_s=0.2
    )
    return AsyncLargeModel(
        LargeSettings(url, MODEL, patience=patience, persistence=persistence, max_concurrent=8)
    )


async def one(large: AsyncLargeModel, text: str, *, is_stream: bool) -> tuple[str, float]:
    began = time.perf_counter()
    try:
        if is_stream:
            said = "".join([piece async for piece in large.stream(chat(text))])
        else:
            said = (await large.ask(chat(text))).text
        outcome = "answer" if said == "You said: " + text else "WRONG ANSWER"
    except LargeFailure as failure:
        outcome = failure.kind
    except Exception as error:
        outcome = f"UNTYPED {type(error).__name__}"
    return outcome, time.perf_counter() - began


async def torment(url: str, num_calls: int, deadline_s: float) -> list[tuple[str, float]]:
    found = []
    async with client(url, deadline_s, NEVER) as large:
        for start in range(0, num_calls, 8):
            numbers = range(start, min(start + 8, num_calls))
            found += await asyncio.gather(
                *(one(large, f"第{n}个问题", is_stream=bool(n % 2)) for n in numbers)
            )
    return found


async def breaker(proxy: FaultProxy, fault: str, deadline_s: float) -> tuple[int, bool]:
    """Return how many requests came before the breaker opened, and whether it recovered."""
    proxy.fault = fault
    async with client(proxy.url, deadline_s, 5) as large:
        num_calls = 0
        while large.breaker_state == "closed" and num_calls < 10:
            await one(large, f"breaker {num_calls}", is_stream=False)
            num_calls += 1
        is_open = large.breaker_state == "open"
        proxy.fault = "none"
        await asyncio.sleep(0.25)
        outcome, _took = await one(large, "back?", is_stream=False)
        return num_calls if is_open else -1, outcome == "answer"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100, help="per fault, half of them streams")
    parser.add_argument("--deadline", type=float, default=0.6, help="seconds")
    options = parser.parse_args()
    is_bad = False
    with StandIn() as stand_in, FaultProxy(stand_in) as proxy:
        asyncio.run(torment(proxy.url, 8, 5.0))
        print(f"deadline {options.deadline} s, bar {1.1 * options.deadline:.2f} s")
        print(f"{'fault':18} {'slowest':>8}  breaker opens after, recovers; outcomes")
        for fault in FAULTS:
            proxy.fault = fault
            found = asyncio.run(torment(proxy.url, options.calls, options.deadline))
            slowest = max(took for _outcome, took in found)
            counts = collections.Counter(outcome for outcome, _took in found)
            opened = ""
            if fault not in HARMLESS:
                num_calls, is_back = asyncio.run(breaker(proxy, fault, options.deadline))
                opened = f"{num_calls} calls, {'yes' if is_back else 'NO'}"
                is_bad = is_bad or not 1 <= num_calls <= 5 or not is_back
            is_bad = (
                is_bad
                or slowest > 1.1 * options.deadline
                or any(name[0].isupper() for name in counts)
            )
            is_bad = is_bad or (fault in HARMLESS) != (set(counts) == {"answer"})
            print(f"{fault:18} {slowest:6.3f} s  {opened:18} {dict(counts)}", flush=True)
    sys.exit(1 if is_bad else 0)


if __name__ == "__main__":
    main()
