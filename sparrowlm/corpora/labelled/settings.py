"""What a user may say about labelled data, and what was read from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from sparrowlm.corpora.labelled.examples import Example, TaskKind
from sparrowlm.corpora.labelled.problems import Problem
from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.encodings import named_encoding


@dataclass(frozen=True)
class LabelledSettings:
    """How labelled data are read; everything left out is found from the data.

    Args:
        task: "classify", "tag", "intent", "match" or "segment"; None recognises it.
        text_field: name or 0-based number of the column or key that holds the text.
        label_field: name or 0-based number of the column or key that holds the label.
        encoding: of text files, where it is named; None finds it for each.
    """

    task: TaskKind | None = None
    text_field: str | None = None
    label_field: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown task and an unknown encoding.

        Raises:
            SettingError: names the tasks that exist, or what encodings are called.
        """
        if self.encoding is not None:
            named_encoding(self.encoding)
        if self.task is not None and self.task not in get_args(TaskKind):
            allowed = ", ".join(get_args(TaskKind))
            raise SettingError("corpora.setting", name="task", received=self.task, allowed=allowed)


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns or keys were used for what; names, or 0-based numbers without a header.

    Args:
        text: the text; several are joined by line breaks (a title and its body).
        label: the class, the labelled spans or the slots.
        labels: the classes, where each has a column of its own.
        second: the second text of pairs.
        tokens: tokens divided by spaces.
        tags: the tags of the tokens.
        intent: the class of the whole text beside spans.
        ignored: columns that were not used.
    """

    text: tuple[str, ...] = ()
    label: str | None = None
    second: str | None = None
    tokens: str | None = None
    tags: str | None = None
    intent: str | None = None
    ignored: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass
class LabelledData:
    """Labelled data as read.

    Args:
        task: what the data are for.
        examples: LabelledText for "classify", TaggedText for "tag", "intent" and "segment",
            TextPair for "match"; of the training part where the files are named train and test.
        evidence: one sentence in the user's language: from what the task was recognised.
        format: "table", "records", "fasttext", "conll", "rasa", "segmented" or "folders".
        columns: what was used of tables and records.
        is_multi_label: whether a text can have several labels.
        held_out: examples of files or folders named test, dev or valid beside a training part, by
            the name of the part; empty where there is no training part.
        problems: what was repaired, dropped or ignored while reading.
    """

    task: TaskKind
    examples: list[Example]
    evidence: str
    format: str
    columns: Columns
    is_multi_label: bool = False
    held_out: dict[str, list[Example]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
