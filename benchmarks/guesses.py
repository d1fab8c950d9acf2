"""Reading ahead what will probably come: is the text the same, and when does it pay?

    python -m benchmarks.guesses MODEL TEXT [--prompts 1000] [--tokens 48] [--rounds 5]

MODEL is a directory with a Transformer, or a mixture, whose network is taken; TEXT is a text it has
not seen. In float32, 8 and 4 bits: the likeliest continuation of 1,000 passages with and without
guesses (always as many as possible, so that nothing depends on times), which must be equal; then
the time of reading id by id, guesses chosen by what they cost, against none: of a passage that
repeats itself (what an answer does that quotes its prompt), of the text as it is, and of the
model's own greedy continuations.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import sparrowlm as sp
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import network_of
from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime.gguf_files import model_files

# The compiled part has no types.
Native = Any
_FORMS = ("float32", "int8", "int4")
_PASSAGE, _REPEATS = 120, 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=48, help="of each continuation")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    files = model_files(options.model)
    network = network_of(files)
    if network is None:
        raise SystemExit("The model has no Transformer.")
    ids = np.asarray(network.codec.encode(options.text.read_text(encoding="utf-8")), dtype=np.int32)
    print(f"{sp.load(options.model).num_bytes():,} bytes, {len(ids):,} ids of text")
    for form in _FORMS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            write_gguf(path, GgufParts(network=replace(network, form=form)))
            decoder = native_part().Decoder(np.fromfile(path, dtype=np.uint8))
            same = sum(is_same(decoder, prompt, options.tokens) for prompt in prompts(ids, options))
            print(f"{form}: {same} of {options.prompts} continuations are the same")
            # A passage that the window still holds when it comes again.
            passage = min(_PASSAGE, network.shape.context_tokens // 4)
            show_times(decoder, ids, passage, options.rounds)


def prompts(ids: np.ndarray, options: argparse.Namespace) -> list[np.ndarray]:
    step = max((len(ids) - 64) // options.prompts, 1)
    return [ids[i * step % (len(ids) - 64) :][:64] for i in range(options.prompts)]


def is_same(decoder: Native, prompt: np.ndarray, count: int) -> bool:
    session = decoder.start()
    decoder.read(session, prompt[:-1], True)
    plain = decoder.continue_greedily(session, int(prompt[-1]), count)
    guessed, _seconds, _ahead = greedy(decoder, prompt, count, "always")
    return bool((plain == guessed).all())


def greedy(
    decoder: Native, prompt: np.ndarray, count: int, how: str
) -> tuple[list[int], float, Native]:
    """Continue a prompt; return the ids, the seconds without the prompt, and what guessed."""
    session, found = decoder.start(), []
    decoder.read(session, prompt[:-1], True)
    ahead = guessing(decoder, session, how)
    last, began = int(prompt[-1]), time.perf_counter()
    for _token in range(count):
        last = int(decoder.read_ahead(ahead, last)[0].argmax())
        found.append(last)
    return found, time.perf_counter() - began, ahead


def guessing(decoder: Native, session: Native, how: str) -> Native:
    ahead = decoder.look_ahead(session)
    if how == "never":
        ahead.limit(1)
    elif how == "always":
        ahead.insist()
    return ahead


def forced(decoder: Native, ids: np.ndarray, how: str) -> float:
    """Read ids one by one, as if each had been drawn; return the seconds."""
    ahead = guessing(decoder, session := decoder.start(), how)
    began = time.perf_counter()
    for number in ids:
        decoder.read_ahead(ahead, int(number))
    del session
    return time.perf_counter() - began


def show_times(decoder: Native, ids: np.ndarray, passage: int, rounds: int) -> None:
    repeated = np.tile(ids[:passage], _REPEATS)
    plain = ids[: len(repeated)]
    prompt = ids[:64]
    works = {
        "a passage that repeats itself": lambda how: forced(decoder, repeated, how),
        "the text as it is": lambda how: forced(decoder, plain, how),
        "its own continuation": lambda how: greedy(decoder, prompt, 300, how)[1],
    }
    for name, work in works.items():
        ratios = []
        for _round in range(rounds):
            # By turns, each the better of two: other work on the machine meets both.
            never, chosen = (min(work(how), work(how)) for how in ("never", "chosen"))
            ratios.append(never / chosen)
        print(
            f"  {name}: {statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
