"""The server beside the engine it asks: what HTTP costs, what company gains, how soon it is up.

    python -m benchmarks.serving FOLDER [--streams 32] [--tokens 128]

A model of 10M random parameters in 8 bits is made in FOLDER. The texts are the same everywhere;
what the server answers is compared with what the engine writes. Streams are read by a client that
does as little as it can, on the same cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import engine_models
from benchmarks.servers import Server, answers, request, text_of
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


def written_over_http(
    place: tuple[str, int], asked: Sequence[dict], *, at_once: int
) -> tuple[float, list[str]]:
    """Return seconds and texts, so many streams at once."""
    requests = [request({**wish, "stream": True}) for wish in asked]
    began = time.monotonic()
    contents = answers(place, requests, at_once=at_once)
    return time.monotonic() - began, [text_of(content) for content in contents]


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
    starts = []
    for _round in range(_ROUNDS):
        with Server(f"m={path}") as server:
            starts.append((server.seconds, server.memory_mb()))
    ready, idle_mb = sorted(starts)[_ROUNDS // 2]
    print(f"start to ready: {ready:.2f} s; idle: {idle_mb:.0f} MB")
    model = Model(path)
    asked = wishes(options.streams, options.tokens)
    shares, gains, served = [], [], []
    with Server(f"m={path}") as server:
        for _round in range(_ROUNDS):
            offline, texts = written_offline(model, asked)
            online, served_texts = written_over_http(server.place, asked, at_once=options.streams)
            assert served_texts == texts, "the server wrote other texts than the engine"
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


if __name__ == "__main__":
    main()
