"""Classifiers and taggers made small: points lost on whole test parts, over seeds.

    python -m benchmarks.compressed_tasks thucnews snips --seeds 0 1 2 [--minutes 5] [--to 2MB]

Every seed trains on train (dev chooses), `sparrow compress --to` reads the texts of dev, and the
test part is measured before and after, whole. Both models answer the same texts, so the interval is
of the difference itself: texts are drawn again with all their seeds, 2,000 times. A set without a
test part is measured on dev, and one without dev compresses by train. With --keep FOLDER models
stay there and are not trained again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sparrowlm as sp
from benchmarks.classification_data import SOURCES, rows_of, training_rows
from benchmarks.tagging_data import PARTS, read_part
from sparrowlm.api.compressing import compress
from sparrowlm.api.compression_figures import TaskFigures
from sparrowlm.corpora.labelled.examples import LabelledText, TaggedText

Examples = Sequence[LabelledText] | Sequence[TaggedText]
Counts = np.ndarray[Any, np.dtype[np.float64]]

_DRAWS = 2000
# Segmentation has another form of data, and its models are small anyway.
_TAGGED = tuple(name for name in PARTS if not name.startswith("gsd"))


@dataclass(frozen=True)
class Task:
    """Data of one set.

    Attributes:
        kind: "classify", "tag" or "intent".
        train: to learn from.
        dev: chooses, and its texts are compressed by; empty where there is none.
        test: measured on.
    """

    kind: str
    train: Examples
    dev: Examples
    test: Examples


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", choices=[*SOURCES, *_TAGGED])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--to", default="2MB")
    parser.add_argument("--from", dest="start_from", type=Path, help="an encoder that has read")
    parser.add_argument("--keep", type=Path, help="folder for the models")
    options = parser.parse_args()
    for name in options.names:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) if options.keep is None else options.keep
            home.mkdir(parents=True, exist_ok=True)
            report(name, home, options)


def report(name: str, home: Path, options: argparse.Namespace) -> None:
    """Print what every seed and all of them together lose."""
    both = []
    for seed in options.seeds:
        task = task_of(name, seed)
        paths = {
            part: written(home / f"{name}-{seed}-{part}.jsonl", examples)
            for part, examples in (("train", task.train), ("dev", task.dev), ("test", task.test))
            if examples
        }
        directory = home / f"{name}-{seed}"
        if not directory.exists():
            sp.train(
                paths["train"], output=directory, task=task.kind, held_out=paths.get("dev"),
                minutes=options.minutes, seed=seed, size="5MB", start_from=options.start_from,
            )  # fmt: skip
        small = home / f"{name}-{seed}-{options.to}.gguf"
        facts = compress(
            directory, small, to=options.to, on=[paths["dev" if task.dev else "train"]]
        )
        pair = [measured(path, paths["test"], task) for path in (directory, small)]
        (before, _), (after, _) = pair
        both.append([counts for _figure, counts in pair])
        print(
            f"{name}, seed {seed}: {facts['bytes_before'] / 1e6:.2f} to {facts['bytes'] / 1e6:.2f}"
            f" MB, {before.name} {100 * before.value:.2f} to {100 * after.value:.2f},"
            f" {difference(np.array(both[-1])[:, None])}; {facts['forms']}",
            flush=True,
        )
    before_after = np.array(both).swapaxes(0, 1)
    print(f"{name}, {len(both)} seeds, {before_after.shape[2]} texts: {difference(before_after)}")


def task_of(name: str, seed: int) -> Task:
    """Read a set; the seed draws where only some of train are learnt from."""
    if name in PARTS:
        train, dev, test = ([] if part is None else read_part(part) for part in PARTS[name])
        kind = "tag" if train[0].intent is None else "intent"
        return Task(kind, train, dev if test else [], test or dev)
    source = SOURCES[name]
    parts = (
        training_rows(source, seed),
        [] if source.dev is None else rows_of(source, source.dev),
        rows_of(source, next(iter(source.tests.values()))),
    )
    return Task("classify", *([LabelledText(t, (label,)) for t, label in rows] for rows in parts))


def written(path: Path, examples: Examples) -> Path:
    """Write examples as lines of JSON."""
    with path.open("w", encoding="utf-8") as file:
        for one in examples:
            file.write(json.dumps(_record(one), ensure_ascii=False) + "\n")
    return path


def _record(one: LabelledText | TaggedText) -> dict[str, Any]:
    if isinstance(one, LabelledText):
        return {"text": one.text, "label": one.labels[0]}
    intent = {} if one.intent is None else {"intent": one.intent}
    return {"text": one.text, **intent, "entities": [span._asdict() for span in one.spans]}


def measured(model: Path, test: Path, task: Task) -> tuple[TaskFigures, Counts]:
    """Return what `sparrow evaluate` says, and for every text how many answers are right, how many
    there are and how many there should be.
    """
    loaded = sp.load(model)
    answers = loaded.predict([one.text for one in task.test])
    counts = [_counted(one, answer) for one, answer in zip(task.test, answers, strict=True)]
    return TaskFigures.of(loaded.evaluate([test])), np.array(counts, dtype=np.float64)


def _counted(one: LabelledText | TaggedText, answer: Any) -> tuple[int, int, int]:  # noqa: ANN401
    if isinstance(one, LabelledText):
        return int(answer.label == one.labels[0]), 1, 1
    found = {(span.start, span.end, span.label) for span in answer.spans}
    return len(found & {tuple(span) for span in one.spans}), len(found), len(one.spans)


def difference(counts_PSN3: Counts) -> str:
    """Say by how many points F1 (of one answer a text: accuracy) changes, the mean over seeds.

    Shape letters: P before and after, S seeds, N texts; the last axis is right, found, wanted.
    """
    drawn = [_points(counts_PSN3[:, :, rows_N]) for rows_N in _draws(counts_PSN3.shape[2])]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{_points(counts_PSN3):+.2f} points [{low:+.2f}, {high:+.2f}]"


def _points(counts_PSN3: Counts) -> float:
    right_PS, found_PS, wanted_PS = np.moveaxis(counts_PSN3.sum(axis=2), -1, 0)
    before, after = (200.0 * right_PS / np.maximum(found_PS + wanted_PS, 1.0)).mean(axis=1)
    return float(after - before)


def _draws(num_texts: int) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
    generator = np.random.default_rng(0)
    for _ in range(_DRAWS):
        yield generator.integers(0, num_texts, num_texts)


if __name__ == "__main__":
    main()
