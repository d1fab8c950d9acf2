"""Old data and new data, before and after: what going on has won, and what it has cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api.classify_lessons import NEW, OLD, Lessons
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


def both_ways_lines(measured: Mapping[str, Any]) -> list[str]:
    """Say for old and for new data what was right before and after."""
    names = {"old": say("api.both-ways-old"), "new": say("api.both-ways-new")}
    return [
        say(
            "api.both-ways", data=names[name],
            before=_share(table["before"], "model"), before_floor=_share(table["before"], "floor"),
            after=_share(table["after"], "model"), after_floor=_share(table["after"], "floor"),
            number=f"{table['after']['model']['num_texts']:,}",
        )
        for name, table in measured.get("both_ways", {}).items()
    ]  # fmt: skip


def _share(figures: Mapping[str, Mapping[str, Any]], part: str) -> str:
    return f"{100 * figures[part]['accuracy']:.2f}" if part in figures else "–"
