"""Damaged GGUF files: no crash, no read outside, no second of work, no half gigabyte of memory.

    python -m benchmarks.hostile_files [--mutants 1000000] [--file MODEL.gguf ...]
    python -m benchmarks.hostile_files --patterns 20000     patterns and JSON schemas instead

The engine is compiled twice with $CXX (g++): with AddressSanitizer and UndefinedBehaviorSanitizer,
and plain under a limit of 512 MiB of address space. Without --file small models of every kind that
the engine knows are made: tokenizers of characters, byte pairs and words, all forms of matrices,
recurrent networks, mixtures, a counting model alone, an encoder, a classifier, a tagger. Mutants
are shared out evenly.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "native"
_MOST_BYTES = 512 << 20
_SANITIZED = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
_PLAIN = ["-O2"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=1_000_000)
    parser.add_argument("--patterns", type=int, default=0)
    parser.add_argument("--file", type=Path, nargs="+", dest="files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = options.files or small_files(folder)
        if options.patterns:
            files = files[:3]
        share = (options.patterns or options.mutants) // (2 * len(files))
        main_file = "patterns" if options.patterns else "mutants"
        for kind, flags in (("sanitized", _SANITIZED), ("512 MiB", _PLAIN)):
            program = build(folder / kind.replace(" ", ""), flags, main_file)
            for file in files:
                run(program, file, share, options.seed, is_limited=flags is _PLAIN)


def build(program: Path, flags: list[str], main_file: str) -> Path:
    """Compile the engine and a program of native/fuzz."""
    sys.path.insert(0, str(NATIVE))
    from build_programs import ENGINE, X86_KERNELS, engine_sources, with_letters

    work = program.with_suffix(".work")
    work.mkdir()
    jobs = [(ENGINE / f"{name}.cpp", []) for name in engine_sources()]
    if os.uname().machine == "x86_64":
        jobs += [(ENGINE / f"{name}.cpp", more) for name, more in X86_KERNELS.items()]
    jobs.append((NATIVE / "fuzz" / f"{main_file}.cpp", []))
    common = ["-std=c++17", "-ffp-contract=off", "-pthread", f"-I{with_letters(work)}", *flags]
    common += ["-DWITH_AVX_VNNI", "-DWITH_AMX"]
    compiler = os.environ.get("CXX", "g++")

    def compiled(job: tuple[Path, list[str]]) -> Path:
        source, more = job
        target = work / f"{source.stem}.o"
        subprocess.run([compiler, *common, *more, "-c", source, "-o", target], check=True)
        return target

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compiled, jobs))
    subprocess.run([compiler, *flags, "-pthread", *objects, "-o", program], check=True)
    return program


def run(program: Path, file: Path, count: int, seed: int, *, is_limited: bool) -> None:
    began = time.perf_counter()
    environment = {**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1"}
    done = subprocess.run(
        [program, file, str(count), str(seed)], capture_output=True, text=True, check=False,
        env=environment, preexec_fn=limited if is_limited else None,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    print(f"{program.name:10s} {file.stem:20s} {done.stdout.strip()}, {seconds:.0f} s", flush=True)
    if done.returncode:
        sys.exit(f"{file}: exit {done.returncode}\n{done.stderr[-4000:]}")


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))


def small_files(folder: Path) -> list[Path]:
    """Make a small model of every kind."""
    sys.path[:0] = [str(ROOT / "tests")]
    from gguf_models import (
        gguf_mixture,
        gguf_model,
        gguf_ngram,
        gguf_recurrent,
        gguf_recurrent_mixture,
    )
    from small_models import small_codec
    from small_understanding import small_classifier, small_encoder, small_tagger

    forms = ("float32", "bfloat16", "int8", "int6", "int5", "int4", "int3")
    files = [
        gguf_model(folder / f"{kind}-{form}.gguf", form, small_codec(kind), num_layers=1)
        for kind, form in zip(("character", "bpe", "word") * 3, forms, strict=False)
    ]
    files += [
        gguf_recurrent(folder / f"{kind}-{form}.gguf", kind, form)
        for kind, form in (("rnn", "int6"), ("lstm", "int4"), ("lstm", "float32"))
    ]
    return [
        *files,
        gguf_mixture(folder / "mixture.gguf", "int4"),
        gguf_recurrent_mixture(folder / "lstm-mixture.gguf", "int5"),
        gguf_ngram(folder / "ngram.gguf"),
        small_encoder(folder / "encoder.gguf"),
        small_classifier(folder / "classifier.gguf"),
        small_tagger(folder / "tagger.gguf"),
    ]


if __name__ == "__main__":
    main()
