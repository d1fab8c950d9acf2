"""kill -9 at random moments: every directory loads, every resumed run ends with the same bytes.

    python -m benchmarks.kills [--kills 40] [--kinds ngram tokenizer vectors lstm ...]

For each kind a training is run once undisturbed; then the same training is started with --resume
and killed again and again at random moments, also inside saves, until the asked number of kills is
reached, a finished run beginning anew. After every kill the directory must load, or hold no model
yet; after every finished run the files must be those of the undisturbed one. The tokenizer's kills
fall into an n-gram training whose text has so many different words that learning byte pairs takes
most of the time.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sparrowlm import api

TEXT = "the cat sat on the mat. the dog sat on the log. a bird sang in the tree. "


def text(kind: str) -> str:
    chance = random.Random(0)
    if kind != "tokenizer":
        words, num_lines = TEXT.split(), 4_000
    else:
        words = ["".join(chance.choices(string.ascii_lowercase, k=9)) for _word in range(60_000)]
        num_lines = 12_000
    return "\n".join(" ".join(chance.choices(words, k=12)) for _line in range(num_lines))


def start(source: Path, output: Path, kind: str) -> subprocess.Popen[bytes]:
    model = ["ngram", "--tokenizer", "bpe"] if kind == "tokenizer" else [kind]
    words = ["train", str(source), "-o", str(output), "--model", *model, "--steps", "150"]
    return subprocess.Popen(
        [sys.executable, "-m", "sparrowlm", *words, "--seed", "3", "--resume"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def files_of(output: Path) -> dict[str, object]:
    return json.loads((output / "sparrow.json").read_text(encoding="utf-8"))["files"]


def loads_or_is_empty(output: Path) -> bool:
    if not (output / "sparrow.json").exists() and not (output / ".incoming").exists():
        return True
    api.load(output)
    return True


def torment(source: Path, directory: Path, kind: str, num_kills: int) -> dict[str, int]:
    whole = directory / f"{kind}-whole"
    began = time.perf_counter()
    start(source, whole, kind).wait()
    length = time.perf_counter() - began
    expected = files_of(whole)
    chance = random.Random(kind)
    output = directory / f"{kind}-killed"
    counts = {"kills": 0, "finished": 0, "different": 0}
    while counts["kills"] < num_kills:
        process = start(source, output, kind)
        time.sleep(chance.uniform(0.3, length))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
            counts["kills"] += 1
            loads_or_is_empty(output)
            continue
        counts["finished"] += 1
        counts["different"] += files_of(output) != expected
        shutil.rmtree(output)
    start(source, output, kind).wait()
    counts["finished"] += 1
    counts["different"] += files_of(output) != expected
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=40, help="per kind")
    kinds = ["ngram", "tokenizer", "vectors", "lstm", "transformer", "mixture"]
    parser.add_argument("--kinds", nargs="+", default=kinds, choices=kinds)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        for kind in options.kinds:
            source = Path(directory) / f"{kind}.txt"
            source.write_text(text(kind), encoding="utf-8")
            counts = torment(source, Path(directory), kind, options.kills)
            failed = failed or counts["different"] > 0
            print(kind, counts, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
