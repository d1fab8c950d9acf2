"""Labelled data on their way to a task: read, told about, checked, divided into parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from sparrowlm.api.request import TASK_MODELS, TrainRequest, split_data
from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import (
    Columns,
    Example,
    LabelledData,
    LabelledSettings,
    LabelledText,
    TaskKind,
    check,
    iterate_texts,
    read_labelled,
    recognise,
)
from sparrowlm.corpora.statistics import describe_reason
from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.runtime.gguf_files import model_files

# These say themselves what they are; all others are concluded from the bytes.
_SURE_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "xlsx")
_ONE_LABEL = ("corpora.labelled-single-label",)
_NO_LABELS = ("corpora.labelled-unlabelled-all", "corpora.labelled-unlabelled")
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


def is_encoder_wanted(request: TrainRequest) -> bool:
    """Say whether plain text makes an encoder: asked for, or gone on from and nothing else said.

    Raises:
        ModelError: there is no model to go on from.
    """
    if request.model != "auto" or request.start_from is None:
        return request.model == "encoder"
    return bool(model_files(request.start_from).manifest.get("kind") == "encoder")


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
    if request.teacher is not None:
        return _kind_of(request.teacher)
    inputs = split_data(request.data)
    if not all(isinstance(item, Path) for item in inputs) or str(inputs[0]) == "-":
        found = None  # strings are documents; a stream can be read only once
    else:
        found = recognise(inputs, request.work / "labels", labelled_settings(request))
    if found is None and request.model == "linear":
        raise SettingError("api.model-needs-labels", received=request.model)
    return found


def _kind_of(path: Path) -> TaskKind:
    """Return what a teacher knows to do; one that knows no task is refused where it is opened."""
    kind = model_files(path).manifest["kind"]
    return next((task for task in get_args(TaskKind) if task == kind), "classify")


def refuse_lessons(request: TrainRequest, task: TaskKind | None) -> None:
    """Refuse what only models with labels can learn from, where another one is asked for.

    Raises:
        SettingError: names the dial and the task.
    """
    dials = (
        ("--teacher", request.teacher is not None),
        ("--replay", request.replay is not None),
        ("--keep-answers", request.keep_answers),
    )
    for dial, is_given in dials:
        if is_given and task is None:
            raise SettingError("api.lessons-task", dial=dial)


def labelled_settings(request: TrainRequest, task: TaskKind | None = None) -> LabelledSettings:
    """Return how the request wants its data read."""
    return LabelledSettings(
        task=task,
        text_field=request.text_field,
        label_field=request.label_field,
        encoding=request.encoding,
    )


def read_task_data(request: TrainRequest, task: TaskKind, progress: Progress) -> TaskData:
    """Read everything, say what it is and what is wrong with it.

    Raises:
        DataError: nothing usable, or a problem that makes training senseless.
    """
    report = ReadingReport()
    data = _read_any(request, task, report)
    progress.note(data.evidence)
    for line in _reading_lines(report):
        progress.note(line)
    held_out, test = _parts(data)
    if request.held_out is not None:
        held_out = _read([request.held_out], request, data.task, ReadingReport()).examples
    _tell_problems(data, held_out, progress, _mended(request))
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


def read_more(
    path: Path, request: TrainRequest, progress: Progress, task: TaskKind = "classify"
) -> TaskData:
    """Read further labelled examples: the old data that a model was made from.

    Raises:
        DataError: nothing labelled in them.
    """
    settings = LabelledSettings(task=task, encoding=request.encoding)
    data = read_labelled([path], settings, ReadingReport(), request.work / "labels")
    progress.note(data.evidence)
    held_out, test = _parts(data)
    parts = [data.examples, held_out]
    return TaskData(
        data.task, data.examples, held_out, test, data.is_multi_label, data.evidence, data.format,
        _fingerprint(parts),
    )  # fmt: skip


def read_examples(
    paths: Sequence[Path], task: TaskKind, workspace: Path, encoding: str | None = None
) -> list[Example]:
    """Read all labelled examples of files and folders, whatever part they belong to.

    Args:
        paths: files and folders.
        task: what for.
        workspace: directory for what arrives by standard input.
        encoding: of text files; None finds it for each.

    Raises:
        DataError: nothing usable in them.
    """
    settings = LabelledSettings(task=task, encoding=encoding)
    data = read_labelled(list(paths), settings, ReadingReport(), workspace)
    return [*data.examples, *(one for part in data.held_out.values() for one in part)]


def _read(
    inputs: Sequence[Path | str], request: TrainRequest, task: TaskKind, report: ReadingReport
) -> LabelledData:
    settings = labelled_settings(request, task)
    return read_labelled(list(inputs), settings, report, request.work / "labels")


def _reading_lines(report: ReadingReport) -> list[str]:
    """Say what was guessed and what was lost on the way from bytes to rows."""
    lines = []
    guessed = [name for name in sorted(report.encodings) if name not in _SURE_ENCODINGS]
    if guessed:
        lines.append(say("api.read-as", encodings=", ".join(guessed)))
    if report.num_bad_records:
        lines.append(say("api.rows-lost", number=f"{report.num_bad_records:,}"))
    for file, reason in report.skipped_examples:
        if reason.startswith("skipped-damaged"):
            lines.append(say("api.file-damaged", file=file, reason=describe_reason(reason)))
    return lines


def unlabelled_texts(request: TrainRequest) -> list[str]:
    """Return the further texts that a network reads before it learns labels.

    Raises:
        DataError: they cannot be read.
    """
    return [] if request.unlabelled is None else _texts_of(request.unlabelled, request)


def _texts_of(path: Path, request: TrainRequest) -> list[str]:
    """Read the texts of a file or folder, whatever else its rows hold.

    Raises:
        DataError: it cannot be read.
    """

    def texts(text_field: str | None) -> list[str]:
        settings = LabelledSettings(text_field=text_field, encoding=request.encoding)
        rows = iterate_texts(path, request.work / "labels", settings)
        return [row.text for row in rows if row.text.strip()]

    try:
        return texts(request.text_field)
    except DataError:
        if request.text_field is None:
            raise
    # The column is named after the data's own table; this file may be of another make.
    return texts(None)


def _read_any(request: TrainRequest, task: TaskKind, report: ReadingReport) -> LabelledData:
    """Read labelled data; where a teacher knows the labels, texts without any will do."""
    inputs = split_data(request.data)
    settings = labelled_settings(request, task)
    # Two columns of texts are pairs, labelled or not.
    if request.teacher is None or task == "match":
        return _read(inputs, request, task, report)
    if recognise(inputs, request.work / "labels", settings) is not None:
        return _read(inputs, request, task, report)
    texts: list[Example] = [
        LabelledText(text, ())
        for one in inputs
        for text in ([one] if isinstance(one, str) else _texts_of(one, request))
        if text.strip()
    ]
    if not texts:
        raise DataError("corpora.labelled-no-examples")
    names = ", ".join(str(one) for one in inputs if isinstance(one, Path)) or "-"
    evidence = say("api.teacher-texts", file=names, number=f"{len(texts):,}")
    return LabelledData(task, texts, evidence, "texts", Columns())


def _parts(data: LabelledData) -> tuple[list[Example], list[Example]]:
    held_out: list[Example] = []
    test: list[Example] = []
    for name, part in data.held_out.items():
        is_measuring = name.casefold().startswith(_MEASURING_PARTS)
        (held_out if is_measuring else test).extend(part)
    return held_out, test


def _mended(request: TrainRequest) -> tuple[str, ...]:
    """Return the problems that are none, because old data or a model know the other answers."""
    if request.teacher is not None or request.keep_answers:
        return (*_ONE_LABEL, *_NO_LABELS)
    return _ONE_LABEL if request.replay is not None else ()


def _tell_problems(
    data: LabelledData, held_out: list[Example], progress: Progress, mended: tuple[str, ...]
) -> None:
    problems = [*data.problems, *check(data.examples, held_out or None)]
    problems = [one for one in problems if one.code not in mended]
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
