"""Whole processes: `sparrow --help` and `sparrow next` on saved models, and whether torch came in.

python -m benchmarks.start_up [--runs 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sparrowlm import api

TEXT = "the cat sat on the mat. the dog sat on the log. a bird sang in the tree. " * 400


def seconds(words: list[str], runs: int) -> list[float]:
    command = [sys.executable, "-m", "sparrowlm", *words]
    found = []
    for _run in range(runs + 1):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - began)
    return found[1:]


def imports_torch(words: list[str]) -> bool:
    program = (
        "import sys; from sparrowlm.cli.guard import run_guarded\n"
        f"run_guarded({words!r}); sys.stderr.write(str('torch' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True,
        env=os.environ,
    )  # fmt: skip
    return done.stderr.endswith("True")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        cases = {"--help": ["--help"]}
        for kind in ("ngram", "lstm", "transformer", "mixture"):
            path = Path(directory) / kind
            api.train([TEXT], output=path, model=kind, steps=20)
            cases[f"next, {kind}"] = ["next", str(path), "the cat"]
        for name, words in cases.items():
            found = seconds(words, options.runs)
            print(
                f"{name:20} median {statistics.median(found):.3f} s  "
                f"({min(found):.3f} to {max(found):.3f})  torch imported: {imports_torch(words)}"
            )


if __name__ == "__main__":
    main()
