"""Old data and new data, before and after: what going on has won, and what it has cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api.classify_lessons import NEW, OLD, Lessons
from sparrowlm.export.task_pages import judged_by
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.tasks.classify.training import TrainedClassifier

_GROUPS = {"old": OLD, "new": NEW}


def both_ways(lessons: Lessons, trained: TrainedClassifier) -> dict[str, Any]:
    """Measure the model that was gone on from and the one that came of it, on the same texts.

    Args:
        lessons: with the model that was gone on from; without it there is nothing to compare.
        trained: what came of the training.

    Returns:
        {"both_ways": {"old" | "new": {"before" | "after": figures by part}}}, or nothing. The
        model before may have learnt the old texts; the one after has not seen any of them.
    """
    from sparrowlm.tasks.classify.continuing import figures_after, figures_before

    old, data = lessons.old, lessons.texts
    if old is None:
        return {}
    found = {}
    for name, group in _GROUPS.items():
        if not np.any(data.groups_B()[trained.rows] == group):
            continue
        before = figures_before(old.classifier, old.floor, data, group, trained.rows)
        after = figures_after(trained, data, group)
        found[name] = {
            when: {part: one.summary() for part, one in figures.items()}
            for when, figures in (("before", before), ("after", after))
        }
    return {"both_ways": found}


def examples_both_ways(
    groups: Mapping[str, Sequence[Any]],
    models: tuple[Any, Any],
    figures: Callable[[Any, Sequence[Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Measure two taggers or matchers on the same examples; returns what both_ways does.

    Args:
        groups: examples by name, "old" and "new"; none says that there is nothing to compare.
        models: the one that was gone on from, and the one that came of it.
        figures: of a model on some examples, as JSON values.
    """
    found = {
        name: {
            when: {"model": {**figures(model, own), "num_texts": len(own)}}
            for when, model in zip(("before", "after"), models, strict=True)
        }
        for name, own in groups.items()
    }
    return {"both_ways": found} if found else {}


def both_ways_lines(measured: Mapping[str, Any]) -> list[str]:
    """Say for old and for new data what was right before and after."""
    names = {"old": say("api.both-ways-old"), "new": say("api.both-ways-new")}
    return [_line(names[name], table) for name, table in measured.get("both_ways", {}).items()]


def _line(name: str, table: Mapping[str, Any]) -> str:
    before, after = table["before"], table["after"]
    fields = {
        "data": name, "before": _share(before, "model"), "after": _share(after, "model"),
        "number": f"{after['model']['num_texts']:,}",
    }  # fmt: skip
    if "floor" not in after:
        return say("api.both-ways-alone", **fields)
    floors = {"before_floor": _share(before, "floor"), "after_floor": _share(after, "floor")}
    return say("api.both-ways", **fields, **floors)


def _share(figures: Mapping[str, Mapping[str, Any]], part: str) -> str:
    if part not in figures:
        return "–"
    own = figures[part]
    return f"{100 * own[judged_by(own)]:.2f}"
