"""Classifiers beside their floor: accuracy, macro-F1, calibration, size, time.

    python -m benchmarks.classification thucnews sst2 --minutes 10 --seeds 0 1 2 [--test]

Everything is chosen on train and dev; --test looks at the test parts, once, at the end. The floor
is the n-gram model alone as `sparrow train` makes it; earlier figures stand beside it. With
--figures FILE every finished training is kept there as one line of JSON, and a benchmark that was
stopped goes on behind it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

import sparrowlm as sp
from benchmarks.classification_data import SOURCES, Rows, Source, rows_of, training_rows
from sparrowlm.foundation.progress import watching_progress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*SOURCES, "all"])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--model", default="auto")
    parser.add_argument("--size", default="5MB")
    parser.add_argument("--from", dest="start_from", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the models, to go on from them")
    parser.add_argument("--figures", type=Path, help="finished trainings; those are not repeated")
    parser.add_argument("--test", action="store_true")
    options = parser.parse_args()
    names = list(SOURCES) if "all" in options.names else options.names
    for name in names:
        figures = [kept_or_measured(name, options, seed) for seed in options.seeds]
        report(name, SOURCES[name], figures)


def kept_or_measured(name: str, options: argparse.Namespace, seed: int) -> dict[str, object]:
    """Measure, or take the figures of an earlier run with the same settings."""
    start = None if options.start_from is None else options.start_from.name
    run = {
        "name": name, "seed": seed, "minutes": options.minutes, "model": options.model,
        "size": options.size, "from": start, "test": options.test,
    }  # fmt: skip
    path: Path | None = options.figures
    if path is not None and path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            kept = json.loads(line)
            if kept["run"] == run:
                return dict(kept["figures"])
    figures = measured(name, options, seed)
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"run": run, "figures": figures}, ensure_ascii=False) + "\n")
    return figures


def measured(source_name: str, options: argparse.Namespace, seed: int) -> dict[str, object]:
    """Train with one seed and measure on dev, and on the tests if asked."""
    source = SOURCES[source_name]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        held_out = unlabelled = None
        train = write(home / "train.jsonl", training_rows(source, seed))
        if source.dev is not None:
            held_out = write(home / "dev.jsonl", rows_of(source, source.dev))
        if source.unlabelled is not None:
            unlabelled = home / "more.txt"
            lines = (text for text, _label in rows_of(source, source.unlabelled))
            unlabelled.write_text("\n".join(lines), encoding="utf-8")
        began = time.monotonic()
        output = home / "model" if options.keep is None else options.keep / f"{source_name}-{seed}"
        model = sp.train(
            train, output=output, task="classify", held_out=held_out,
            minutes=options.minutes, seed=seed, model=options.model, size=options.size,
            unlabelled=unlabelled, start_from=options.start_from, progress=watching_progress(),
        )  # fmt: skip
        seconds = time.monotonic() - began
        facts = model.info()
        found: dict[str, object] = {
            "seconds": seconds,
            "bytes": sum(path.stat().st_size for path in output.iterdir()),
            "blend": facts["task"]["blend"]["weights"],
            "held-out": {part: short(own) for part, own in facts["measured"]["held_out"].items()},
        }
        for part, path in {**source.others, **(source.tests if options.test else {})}.items():
            file = write(home / f"{part}.jsonl", rows_of(source, path))
            table = model.evaluate([file])
            parts = {name: short(table[name]) for name in ("floor", "encoder") if name in table}
            found[part] = {"model": short(table), **parts}
        return found


def write(path: Path, rows: Rows) -> Path:
    lines = (json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    path.write_text("".join(lines), encoding="utf-8")
    return path


def short(table: dict[str, float]) -> dict[str, float]:
    figures = {
        "accuracy": 100 * table["accuracy"],
        "macro_f1": 100 * table["macro_f1"],
        "calibration_error": table["calibration_error"],
        "by_chance": table["calibration_error_by_chance"],
    }
    if table.get("in_scope_accuracy") is not None:
        figures["in_scope"] = 100 * table["in_scope_accuracy"]
        figures["refused"] = 100 * table["out_of_scope_recall"]
    return figures


def report(name: str, source: Source, figures: list[dict[str, object]]) -> None:
    """Print mean and spread over seeds of every figure."""
    print(f"\n{name}  (known: {source.known})", flush=True)
    seconds = ", ".join(f"{one['seconds']:.0f} s" for one in figures)
    sizes = ", ".join(f"{one['bytes'] / 1e6:.2f} MB" for one in figures)  # type: ignore[operator]
    print(f"  {seconds}; {sizes}; {figures[-1]['blend']}")
    for part, tables in figures[0].items():
        if not isinstance(tables, dict) or part == "blend":
            continue
        for who in tables:
            cells = []
            for key in tables[who]:
                of_seeds = [one[part].get(who, {}) for one in figures]  # type: ignore[attr-defined]
                values = np.array([own[key] for own in of_seeds if key in own])
                cells.append(f"{key} {values.mean():.3f} ± {values.std():.3f}")
            print(f"  {part:12s} {who:8s} {'  '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
