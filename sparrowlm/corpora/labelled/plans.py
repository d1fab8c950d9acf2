"""How one file will be read, decided from its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sparrowlm.corpora.labelled.examples import Example, TaskKind
from sparrowlm.corpora.labelled.settings import Columns


@dataclass(frozen=True)
class ReadingPlan:
    """How one file will be read.

    Args:
        format: see LabelledData.
        task: what the file is for.
        columns: what is used of tables and records.
        read: yields the examples of the file, once.
        evidence: message of this room, "labelled-evidence-…".
    """

    format: str
    task: TaskKind
    columns: Columns
    read: Callable[[], Iterator[Example]]
    evidence: str
