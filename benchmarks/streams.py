"""A million lines through `sparrow predict`: lines per second and peak memory of the process.

    python -m benchmarks.streams MODEL [MODEL ...] [--lines 10000 100000 1000000]

The lines are those of the data sets of the benchmarks, over and over, numbered so that no two are
alike. Memory must not grow with the number of lines.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks.classification_data import SOURCES, rows_of
from benchmarks.matching import SETS, read_pairs
from sparrowlm.runtime.directory import ModelDirectory

_LOOK_SECONDS = 0.1


def write_lines(path: Path, kind: str, count: int) -> None:
    """Write texts, or pairs of them for a matcher."""
    if kind == "match":
        rows = [f"{pair.first}\t{pair.second}" for pair in read_pairs(SETS["atec"][0])]
        head = "text1\ttext2\n"
    else:
        source = SOURCES["thucnews"]
        rows, head = [text for text, _label in rows_of(source, source.train)], ""
    with path.open("w", encoding="utf-8") as file:
        file.write(head)
        for number, row in enumerate(islice(cycle(rows), count)):
            file.write(f"{row}{number}\n")


def measured(model: Path, kind: str, file: Path, output: Path) -> tuple[float, float]:
    """Return seconds and mebibytes of one process."""
    verb = "match" if kind == "match" else "predict"
    command = [sys.executable, "-m", "sparrowlm", verb, str(model), "--file", str(file)]
    began = time.monotonic()
    with output.open("wb") as answers:
        process = subprocess.Popen(command, stdout=answers, stderr=subprocess.DEVNULL)
        most = 0.0
        while process.poll() is None:
            most = max(most, peak_mib(process.pid))
            time.sleep(_LOOK_SECONDS)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: status {process.returncode}")
    return time.monotonic() - began, most


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has had; not getrusage, which counts its parent's."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return found[0] / 1024 if found else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--lines", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    options = parser.parse_args()
    for model in options.models:
        kind = ModelDirectory(model).manifest["kind"]
        for count in options.lines:
            with tempfile.TemporaryDirectory() as folder:
                suffix = "tsv" if kind == "match" else "txt"
                file, output = Path(folder) / f"lines.{suffix}", Path(folder) / "answers.jsonl"
                write_lines(file, kind, count)
                seconds, megabytes = measured(model, kind, file, output)
                with output.open("rb") as answers:
                    num_answers = sum(1 for _line in answers)
            print(
                f"{model.name} ({kind}) | {count:,} lines | {num_answers:,} answers |"
                f" {count / seconds:,.0f} lines/s | {megabytes:,.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
