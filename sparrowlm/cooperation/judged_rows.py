"""Labelled data as questions with what would be right, for every task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, cast

from sparrowlm.api.labels import read_examples
from sparrowlm.api.model import TASK_KINDS, Model
from sparrowlm.cooperation.asking import Answer, Question
from sparrowlm.corpora.labelled import Example, LabelledText, TaggedText, TaskKind, TextPair
from sparrowlm.foundation.errors import DataError


class JudgedRow(NamedTuple):
    """A question and its right answers.

    Attributes:
        question: what is asked.
        truths: any of them is right.
    """

    question: Question
    truths: tuple[Answer, ...]


def judged_rows(
    model: Model, paths: Sequence[Path], encoding: str | None = None
) -> list[JudgedRow]:
    """Read labelled data for a model.

    Args:
        model: whose task the data are of; one that completes text is judged by pairs of a prompt
            and the text that should follow.
        paths: files and folders, in any format that is trained on.
        encoding: of text files; None finds it for each.

    Returns:
        One row for every example; questions that have several right answers only once.

    Raises:
        DataError: nothing labelled in them.
    """
    task = model.kind if model.kind in TASK_KINDS else "match"
    with TemporaryDirectory() as workspace:
        examples = read_examples(paths, cast("TaskKind", task), Path(workspace), encoding)
    if model.kind == "classify":
        is_multi_label = model.is_multi_label
        rows = [_labels(one, is_multi_label) for one in examples if isinstance(one, LabelledText)]
    elif task == "match":
        pairs = [one for one in examples if isinstance(one, TextPair)]
        rows = [row for one in pairs for row in _pair(one, is_judge=model.kind == "match")]
    else:
        rows = [_tagged(one, task) for one in examples if isinstance(one, TaggedText)]
    found = [row for row in rows if row.truths]
    if task == "match":
        found = _joined(found)
    if not found:
        raise DataError("corpora.labelled-no-examples")
    return found


def _joined(rows: Sequence[JudgedRow]) -> list[JudgedRow]:
    """Join the right answers of equal questions; a judged pair keeps its one label."""
    found: dict[Question, JudgedRow] = {}
    for row in rows:
        known = found.get(row.question)
        is_judged = row.question.second is not None
        truths = row.truths if known is None or is_judged else (*known.truths, *row.truths)
        found[row.question] = JudgedRow(row.question, truths)
    return list(found.values())


def _labels(example: Example, is_multi_label: bool) -> JudgedRow:
    assert isinstance(example, LabelledText)  # noqa: S101 - filtered by the caller
    if is_multi_label:
        return JudgedRow(Question(example.text), (sorted(example.labels),))
    return JudgedRow(Question(example.text), example.labels[:1])


def _pair(example: TextPair, *, is_judge: bool) -> list[JudgedRow]:
    if is_judge and example.label is not None:
        return [JudgedRow(Question(example.first, example.second), (example.label,))]
    if example.label is not None:
        return []
    return [JudgedRow(Question(example.first), (example.second.strip(),))]


def _tagged(example: TaggedText, task: str) -> JudgedRow:
    is_segmenter = task == "segment"
    spans = [[one.start, one.end, "" if is_segmenter else one.label] for one in example.spans]
    intent = example.intent if task == "intent" else None
    return JudgedRow(Question(example.text), ({"intent": intent, "spans": spans},))
