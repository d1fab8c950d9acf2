"""Sets and models of the cooperation benchmark: what is learnt, what calibrates, what measures.

Four models a set, kept in a folder so that a second run is fast: "tenth" (of the labels), "tiny"
(of few bytes) and "small" play the small one, "large" the one that is asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import sparrowlm as sp
from benchmarks.classification_data import SOURCES, Rows, rows_of
from benchmarks.data import read_text
from sparrowlm.api.model import Model
from sparrowlm.foundation.progress import watching_progress

_SHOPPING = "sentiment/online_shopping_10_cats/"
_HOTEL_ROWS_KEPT = 2000


@dataclass(frozen=True)
class CooperationSet:
    """One set: texts to learn from, and texts that no training sees."""

    train: Rows
    pool: Rows


@dataclass(frozen=True)
class ModelSettings:
    """How a model of a set is trained."""

    model: str
    size: str
    minutes: float
    share: float = 1.0


MODELS = {
    "tenth": ModelSettings("linear", "5MB", 1.0, 0.1),
    "tiny": ModelSettings("linear", "320KB", 1.0),
    "small": ModelSettings("linear", "5MB", 1.5),
    "large": ModelSettings("auto", "12MB", 4.0),
}


def _parts(name: str, train: str, *pool: str) -> CooperationSet:
    source = SOURCES[name]
    rows = [row for path in pool for row in rows_of(source, path)]
    return CooperationSet(rows_of(source, train), rows)


def _banking() -> CooperationSet:
    folder = "intent/banking77/"
    return _parts("banking77", folder + "train.tsv.xz", folder + "test.tsv.xz")


def _clinc() -> CooperationSet:
    """150 intents; what belongs nowhere is learnt, and left out of what measures."""
    folder = "intent/clinc150/"
    found = _parts("clinc150", folder + "train.tsv.xz", folder + "test.tsv.xz")
    return CooperationSet(found.train, [row for row in found.pool if row[1] != "oos"])


def _snips() -> CooperationSet:
    def rows(name: str) -> Rows:
        lines = read_text(f"intent/snips/{name}").rstrip("\n").split("\n")
        head = lines[0].split("\t")
        intent, tokens = head.index("intent"), head.index("tokens")
        cells = [line.split("\t") for line in lines[1:]]
        return [(one[tokens], one[intent]) for one in cells]

    return CooperationSet(rows("train.tsv.xz"), rows("valid.tsv") + rows("test.tsv"))


def _hotel() -> CooperationSet:
    """Hotel reviews; all other reviews, and two thirds of those of hotels, are learnt."""

    def rows(part: str) -> list[tuple[str, str, str]]:
        lines = read_text(f"{_SHOPPING}{part}.tsv.xz").rstrip("\n").split("\n")
        head = lines[0].split("\t")
        places = [head.index(name) for name in ("text", "label", "category")]
        cells = [line.split("\t") for line in lines[1:]]
        return [(one[places[0]], one[places[1]], one[places[2]]) for one in cells]

    train = rows("train")
    hotels = [number for number, row in enumerate(train) if row[2] == "酒店"]
    step = len(hotels) / _HOTEL_ROWS_KEPT
    kept = {hotels[int(step * number)] for number in range(_HOTEL_ROWS_KEPT)}
    pool = [row for part in ("dev", "test") for row in rows(part) if row[2] == "酒店"]
    pool += [train[number] for number in sorted(kept)]
    learnt = [row[:2] for number, row in enumerate(train) if number not in kept]
    return CooperationSet(learnt, [row[:2] for row in pool])


def _thucnews() -> CooperationSet:
    folder = "classification/thucnews_titles/"
    parts = [f"{folder}{name}.tsv.xz" for name in ("train", "dev", "test")]
    return _parts("thucnews", *parts)


def _sst2() -> CooperationSet:
    folder = "sentiment/sst2/"
    return _parts("sst2", folder + "train.tsv.xz", folder + "dev.tsv", folder + "test.tsv.xz")


def _smp2020() -> CooperationSet:
    folder = "sentiment/smp2020_ewect_usual/"
    parts = [f"{folder}{name}.tsv.xz" for name in ("train", "dev", "test_unseen")]
    return _parts("smp2020", *parts)


SETS: dict[str, Callable[[], CooperationSet]] = {
    "banking77": _banking,
    "clinc150": _clinc,
    "snips": _snips,
    "hotel": _hotel,
    "thucnews": _thucnews,
    "sst2": _sst2,
    "smp2020": _smp2020,
}


def read_set(name: str) -> CooperationSet:
    """Read a set; texts of the pool that also stand in the training texts are left out."""
    found = SETS[name]()
    learnt = {text for text, _label in found.train}
    unseen = dict.fromkeys(row for row in found.pool if row[0] not in learnt)
    return CooperationSet(found.train, list(unseen))


def kept_or_trained(folder: Path, name: str, role: str) -> Model:
    """Open a model of an earlier run, or train it.

    Args:
        folder: of all models.
        name: of the set.
        role: "tenth", "tiny", "small" or "large".
    """
    settings = MODELS[role]
    output = folder / f"{name}-{role}"
    if (output / "sparrow.json").is_file():
        return sp.load(output)
    data = folder / f"{name}-{role}.jsonl"
    rows = read_set(name).train
    order = np.random.default_rng(0).permutation(len(rows))[: round(settings.share * len(rows))]
    chosen = (rows[int(number)] for number in np.sort(order))
    lines = (json.dumps({"text": text, "label": label}) for text, label in chosen)
    folder.mkdir(parents=True, exist_ok=True)
    data.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sp.train(
        data, output=output, task="classify", minutes=settings.minutes, model=settings.model,
        size=settings.size, progress=watching_progress(),
    )  # fmt: skip
