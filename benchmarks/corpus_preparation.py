"""How fast a corpus is prepared, and that memory stays constant for a file of any size.

    python benchmarks/corpus_preparation.py                       # MB/s, by kind of text
    python benchmarks/corpus_preparation.py --megabytes 200 --jobs 2 --tokenizer character
    python benchmarks/corpus_preparation.py --input my-novels/    # on one's own text
    python benchmarks/corpus_preparation.py --memory-limit 400    # MiB: a file of ten times that

Without --input the text is made here: words drawn by a power law, Chinese and English, a tenth of
the documents copies, one line in two hundred dirty (zero-width signs, mojibake, Windows line ends).
MB are 10**6 bytes of the file on disk. "clean + exact" is reading, decoding, cleaning and exact
duplicates; "all duplicates" adds the near ones; "whole" adds split, tokenizer and token files.
The last column does not depend on what else the machine is doing.

--memory-limit runs the preparation in a process of its own and prints its largest resident size.
Pages of mapped files count as resident although the system may drop them at any time, so the
process is also held to the limit: RLIMIT_DATA forbids it to allocate more.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sparrowlm.corpora.preparation import prepare_corpus
from sparrowlm.corpora.reading_stage import read_inputs
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.foundation.progress import SilentProgress

HAN = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"
KINDS = ("english.txt", "chinese.txt", "mixed.jsonl", "pages.html")


class Writer:
    """Draws text; the same seed draws the same text."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        letters = list("etaoinshrdlucmfwypvbgk")
        sizes = self.random.integers(2, 9, size=20_000)
        self.english = ["".join(self.random.choice(letters, size=n)) for n in sizes]
        common = [*HAN, *map(chr, range(0x4E00, 0x5600))]
        sizes = self.random.integers(1, 4, size=20_000)
        self.chinese = ["".join(self.random.choice(common, size=n)) for n in sizes]
        weights = 1 / np.arange(1, 20_001)
        self.pools: dict[bool, list[str]] = {True: [], False: []}
        self.number = 0
        self.cumulated = np.cumsum(weights / weights.sum())

    def words(self, words: list[str], number: int) -> list[str]:
        ranks = np.searchsorted(self.cumulated, self.random.random(number))
        return [words[min(rank, len(words) - 1)] for rank in ranks.tolist()]

    def paragraph(self, is_chinese: bool) -> str:
        """Return one of a few thousand paragraphs, made different by a running number."""
        pool = self.pools[is_chinese]
        if len(pool) < 3000:
            pool.append(self.new_paragraph(is_chinese))
        self.number += 1
        return f"{self.number} {pool[int(self.random.integers(len(pool)))]}"

    def new_paragraph(self, is_chinese: bool) -> str:
        number = int(self.random.integers(8, 120))
        if is_chinese:
            text = "，".join(
                "".join(self.words(self.chinese, 6)) for _ in range(max(number // 6, 1))
            )
            text += "。"
        else:
            text = " ".join(self.words(self.english, number)).capitalize() + "."
        if self.random.random() < 0.005:
            text = text[:9] + "\u200b" + text[9:] + " cafÃ©\r"
        return text

    def document(self, is_chinese: bool) -> list[str]:
        return [self.paragraph(is_chinese) for _ in range(int(self.random.integers(2, 12)))]


def make_file(path: Path, kind: str, num_bytes: int) -> None:
    """Write a file of at least num_bytes."""
    import json

    writer = Writer(1)
    pool: list[list[str]] = []
    written = 0
    with path.open("wb") as file:
        while written < num_bytes:
            is_chinese = kind == "chinese.txt" or (
                kind != "english.txt" and bool(writer.random.random() < 0.5)
            )
            if pool and writer.random.random() < 0.1:
                document = pool[int(writer.random.integers(len(pool)))]
            else:
                document = writer.document(is_chinese)
                pool = [*pool[-200:], document]
            if kind == "mixed.jsonl":
                text = json.dumps({"text": "\n".join(document)}, ensure_ascii=False) + "\n"
            elif kind == "pages.html":
                text = "".join(f"<p class='x'>{part}</p>\n" for part in document)
                text = f"<div><nav><a href='/'>home</a></nav>{text}</div>\n"
            else:
                text = "\n".join(document) + "\n\n\n\n"
            written += file.write(text.encode("utf-8"))


def size_of(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    return sum(file.stat().st_size for file in files)


def cpu_seconds() -> float:
    """Return the processor time of this process and of those that ended."""
    return sum(os.times()[:4])


def measured(path: Path, near: bool, jobs: int | None, place: Path) -> tuple[float, float]:
    """Return MB/s and MB per processor second of stage 1."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    settings = PreparationSettings(near_duplicates=near)
    began, cpu_began = time.perf_counter(), cpu_seconds()
    read_inputs([path], [], place, settings, SilentProgress(), jobs)
    megabytes = size_of(path) / 1e6
    return megabytes / (time.perf_counter() - began), megabytes / (cpu_seconds() - cpu_began)


def measured_whole(path: Path, tokenizer: str, jobs: int | None, place: Path) -> float:
    """Return MB/s of the whole preparation."""
    shutil.rmtree(place, ignore_errors=True)
    began = time.perf_counter()
    settings = PreparationSettings(tokenizer=tokenizer)  # type: ignore[arg-type]
    prepare_corpus([path], place, settings, jobs=jobs)
    return size_of(path) / 1e6 / (time.perf_counter() - began)


def speed(options: argparse.Namespace, work: Path) -> None:
    paths = [options.input] if options.input else []
    if not paths:
        for kind in KINDS:
            paths.append(work / kind)
            make_file(paths[-1], kind, options.megabytes * 1_000_000)
    print(
        f"{'':14} {'clean + exact':>14} {'all duplicates':>15} {'whole':>8}   MB/s"
        f"{'clean + exact':>16} per CPU second"
    )
    for path in paths:
        place = work / "corpus"
        exact, per_cpu = measured(path, False, options.jobs, place)
        near, _ = measured(path, True, options.jobs, place)
        whole = measured_whole(path, options.tokenizer, options.jobs, place)
        print(f"{path.name:14} {exact:14.1f} {near:15.1f} {whole:8.1f}       {per_cpu:16.1f}")


def held_to_limit(path: Path, limit_mib: int, work: Path, options: argparse.Namespace) -> None:
    """Prepare path in a process that may not allocate more than limit_mib MiB."""
    command = [
        sys.executable, __file__, "--child", str(path), "--jobs", str(options.jobs or 1),
        "--tokenizer", options.tokenizer, "--memory-limit", str(limit_mib),
        "--work", str(work / "corpus"),
    ]  # fmt: skip
    began = time.perf_counter()
    one_thread = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    result = subprocess.run(command, check=False, env=one_thread)  # threads have stacks, too
    seconds = time.perf_counter() - began
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    verdict = "finished" if result.returncode == 0 else f"FAILED ({result.returncode})"
    print(
        f"{path.name}: {size_of(path) / 2**20:,.0f} MiB within a limit of {limit_mib} MiB: "
        f"{verdict}, {size_of(path) / 1e6 / seconds:.1f} MB/s, "
        f"largest resident size {peak_mib:,.0f} MiB (mapped files included)"
    )
    sys.exit(result.returncode)


def child(options: argparse.Namespace) -> None:
    limit = options.memory_limit * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    settings = PreparationSettings(tokenizer=options.tokenizer, memory_limit_documents=100_000)
    prepare_corpus([Path(options.child)], Path(options.work), settings, jobs=options.jobs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=60, help="of each kind (default 60)")
    parser.add_argument("--input", type=Path, help="a file or folder of one's own")
    parser.add_argument("--jobs", type=int, help="processes that clean (default: derived)")
    parser.add_argument("--tokenizer", default="character", choices=("character", "bpe", "word"))
    parser.add_argument("--memory-limit", type=int, metavar="MiB", help="prove constant memory")
    parser.add_argument("--kind", default="mixed.jsonl", choices=KINDS, help="with --memory-limit")
    parser.add_argument("--work", help="where files are made (default: a temporary folder)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    with tempfile.TemporaryDirectory(dir=options.work) as name:
        work = Path(name)
        if options.memory_limit:
            path = work / options.kind
            make_file(path, options.kind, options.memory_limit * 10 * 2**20)
            held_to_limit(path, options.memory_limit, work, options)
        else:
            speed(options, work)


if __name__ == "__main__":
    main()
