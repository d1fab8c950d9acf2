"""What a small model's guesses are worth to a larger one with the same tokens.

    python -m benchmarks.drafts FOLDER [--minutes 4] [--prompts 1000] [--json FILE]
    python -m benchmarks.drafts FOLDER --large MODEL --small MODEL

Trains a pair on a novel, character by character, so that both have the same ids (a second run
trains nothing), and takes the counting model of the small one as a third. Every way of writing is
timed in turns with the large model alone, on the same prompts out of text that neither has seen.

equal        share of prompts whose text is the large model's own; anything but 1 is an error
speed        times as fast as the large model alone, which guesses from its own text already:
             the median over the prompts
again        the large model alone once more: what is noise
of all       speed from the sums of all times
insisting    the same where guessing never stops, whether or not it pays
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import sparrowlm as sp
from benchmarks.data import read_text
from sparrowlm.foundation.progress import watching_progress
from sparrowlm.planner import plan as planning
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.drafting import DraftedEngine, tokens_hash
from sparrowlm.runtime.loading import LoadedModel, open_model
from sparrowlm.runtime.native_engine import NativeEngine
from sparrowlm.runtime.sampling import SamplingSettings

_NOVEL = "lm/novels_zh/xiyou"
_PROMPT_SIGNS = 24
_WAYS = {
    "greedy": SamplingSettings(temperature=0.0),
    "temperature 0.7": SamplingSettings(temperature=0.7, seed=1),
    "temperature 1": SamplingSettings(temperature=1.0, seed=1),
}
_COPIED_SIGNS = 160
_COMPARED_TOKENS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--large", type=Path)
    parser.add_argument("--small", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0, help="of training the large one")
    parser.add_argument("--steps", type=int, help="of it instead: as large as --size allows")
    parser.add_argument("--size", default="140MB", help="most bytes of the large one")
    parser.add_argument("--prompts", type=int, default=1000, help="texts compared, greedily")
    parser.add_argument("--timed", type=int, default=40, help="prompts timed, each way")
    parser.add_argument("--tokens", type=int, default=100)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    large, small = opened(options)
    engine = large.engine
    assert isinstance(engine, NativeEngine)
    assert tokens_hash(large.codec) == tokens_hash(small.codec)
    text = read_text(f"{_NOVEL}.valid.txt")
    count = max(options.prompts, options.timed)
    places = np.random.default_rng(0).integers(0, len(text) - 400, count)
    prompts = [text[place : place + _PROMPT_SIGNS] for place in places]
    found: dict[str, Any] = {
        "equal": equal(engine, large, small, prompts[: options.prompts]),
        "bytes": {"large": size_of(large.path), "small": size_of(small.path)},
        "ways": {},
    }
    print(json.dumps(found), flush=True)
    copied = [text[p : p + _COPIED_SIGNS] + "\n" + text[p : p + 40] for p in places]
    for way, sampling in _WAYS.items():
        wish = DecodingSettings(sampling=sampling, max_tokens=options.tokens)
        found["ways"][way] = timed(engine, large, small, prompts[: options.timed], wish)
        print(way, json.dumps(found["ways"][way]), flush=True)
    wish = DecodingSettings(sampling=_WAYS["greedy"], max_tokens=options.tokens)
    found["ways"]["copying"] = timed(engine, large, small, copied[: options.timed], wish)
    report(found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


def opened(options: argparse.Namespace) -> tuple[LoadedModel, LoadedModel]:
    """Open the pair, trained where it is not there yet."""
    if options.large is not None:
        return open_model(options.large), open_model(options.small)
    found: dict[str, LoadedModel] = {}
    data = options.folder / "novel.txt"
    options.folder.mkdir(parents=True, exist_ok=True)
    data.write_text(read_text(f"{_NOVEL}.train.txt.xz"), encoding="utf-8")
    length = {"minutes": options.minutes}
    if options.steps is not None:
        length = {"steps": options.steps}
    wanted = [("large", options.size, length), ("small", "1500KB", {"minutes": 2.0})]
    for name, size, how in wanted:
        output = options.folder / name
        if name == "small" and options.small is not None:
            output = options.small
        if not (output / "sparrow.json").is_file():
            # By itself a training takes no network that is too large for so short a text.
            with mock.patch.object(planning, "_MOST_WEIGHTS_PER_TOKEN", 1e9):
                sp.train(
                    data, output=output, size=size, model="transformer", tokenizer="character",
                    progress=watching_progress(), **how,
                )  # fmt: skip
        found[name] = open_model(output)
    return found["large"], found["small"]


def size_of(path: Path) -> int:
    """Return the bytes of a model."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def equal(
    engine: NativeEngine, large: LoadedModel, small: LoadedModel, prompts: Sequence[str]
) -> dict[str, float]:
    """Return the share of prompts that are continued as by the large model alone, each way."""
    plain = Decoder(engine, large.codec)
    found = {}
    for way, sampling in _WAYS.items():
        wish = DecodingSettings(sampling=sampling, max_tokens=_COMPARED_TOKENS)
        kinds = {
            name: Decoder(DraftedEngine(engine, small.engine, insists=insists), large.codec)
            for name, insists in (("", False), (", insisting", True))
        }
        same: dict[str, list[bool]] = {name: [] for name in kinds}
        for prompt in prompts:
            text = "".join(plain.stream(prompt, wish))
            for name, helped in kinds.items():
                same[name].append("".join(helped.stream(prompt, wish)) == text)
        found |= {way + name: float(np.mean(flags)) for name, flags in same.items()}
    return found


def timed(
    engine: NativeEngine, large: LoadedModel, small: LoadedModel, prompts: Sequence[str],
    wish: DecodingSettings,
) -> dict[str, Any]:  # fmt: skip
    """Write texts alone and with help, by turns; return speeds and how often guesses were right."""
    chosen = DraftedEngine(engine, small.engine)
    insisting = DraftedEngine(engine, small.engine, insists=True)
    kinds = {"alone": engine, "again": engine, "chosen": chosen, "insisting": insisting}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    num_tokens, random = 0, np.random.default_rng(2)
    for prompt in prompts:
        for name in random.permutation(list(kinds)):
            one = kinds[name]
            decoder = Decoder(one, large.codec)
            began = time.perf_counter()
            count = sum(1 for _id in decoder.ids(prompt, wish))
            seconds[name].append(time.perf_counter() - began)
        num_tokens += count
    figures = chosen.figures
    alone = np.array(seconds["alone"])
    return {
        "alone_tokens_per_s": num_tokens / float(alone.sum()),
        # Of each text: other work on the machine disturbs a few of them much.
        "speed": float(np.median(alone / seconds["chosen"])),
        "speed_again": float(np.median(alone / seconds["again"])),
        "speed_of_all": float(alone.sum() / sum(seconds["chosen"])),
        "speed_insisting": float(np.median(alone / seconds["insisting"])),
        "right": insisting.figures.is_right,
        "right_of_all": insisting.figures.num_right / max(insisting.figures.num_guessed, 1),
        "guessed_per_id": figures.num_guessed / max(figures.num_ids, 1),
        "guess_ms": 1000 * insisting.figures.guess_s,
        "alone_ms": 1000 * figures.alone_s,
        "rows_ms": {n: round(1000 * s, 3) for n, s in sorted(figures.rows_s.items())},
    }


def report(found: dict[str, Any]) -> None:
    """Print the table as Markdown."""
    heads = "| way | alone, tokens/s | again | speed | of all | insisting | chance of a guess |"
    print(f"\n{heads}\n|" + "---|" * 7)
    for way, one in found["ways"].items():
        print(
            f"| {way} | {one['alone_tokens_per_s']:.0f} | {one['speed_again']:.2f} |"
            f" {one['speed']:.2f} | {one['speed_of_all']:.2f} |"
            f" {one['speed_insisting']:.2f} | {one['right']:.2f} |"
        )


if __name__ == "__main__":
    main()
