"""What a model that exists already is worth to the next one: teachers, going on, few examples.

    python -m benchmarks.transfer distil thucnews --minutes 3
    python -m benchmarks.transfer going-on shopping chnsenticorp --minutes 3
    python -m benchmarks.transfer few chnsenticorp thucnews --from ENCODER --minutes 0.5

distil     a model of half of the labels teaches one that has few of them, or none, and the texts
           of the other half, which the teacher never saw
going-on   old data, then new: alone, from the old model, with its answers kept, with old data
           replayed
few        so many examples a label, from nothing and from an encoder that has only read:
           sparrow train TEXTS -o ENCODER --task complete --model encoder --minutes 9

All figures are accuracy on the test parts (dev parts with --dev), the n-gram floor in brackets.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import sparrowlm as sp
from benchmarks.classification_data import SOURCES, Rows, Source, rows_of
from sparrowlm.foundation.progress import watching_progress

_VIRUS = "sentiment/smp2020_ewect_virus/"
PARTS = {
    **SOURCES,
    "virus": Source(_VIRUS + "train.tsv.xz", _VIRUS + "dev.tsv.xz",
                    {"test": _VIRUS + "test_unseen.tsv.xz"}),
}  # fmt: skip
_STUDENT_LABELLED = 500
_TRANSFERS = ("full", "frozen", "adapters", "gradual")


class Bench:
    """Files and trainings in one folder."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options

    def file(self, name: str, rows: Rows) -> Path:
        path = self._folder / f"{name}.jsonl"
        lines = (json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def texts(self, name: str, rows: Rows) -> Path:
        path = self._folder / f"{name}.txt"
        path.write_text("\n".join(text for text, _label in rows), encoding="utf-8")
        return path

    def judged_on(self, name: str) -> Path:
        source = PARTS[name]
        path = source.dev if self._options.dev else next(iter(source.tests.values()))
        assert path is not None
        return self.file(f"{name}-judged", rows_of(source, path))

    def train(self, name: str, data: Path, **dials: Any) -> sp.Model:  # noqa: ANN401
        began = time.monotonic()
        settings = {"minutes": self._options.minutes, "size": self._options.size} | dials
        model = sp.train(
            data, output=self._folder / name, task="classify", model=self._options.model,
            seed=self._options.seed, progress=watching_progress(), **settings,
        )  # fmt: skip
        bytes_ = sum(path.stat().st_size for path in (self._folder / name).iterdir())
        seconds = time.monotonic() - began
        weights = model.info()["task"]["blend"]["weights"]
        print(f"# {name}: {seconds:.0f} s, {bytes_ / 1e6:.2f} MB, {weights}", flush=True)
        return model

    def directory(self, name: str) -> Path:
        return self._folder / name


def shown(model: sp.Model, *files: Path) -> str:
    cells = []
    for file in files:
        table = model.evaluate([file])
        floor = 100 * table.get("floor", table)["accuracy"]
        error = table["calibration_error"]
        cells.append(f"{100 * table['accuracy']:.2f} ({floor:.2f}) ece {error:.3f}")
    return " | ".join(cells)


def distil(bench: Bench, names: list[str], options: argparse.Namespace) -> None:
    """Few labels, many texts: alone, taught, taught without any label, and with all labels."""
    for name in names:
        rows = rows_of(PARTS[name], PARTS[name].train)
        order = np.random.default_rng(options.seed).permutation(len(rows)).tolist()
        half = len(rows) // 2
        known, unknown = [rows[i] for i in order[:half]], [rows[i] for i in order[half:]]
        few, more = known[:_STUDENT_LABELLED], unknown[: options.unlabelled]
        judged = bench.judged_on(name)
        teacher = bench.train("teacher", bench.file("known", known))
        print(f"{name} teacher {shown(teacher, judged)}", flush=True)
        small = {"size": options.student_size}
        few_file, more_file = bench.file("few", few), bench.texts("more", more)
        taught = {**small, "teacher": bench.directory("teacher")}
        students = {
            "alone": (few_file, small),
            "reads more": (few_file, {**small, "unlabelled": more_file}),
            "taught": (few_file, {**taught, "unlabelled": more_file}),
            "taught, no labels": (more_file, taught),
            "all labels": (bench.file("all", few + more), small),
        }
        for student, (data, dials) in students.items():
            model = bench.train(student.replace(" ", "-"), data, **dials)
            print(f"{name} student {student} | {shown(model, judged)}", flush=True)


def going_on(bench: Bench, names: list[str], options: argparse.Namespace) -> None:
    """Old data, then new: what is known of both afterwards."""
    old, new = names
    old_file = bench.file("old", rows_of(PARTS[old], PARTS[old].train))
    new_file = bench.file("new", rows_of(PARTS[new], PARTS[new].train))
    judged = (bench.judged_on(old), bench.judged_on(new))
    print(f"model | {old} | {new}")
    first = {"start_from": options.start} if options.start else {}
    model = bench.train("old-model", old_file, **first)
    print(f"old alone | {shown(model, *judged)}", flush=True)
    start = {"start_from": bench.directory("old-model")}
    ways = {
        "new alone": {},
        "going on": start,
        "answers kept": {"keep_answers": True},
        "replay 0.1": {"replay": old_file, "replay_share": 0.1},
        "replay": {"replay": old_file},
        "replay, answers kept": {"replay": old_file, "keep_answers": True},
    }
    for way, dials in ways.items():
        if not options.ways or way in options.ways:
            model = bench.train("new-model", new_file, **{**(start if dials else {}), **dials})
            print(f"{way} | {shown(model, *judged)}", flush=True)


def few(bench: Bench, names: list[str], options: argparse.Namespace) -> None:
    """So many examples a label: linear alone, from nothing, from an encoder in four ways."""
    for name in names:
        judged = bench.judged_on(name)
        for shots in options.shots:
            data = bench.file("few", drawn(rows_of(PARTS[name], PARTS[name].train), shots, options))
            ways: dict[str, dict[str, Any]] = {"from nothing": {}}
            for transfer in _TRANSFERS:
                ways[transfer] = {"start_from": options.start, "transfer": transfer}
            for way, dials in ways.items():
                model = bench.train("model", data, **dials)
                table = model.evaluate([judged])
                parts = {part: table[part] for part in ("floor", "encoder") if part in table}
                shares = {"model": table, **parts}
                cells = [f"{part} {100 * own['accuracy']:.2f}" for part, own in shares.items()]
                print(f"{name} {shots} {way} | {' | '.join(cells)}", flush=True)


def drawn(rows: Rows, shots: int, options: argparse.Namespace) -> Rows:
    kept: defaultdict[str, Rows] = defaultdict(list)
    for index in np.random.default_rng(options.seed).permutation(len(rows)):
        kept[rows[index][1]].append(rows[index])
    return [row for label in sorted(kept) for row in kept[label][:shots]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["distil", "going-on", "few"])
    parser.add_argument("names", nargs="+", choices=list(PARTS))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--size", default="5MB")
    parser.add_argument("--student-size", default="1MB")
    parser.add_argument("--unlabelled", type=int, default=20_000)
    parser.add_argument("--from", dest="start", type=Path)
    parser.add_argument("--shots", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--ways", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dev", action="store_true")
    options = parser.parse_args()
    run = {"distil": distil, "going-on": going_on, "few": few}[options.what]
    with tempfile.TemporaryDirectory() as folder:
        run(Bench(Path(folder), options), options.names, options)


if __name__ == "__main__":
    main()
