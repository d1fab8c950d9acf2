"""Labelled data on their way to a task: read, told about, checked, divided into parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparrowlm.api.request import TASK_MODELS, TrainRequest, split_data
from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import (
    Example,
    LabelledData,
    LabelledSettings,
    TaskKind,
    check,
    read_labelled,
    recognise,
)
from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.foundation.progress import Progress

_MEASURING_PARTS = ("dev", "val", "验证", "开发")


@dataclass(frozen=True)
class TaskData:
    """Labelled data ready for a task.

    Attributes:
        task: what for.
        examples: to learn from.
        held_out: to measure on and choose by; empty derives them from the examples.
        test: looked at once, at the end; empty where there is none.
        is_multi_label: a text may have several labels.
        evidence: from what the task was recognised.
        format: of the files.
        fingerprint: changes with any example.
    """

    task: TaskKind
    examples: list[Example]
    held_out: list[Example]
    test: list[Example]
    is_multi_label: bool
    evidence: str
    format: str
    fingerprint: str


def task_of(request: TrainRequest) -> TaskKind | None:
    """Say which task with labels a request means; None is completing text.

    Raises:
        DataError, SettingError: the data cannot be what was asked for.
    """
    if request.task == "complete" or (
        request.task == "auto" and request.model not in ("auto", *TASK_MODELS)
    ):
        return None
    if request.task != "auto":
        return request.task
    inputs = split_data(request.data)
    if not all(isinstance(item, Path) for item in inputs) or str(inputs[0]) == "-":
        found = None  # strings are documents; a stream can be read only once
    else:
        found = recognise(inputs, request.work / "labels", labelled_settings(request))
    if found is None and request.model == "linear":
        raise SettingError("api.model-needs-labels", received=request.model)
    return found


def labelled_settings(request: TrainRequest, task: TaskKind | None = None) -> LabelledSettings:
    """Return how the request wants its data read."""
    return LabelledSettings(
        task=task, text_field=request.text_field, label_field=request.label_field
    )


def read_task_data(request: TrainRequest, task: TaskKind, progress: Progress) -> TaskData:
    """Read everything, say what it is and what is wrong with it.

    Raises:
        DataError: nothing usable, or a problem that makes training senseless.
    """
    data = _read(split_data(request.data), request, task)
    progress.note(data.evidence)
    held_out, test = _parts(data)
    if request.held_out is not None:
        held_out = _read([request.held_out], request, data.task).examples
    _tell_problems(data, held_out, progress)
    return TaskData(
        task=data.task,
        examples=data.examples,
        held_out=held_out,
        test=test,
        is_multi_label=data.is_multi_label,
        evidence=data.evidence,
        format=data.format,
        fingerprint=_fingerprint([data.examples, held_out]),
    )


def read_examples(paths: Sequence[Path], task: TaskKind, workspace: Path) -> list[Example]:
    """Read all labelled examples of files and folders, whatever part they belong to.

    Raises:
        DataError: nothing usable in them.
    """
    data = read_labelled(list(paths), LabelledSettings(task=task), ReadingReport(), workspace)
    return [*data.examples, *(one for part in data.held_out.values() for one in part)]


def _read(inputs: Sequence[Path | str], request: TrainRequest, task: TaskKind) -> LabelledData:
    settings = labelled_settings(request, task)
    return read_labelled(list(inputs), settings, ReadingReport(), request.work / "labels")


def _parts(data: LabelledData) -> tuple[list[Example], list[Example]]:
    held_out: list[Example] = []
    test: list[Example] = []
    for name, part in data.held_out.items():
        is_measuring = name.casefold().startswith(_MEASURING_PARTS)
        (held_out if is_measuring else test).extend(part)
    return held_out, test


def _tell_problems(data: LabelledData, held_out: list[Example], progress: Progress) -> None:
    problems = [*data.problems, *check(data.examples, held_out or None)]
    for problem in problems:
        if problem.severity == "error":
            raise DataError(problem.code, **problem.fields)
    for problem in problems:
        progress.note(problem.sentence())


def _fingerprint(parts: Sequence[Sequence[Example]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for examples in parts:
        for example in examples:
            digest.update(repr(example).encode("utf-8", "surrogatepass"))
        digest.update(b"|")
    return digest.hexdigest()
