"""Taggers and matchers that go on: what is known of old and new data afterwards.

    python -m benchmarks.transfer_examples names --minutes 3 [--model linear]
    python -m benchmarks.transfer_examples pairs --minutes 2
    python -m benchmarks.transfer_examples teacher --minutes 3

names      CLUENER: old data mark five labels in one half of the texts, new data the other five in
           the other half; span F1 on the dev part, by old and by new labels
pairs      LCQMC (its dev part), then ATEC: F1 on a tenth of the one, on the dev part of the other
teacher    CLUENER: a tagger of half of the texts teaches one that has 500 of them, and 4,000 texts
           of the other half without tags
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import numpy as np

import sparrowlm as sp
from benchmarks.matching import SETS, read_pairs
from benchmarks.tagging_data import PARTS, read_part
from sparrowlm.corpora.labelled import TaggedText, TextPair, divide
from sparrowlm.foundation.progress import watching_progress

_FEW, _MANY = 500, 4000


class Bench:
    """Files and trainings in one folder."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self._options = options

    def tags(self, name: str, examples: Iterable[TaggedText], labels: AbstractSet[str]) -> Path:
        """Write texts of which only some labels are marked."""
        rows = []
        for one in examples:
            spans = [span._asdict() for span in one.spans if span.label in labels]
            rows.append(json.dumps({"text": one.text, "entities": spans}))
        return self._written(name, rows)

    def pairs(self, name: str, pairs: Iterable[TextPair]) -> Path:
        rows = [{"text1": p.first, "text2": p.second, "label": p.label} for p in pairs]
        return self._written(name, [json.dumps(row) for row in rows])

    def texts(self, name: str, texts: Sequence[str]) -> Path:
        path = self.folder / f"{name}.txt"
        path.write_text("\n".join(texts), encoding="utf-8")
        return path

    def train(self, name: str, data: Path, task: Any, **dials: Any) -> sp.Model:  # noqa: ANN401
        return sp.train(
            data, output=self.folder / name, task=task, model=self._options.model,
            minutes=self._options.minutes, seed=self._options.seed,
            progress=watching_progress(), **dials,
        )  # fmt: skip

    def _written(self, name: str, rows: Sequence[str]) -> Path:
        path = self.folder / f"{name}.jsonl"
        path.write_text("\n".join(rows), encoding="utf-8")
        return path


def halves(examples: Sequence[TaggedText], seed: int) -> tuple[list[TaggedText], list[TaggedText]]:
    order = np.random.default_rng(seed).permutation(len(examples)).tolist()
    half = len(order) // 2
    return [examples[i] for i in order[:half]], [examples[i] for i in order[half:]]


def names(bench: Bench, options: argparse.Namespace) -> None:
    """Labels that come later."""
    train_name, dev_name, _test = PARTS["cluener"]
    train, dev = read_part(train_name), read_part(dev_name)
    every = sorted({span.label for one in train for span in one.spans})
    first, second = frozenset(every[::2]), frozenset(every[1::2])
    old, new = halves(train, options.seed)
    old_file, new_file = bench.tags("old", old, first), bench.tags("new", new, second)
    judged = [bench.tags("dev-old", dev, first), bench.tags("dev-new", dev, second)]
    print(f"old: {', '.join(sorted(first))}; new: {', '.join(sorted(second))}")
    model = bench.train("old-model", old_file, "tag")
    print(f"old alone | {by_labels(model, judged, (first, second))}", flush=True)
    start: dict[str, Any] = {"start_from": bench.folder / "old-model"}
    ways: dict[str, dict[str, Any]] = {
        "new alone": {},
        "labels kept": {**start, "keep_answers": True},
        "labels kept, old data replayed": {**start, "replay": old_file},
    }
    for way, dials in ways.items():
        model = bench.train("new-model", new_file, "tag", **dials)
        print(f"{way} | {by_labels(model, judged, (first, second))}", flush=True)
    model = bench.train("all", bench.tags("all", train, first | second), "tag")
    print(f"all labels in all texts | {by_labels(model, judged, (first, second))}", flush=True)


def by_labels(model: sp.Model, judged: Sequence[Path], groups: Sequence[AbstractSet[str]]) -> str:
    """Return span F1 of every group of labels, counting its labels alone."""
    cells = []
    for file, labels in zip(judged, groups, strict=True):
        with file.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        found = model.predict([row["text"] for row in rows])
        right = said = true = 0
        for row, answer in zip(rows, found, strict=True):
            gold = {(one["start"], one["end"], one["label"]) for one in row["entities"]}
            given = {tuple(one[:3]) for one in answer.spans if one.label in labels}
            right, said, true = right + len(gold & given), said + len(given), true + len(gold)
        cells.append(f"{100 * 2 * right / max(said + true, 1):.2f}")
    return " | ".join(cells)


def pairs(bench: Bench, options: argparse.Namespace) -> None:
    """Questions of another kind."""
    old, old_judged = divide(read_pairs(SETS["lcqmc"][0]), 0.1, options.seed)
    new, judged = read_pairs(SETS["atec"][0]), read_pairs(str(SETS["atec"][1]))
    old_file, new_file = bench.pairs("old", _pairs(old)), bench.pairs("new", new)
    files = [bench.pairs("old-judged", _pairs(old_judged)), bench.pairs("new-judged", judged)]
    model = bench.train("old-model", old_file, "match")
    print(f"old alone | {by_file(model, files)}", flush=True)
    start: dict[str, Any] = {"start_from": bench.folder / "old-model"}
    ways: dict[str, dict[str, Any]] = {
        "new alone": {},
        "going on": start,
        "answers kept": {**start, "keep_answers": True},
        "replay 0.3": {**start, "replay": old_file, "replay_share": 0.3},
        "replay": {**start, "replay": old_file},
    }
    for way, dials in ways.items():
        model = bench.train("new-model", new_file, "match", **dials)
        print(f"{way} | {by_file(model, files)}", flush=True)


def by_file(model: sp.Model, files: Sequence[Path]) -> str:
    tables = [model.evaluate([file]) for file in files]
    return " | ".join(
        f"F1 {100 * t['f1']:.2f} AP {100 * t['average_precision']:.2f}" for t in tables
    )


def _pairs(examples: Iterable[Any]) -> list[TextPair]:
    return [one for one in examples if isinstance(one, TextPair)]


def teacher(bench: Bench, options: argparse.Namespace) -> None:
    """Few tags, many texts."""
    train_name, dev_name, _test = PARTS["cluener"]
    train, dev = read_part(train_name), read_part(dev_name)
    every = frozenset(span.label for one in train for span in one.spans)
    known, others = halves(train, options.seed)
    judged = [bench.tags("dev", dev, every)]
    model = bench.train("teacher", bench.tags("known", known, every), "tag")
    print(f"teacher | {by_labels(model, judged, (every,))}", flush=True)
    few = bench.tags("few", known[:_FEW], every)
    more = bench.texts("more", [one.text for one in others[:_MANY]])
    taught: dict[str, Any] = {"teacher": bench.folder / "teacher", "unlabelled": more}
    ways: dict[str, tuple[Path, dict[str, Any]]] = {
        "alone": (few, {}),
        "reads more": (few, {"unlabelled": more}),
        "taught": (few, taught),
        "taught, no tags": (more, {"teacher": bench.folder / "teacher"}),
        "all tags": (bench.tags("all", [*known[:_FEW], *others[:_MANY]], every), {}),
    }
    for way, (data, dials) in ways.items():
        model = bench.train("student", data, "tag", **{"size": options.student_size, **dials})
        print(f"{way} | {by_labels(model, judged, (every,))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["names", "pairs", "teacher"])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--model", default="auto")
    parser.add_argument("--student-size", default="3MB")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    run = {"names": names, "pairs": pairs, "teacher": teacher}[options.what]
    with tempfile.TemporaryDirectory() as folder:
        run(Bench(Path(folder), options), options)


if __name__ == "__main__":
    main()
