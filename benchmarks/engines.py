"""Decoders beside llama.cpp, CTranslate2, ONNX Runtime GenAI and OpenVINO: same weights, same bits.

    python -m benchmarks.engines FOLDER [--sizes 1M 15M 60M] [--bits 8 4] [--threads 1] [--rounds 3]
        [--rivals PYTHON] [--llama DIRECTORY] [--avx2]

Models of random weights are written to FOLDER once. PYTHON is an interpreter with ctranslate2,
onnxruntime-genai, onnx-ir, openvino-genai, transformers and torch, as many of them as are to be
measured (default: this one); DIRECTORY holds llama-bench and llama-batched-bench, compiled with
GGML_NATIVE=ON. Engines take turns, each in a process of its own; the medians of the rounds are
shown, and how often ours is as fast as the best of the others. With --avx2 all do with AVX2, as on
most laptops: DIRECTORY holds programs compiled so, and GenAI, which cannot be told, is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine_models import BITS, NAMES, make

_HERE = Path(__file__).parent
_OURS, _LLAMA = "sparrow", "llama.cpp"
_PYTHONS = (_OURS, "ctranslate2", "genai", "openvino")
_STREAMS = (8, 32)
# What CTranslate2 and oneDNN (inside of OpenVINO) read.
_AVX2 = {"CT2_FORCE_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2", "KERNELS": "avx2"}
_TABLE = dict[str, dict[str, list[float]]]


@dataclass
class Case:
    """One size in one number of bits."""

    model: Path
    bits: int
    threads: int
    has_streams: bool

    @property
    def tasks(self) -> list[str]:
        streams = [f"streams:{count}" for count in _STREAMS] if self.has_streams else []
        return ["decode", "prompt", *streams]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="+", choices=NAMES, default=NAMES)
    parser.add_argument("--bits", nargs="+", type=int, choices=BITS, default=BITS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", default=sys.executable, help="an interpreter")
    parser.add_argument("--llama", type=Path, help="folder of llama.cpp's programs")
    parser.add_argument("--avx2", action="store_true", help="as on a machine without more")
    options = parser.parse_args()
    if options.avx2:
        os.environ.update(_AVX2)
    known = ["avx2 (of more)"] if options.avx2 else instruction_sets()
    print(f"{' '.join(known)}; {options.threads} thread(s)", flush=True)
    for name in options.sizes:
        make(options.folder / name, name)
        convert(options.rivals, options.folder / name)
        for bits in options.bits:
            case = Case(options.folder / name, bits, options.threads, has_streams=name == "15M")
            show(f"{name}, {bits} bits", measure(case, options))


def convert(python: str, folder: Path) -> None:
    """Let the rivals' own converters write their files."""
    command = [python, str(_HERE / "engine_models.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"not all converted: {done.stderr.strip().splitlines()[-1:]}", flush=True)


def measure(case: Case, options: argparse.Namespace) -> _TABLE:
    found: _TABLE = {}
    for _round in range(options.rounds):
        for engine, figures in one_round(case, options):
            for task, value in figures.items():
                found.setdefault(task, {}).setdefault(engine, []).append(value)
    return found


def one_round(case: Case, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, float]]]:
    for engine in _PYTHONS:
        if engine == "ctranslate2" and not (case.model / f"{engine}-int{case.bits}").exists():
            continue
        if engine == "genai" and options.avx2:
            continue
        python = sys.executable if engine == _OURS else options.rivals
        figures = from_python(python, engine, case)
        if figures is not None:
            yield engine, figures
    if options.llama:
        yield _LLAMA, from_llama(options.llama, case)


def from_python(python: str, engine: str, case: Case) -> dict[str, float] | None:
    words = [engine, str(case.model), str(case.bits), str(case.threads), *case.tasks]
    # Otherwise threads of libraries that are not measured would turn beside those that are.
    quiet = {**os.environ, "OMP_NUM_THREADS": str(case.threads), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, str(_HERE / "engine_rivals.py"), *words],
        capture_output=True, text=True, check=False, env=quiet,
    )  # fmt: skip
    if done.returncode:
        print(f"{engine} is left out: {done.stderr.strip().splitlines()[-1:]}", flush=True)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def from_llama(folder: Path, case: Case) -> dict[str, float]:
    """Return the better of its two ways of attention for every task."""
    best: dict[str, float] = {}
    for flash in ("0", "1"):
        common = ["-m", str(case.model / f"int{case.bits}.gguf"), "-t", str(case.threads)]
        for task, value in llama_tasks(folder, [*common, "-fa", flash], case):
            best[task] = max(best.get(task, 0.0), value)
    return best


def llama_tasks(folder: Path, common: list[str], case: Case) -> Iterator[tuple[str, float]]:
    rows = json.loads(
        output(folder / "llama-bench", [*common, "-p", "512", "-n", "128", "-o", "json"])
    )
    for row in rows:
        yield "prompt" if row["n_prompt"] else "decode", row["avg_ts"]
    if case.has_streams:
        counts = ",".join(map(str, _STREAMS))
        words = ["-npp", "16", "-ntg", "64", "-npl", counts, "-c", "4096"]
        text = output(folder / "llama-batched-bench", [*common, *words, "--output-format", "jsonl"])
        for line in text.splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                yield f"streams:{row['pl']}", row["speed_tg"]


def output(program: Path, words: list[str]) -> str:
    done = subprocess.run([program, *words], capture_output=True, text=True, check=True)
    return done.stdout


def show(title: str, found: _TABLE) -> None:
    print(f"\n{title}: tokens a second, medians")
    for task, engines in found.items():
        medians = {engine: statistics.median(values) for engine, values in engines.items()}
        others = {engine: value for engine, value in medians.items() if engine != _OURS}
        columns = "  ".join(f"{engine} {value:,.0f}" for engine, value in medians.items())
        best = max(others, key=others.__getitem__, default=None)
        ratio = f"  ours is {medians[_OURS] / others[best]:.2f} x {best}" if best else ""
        print(f"  {task:12s} {columns}{ratio}", flush=True)


def instruction_sets() -> list[str]:
    """Return which of the sets that matter the processor says to have."""
    wanted = ("avx2", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp")
    try:
        known = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return ["instruction sets unknown"]
    return [name for name in wanted if name in known]


if __name__ == "__main__":
    main()
