"""Labelled texts of the classification benchmark: which file, which column, which part."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from benchmarks.data import read_text

Rows = list[tuple[str, str]]


@dataclass(frozen=True)
class Source:
    """One set: files, columns, and what is known about it.

    train and dev decide everything; tests are looked at once, with --test.
    """

    train: str
    dev: str | None
    tests: dict[str, str]
    label: str = "label"
    text: str = "text"
    is_cut_into_words: bool = False
    unlabelled: str | None = None
    shots: int | None = None
    known: str = ""
    # Dev parts of other domains: looked at always, never chosen by inside a training.
    others: dict[str, str] = field(default_factory=dict)


_SHOPPING = "sentiment/online_shopping_10_cats/"
_CHN, _USUAL = "sentiment/chnsenticorp/", "sentiment/smp2020_ewect_usual/"
_VIRUS = "sentiment/smp2020_ewect_virus/"
_CLINC, _BANK = "intent/clinc150/", "intent/banking77/"

SOURCES = {
    "thucnews": Source(
        "classification/thucnews_titles/train.tsv.xz", "classification/thucnews_titles/dev.tsv.xz",
        {"test": "classification/thucnews_titles/test.tsv.xz"}, known="SVC 90.36",
    ),
    "chnsenticorp": Source(
        _CHN + "train.tsv.xz", _CHN + "dev.tsv.xz",
        {"test": _CHN + "test.tsv.xz", "unseen": _CHN + "test_unseen.tsv.xz"},
        known="SVC 92.92 / 91.35",
    ),
    "shopping": Source(
        _SHOPPING + "train.tsv.xz", _SHOPPING + "dev.tsv.xz",
        {"test": _SHOPPING + "test.tsv.xz", "chnsenticorp": _CHN + "test.tsv.xz"},
        known="SVC 94.73 / 84.92", others={"chnsenticorp dev": _CHN + "dev.tsv.xz"},
    ),
    "smp2020": Source(
        _USUAL + "train.tsv.xz", _USUAL + "dev.tsv.xz", {"test": _USUAL + "test.tsv.xz"},
        known="SVC macro-F1 69.72",
    ),
    "smp2020-virus": Source(
        _USUAL + "train.tsv.xz", _USUAL + "dev.tsv.xz", {"virus": _VIRUS + "test.tsv.xz"},
        unlabelled=_VIRUS + "train.tsv.xz", known="SVC macro-F1 44.61",
        others={"virus dev": _VIRUS + "dev.tsv.xz"},
    ),
    "nlpcc2017": Source(
        "classification/nlpcc2017_headlines/train.tsv.xz",
        "classification/nlpcc2017_headlines/dev.tsv",
        {"test": "classification/nlpcc2017_headlines/test.tsv.xz"}, text="text_segmented",
        is_cut_into_words=True, known="SVC 78.19",
    ),
    "banking77": Source(
        _BANK + "train.tsv.xz", None, {"test": _BANK + "test.tsv.xz"}, known="SVC 91.4"
    ),
    "banking77-10": Source(
        _BANK + "train.tsv.xz", None, {"test": _BANK + "test.tsv.xz"}, shots=10,
        unlabelled=_BANK + "train.tsv.xz", known="SVC 73.3",
    ),
    "clinc150": Source(
        _CLINC + "train.tsv.xz", _CLINC + "val.tsv.xz", {"test": _CLINC + "test.tsv.xz"},
        known="SVC 92.7 in scope",
    ),
    "sst2": Source(
        "sentiment/sst2/train.tsv.xz", "sentiment/sst2/dev.tsv",
        {"test": "sentiment/sst2/test.tsv.xz"}, known="SVC 81.49",
    ),
    "trec": Source(
        "classification/trec/train.tsv.xz", None, {"test": "classification/trec/test.tsv"},
        label="coarse", known="SVC 89.8",
    ),
    "r8": Source(
        "classification/r8/train.tsv.xz", None, {"test": "classification/r8/test.tsv.xz"},
        known="SVC 97.5",
    ),
}  # fmt: skip


def rows_of(source: Source, path: str) -> Rows:
    """Read (text, label) pairs of one part."""
    lines = read_text(path).rstrip("\n").split("\n")
    head = lines[0].split("\t")
    text, label = head.index(source.text), head.index(source.label)
    found = []
    for line in lines[1:]:
        cells = line.split("\t")
        words = cells[text].replace(" ", "") if source.is_cut_into_words else cells[text]
        found.append((words, cells[label]))
    return found


def training_rows(source: Source, seed: int) -> Rows:
    """Return the rows to learn from: all, or so many of every label, drawn by the seed."""
    rows = rows_of(source, source.train)
    if source.shots is None:
        return rows
    kept: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for index in np.random.default_rng(seed).permutation(len(rows)):
        kept[rows[index][1]].append(rows[index])
    return [row for label in sorted(kept) for row in kept[label][: source.shots]]
