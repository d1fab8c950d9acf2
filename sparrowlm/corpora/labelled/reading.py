"""Labelled data of any format to examples: recognised, read and repaired in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.examples import Example, LabelledText, TaggedText, TaskKind
from sparrowlm.corpora.labelled.folders import are_label_folders, label_of
from sparrowlm.corpora.labelled.opening import OpenedFile, open_files
from sparrowlm.corpora.labelled.parts import part_of
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.recognition import plan_file
from sparrowlm.corpora.labelled.settings import Columns, LabelledData, LabelledSettings
from sparrowlm.corpora.sources import Source, find_sources
from sparrowlm.corpora.statistics import describe_reason
from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.messages import say

# So many files without labels, and the rest is taken to have none either.
_FILES_LOOKED_AT = 20
_NOT_LABELLED = "skipped-not-labelled"


def recognise(
    inputs: Sequence[Path | str], workspace: Path, settings: LabelledSettings | None = None
) -> TaskKind | None:
    """Say which task data are for, from their beginning alone.

    Args:
        inputs: files and folders as paths; strings are the data themselves.
        workspace: directory for what arrives by standard input.
        settings: fields that the user named.

    Returns:
        The task; None for plain text, which is for language modelling.

    Raises:
        SettingError: there is no input.
        DataError: a path does not exist, or the only file cannot be read.
        DependencyError: an Excel file, and openpyxl is not installed.
    """
    settings = settings or LabelledSettings()
    report = ReadingReport()
    sources = find_sources(inputs, report, workspace)
    if _is_folders(sources, settings):
        return "classify"
    for source in sources[:_FILES_LOOKED_AT]:
        try:
            for opened in islice(open_files([source], report, settings.encoding), _FILES_LOOKED_AT):
                plan = plan_file(opened, settings, ProblemTally(), report)
                if plan is not None:
                    return _target(plan, settings.task)
        except DataError:
            # One strange file among many does not make the others labelled data.
            if len(sources) == 1:
                raise
    return None


def _is_folders(sources: Sequence[Source], settings: LabelledSettings) -> bool:
    if settings.task not in (None, "classify"):
        return False
    if not are_label_folders(sources, is_asked=settings.task is not None):
        return False
    opened = next(open_files(sources[:1], ReadingReport(), settings.encoding), None)
    return opened is None or plan_file(opened, settings, ProblemTally(), ReadingReport()) is None


def _target(plan: ReadingPlan, asked: TaskKind | None) -> TaskKind | None:
    """Return the task that the examples of a plan can serve, None when not the one asked for."""
    if asked is None or asked == plan.task:
        return plan.task
    served = {
        "intent": ("classify", "tag"),
        "classify": ("intent",),
        "segment": ("tag",),
    }
    return asked if asked in served.get(plan.task, ()) else None


def read_labelled(
    inputs: Sequence[Path | str],
    settings: LabelledSettings,
    report: ReadingReport,
    workspace: Path,
) -> LabelledData:
    """Read labelled data of any format.

    Args:
        inputs: files and folders as paths; strings are the data themselves.
        settings: the task and fields that the user named.
        report: receives encodings, bytes, broken rows and why a file was skipped.
        workspace: directory for what arrives by standard input; never read as input.

    Returns:
        The examples, and what was understood from what.

    Raises:
        SettingError: there is no input.
        DataError: nothing labelled was found, a named column is missing, files of different
            formats or tasks were mixed, the data are for another task than the one asked for, or a
            file is damaged.
        DependencyError: an Excel file, and openpyxl is not installed.
    """
    sources = find_sources(inputs, report, workspace)
    reading = _Reading(settings, report)
    if _is_folders(sources, settings):
        reading.add_folders(sources)
    else:
        for opened in open_files(sources, report, settings.encoding):
            reading.add(opened)
    return reading.finished(len(sources))


class _Reading:
    def __init__(self, settings: LabelledSettings, report: ReadingReport) -> None:
        self._settings = settings
        self._report = report
        self._tally = ProblemTally()
        self._first: tuple[str, ReadingPlan, TaskKind] | None = None
        self._parts: dict[tuple[str, bool] | None, list[Example]] = {}

    def add(self, opened: OpenedFile) -> None:
        """Read one file."""
        plan = plan_file(opened, self._settings, self._tally, self._report)
        if plan is None:
            self._report.skip(opened.name, _NOT_LABELLED)
            return
        target = self._checked(opened.name, plan, self._with_intents(plan))
        examples = plan.read()
        if target != plan.task:
            examples = _converted(examples, target)
        self._parts.setdefault(part_of(opened.name), []).extend(examples)

    def _with_intents(self, plan: ReadingPlan) -> TaskKind | None:
        """Return the target of a plan; intents without slots join a set that has them elsewhere."""
        target = _target(plan, self._settings.task)
        if self._first is None or self._settings.task is not None:
            return target
        first, first_plan, first_target = self._first
        if first_plan.format != plan.format or {target, first_target} != {"classify", "intent"}:
            return target
        if first_target == "classify":
            self._first = (first, first_plan, "intent")
            for part, examples in self._parts.items():
                self._parts[part] = list(_converted(examples, "intent"))
        return "intent"

    def _checked(self, name: str, plan: ReadingPlan, target: TaskKind | None) -> TaskKind:
        """Return the task, and refuse what cannot stand together in one set of data."""
        asked = self._settings.task
        if target is None:
            raise DataError("corpora.labelled-other-task", asked=asked, found=plan.task, file=name)
        if self._first is None:
            self._first = (name, plan, target)
            return target
        first, first_plan, first_target = self._first
        if first_target != target:
            raise DataError(
                "corpora.labelled-mixed-tasks",
                first=first, first_task=first_target, second=name, second_task=target,
            )  # fmt: skip
        if first_plan.format != plan.format:
            raise DataError(
                "corpora.labelled-mixed-formats",
                first=first, first_format=first_plan.format, second=name, second_format=plan.format,
            )  # fmt: skip
        return target

    def add_folders(self, sources: Sequence[Source]) -> None:
        """Read files that lie in one folder per label: every file is a text."""
        known: dict[str, tuple[str, ...]] = {}
        for opened in open_files(sources, self._report, self._settings.encoding):
            label = label_of(opened.name)
            if label is None:
                self._report.skip(opened.name, _NOT_LABELLED)
                continue
            labels = known.setdefault(label, (label,))
            text = "".join(opened.blocks).replace("\r\n", "\n").strip()
            self._parts.setdefault(part_of(opened.name), []).append(LabelledText(text, labels))
            if self._first is None:
                plan = ReadingPlan(
                    "folders", "classify", Columns(), lambda: iter(()), "labelled-evidence-folders"
                )
                self._first = (opened.name, plan, "classify")

    def finished(self, num_files: int) -> LabelledData:
        """Put the parts together."""
        if self._first is None or not any(self._parts.values()):
            raise self._nothing(num_files)
        name, plan, task = self._first
        has_training = any(part is not None and part[1] for part in self._parts)
        training: list[Example] = []
        held_out: dict[str, list[Example]] = {}
        for part, examples in self._parts.items():
            if part is None or part[1] or not has_training:
                # A single file keeps its list: no second copy of a million examples.
                training = examples if not training else training + examples
            else:
                held_out.setdefault(part[0], []).extend(examples)
        return LabelledData(
            task=task,
            examples=training,
            evidence=_evidence(plan, name, len(training)),
            format=plan.format,
            columns=plan.columns,
            is_multi_label=_is_multi_label(training),
            held_out=held_out,
            problems=self._tally.problems(),
        )

    def _nothing(self, num_files: int) -> DataError:
        examples = self._report.skipped_examples
        file, reason = examples[0] if examples else ("", _NOT_LABELLED)
        return DataError(
            "corpora.labelled-nothing",
            num_files=num_files,
            file=file,
            reason=describe_reason(reason),
        )


def _is_multi_label(examples: Iterable[Example]) -> bool:
    """Say whether some text has several labels, or none of them and that was said."""
    texts = (one for one in examples if isinstance(one, LabelledText))
    return any(len(one.labels) > 1 or (one.probabilities and not one.labels) for one in texts)


def _evidence(plan: ReadingPlan, name: str, num_examples: int) -> str:
    columns = plan.columns
    return say(
        f"corpora.{plan.evidence}",
        file=name,
        number=f"{num_examples:,}",
        text=", ".join(columns.text),
        second=columns.second,
        label=columns.label or columns.intent or ", ".join(columns.labels) or "—",
        tags=columns.tags,
    )


def _converted(examples: Iterable[Example], target: TaskKind) -> Iterator[Example]:
    """Use examples for a simpler task than they are made for."""
    for one in examples:
        if isinstance(one, TaggedText) and target == "classify":
            yield LabelledText(one.text, () if one.intent is None else (one.intent,))
        elif isinstance(one, TaggedText):
            yield TaggedText(one.text, one.spans, one.tokens)
        elif isinstance(one, LabelledText):
            yield TaggedText(one.text, (), intent=one.labels[0] if one.labels else None)
