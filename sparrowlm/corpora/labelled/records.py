"""JSON records to examples: one object, one example.

The questions, in this order: labelled spans? slots? tokens with tags? probabilities? then the
flat keys are looked at as if they were the columns of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, TypeAlias

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.annotations import is_empty_annotation, looks_like_spans
from sparrowlm.corpora.labelled.column_names import (
    PROBABILITY_NAMES,
    TOKEN_NAMES,
    label_ranking,
    plain,
    text_ranking,
)
from sparrowlm.corpora.labelled.columns import (
    Choice,
    FieldMissing,
    TableSample,
    choose_columns,
    missing_field,
    note_columns,
)
from sparrowlm.corpora.labelled.examples import Example, TaskKind
from sparrowlm.corpora.labelled.opening import OpenedFile
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.record_examples import (
    flat,
    labels_by_keys_of,
    pair_of,
    probabilities_of,
    slotted_of,
    spans_of,
    text_labels_of,
    tokens_of,
)
from sparrowlm.corpora.labelled.settings import Columns, LabelledSettings
from sparrowlm.corpora.labelled.tags import looks_like_tags
from sparrowlm.corpora.records import line_values, stream_values

Record: TypeAlias = dict[str, Any]
_SAMPLE_RECORDS = 200
_SLOT_NAMES = ("slots", "slot", "槽位", "slot_values")
_SHARE = 0.8
_PRESENT_SHARE = 0.5


def values_of(opened: OpenedFile, report: ReadingReport, head_only: bool = False) -> Iterator[Any]:
    """Yield the JSON values of a file: one per line, or the items of a list.

    Args:
        opened: the file.
        report: counts what is no JSON.
        head_only: only the values in the beginning.
    """
    blocks = iter([opened.head]) if head_only else opened.blocks
    head = opened.head.lstrip("\ufeff \t\r\n")
    first_line = head.split("\n", 1)[0].rstrip().rstrip(",")
    is_lines = not head.startswith("[") and first_line.endswith("}")
    return line_values(blocks, report) if is_lines else stream_values(blocks, report)


def looks_like_json(opened: OpenedFile) -> bool:
    """Say whether a file of any suffix holds JSON objects."""
    head = opened.head.lstrip("\ufeff \t\r\n")
    if not head.startswith(("{", "[")):
        return False
    first = next(iter(values_of(opened, ReadingReport(), head_only=True)), None)
    return isinstance(first, (dict, list))


def plan_records(
    opened: OpenedFile, settings: LabelledSettings, tally: ProblemTally, report: ReadingReport
) -> ReadingPlan | None:
    """Look at the first records and decide how to read all of them.

    Args:
        opened: a file of JSON values.
        settings: what the user named.
        tally: counts repairs and receives which keys are ignored.
        report: counts what is no record.

    Returns:
        The plan; None when nothing in the records could be a label.

    Raises:
        DataError: text_field or label_field is no key of the records.
    """
    values = values_of(opened, ReadingReport(), head_only=True)
    sample = [value for value in islice(values, _SAMPLE_RECORDS) if isinstance(value, dict)]
    if not sample:
        return None
    names = list(dict.fromkeys(str(key) for record in sample for key in record))
    for field in (settings.text_field, settings.label_field):
        if field is not None and field not in names:
            raise missing_field(FieldMissing(field), names, opened.name)
    found = _Recogniser(names, sample, settings).found()
    if found is None:
        return None
    choice, make = found
    used = {*choice.columns.text, choice.columns.label, choice.columns.second}
    used |= set(choice.columns.labels)
    used |= {choice.columns.tokens, choice.columns.tags, choice.columns.intent}
    ignored = tuple(name for name in names if name not in used)
    columns = replace(choice.columns, ignored=ignored)
    note_columns(columns, tally)
    return ReadingPlan(
        format="records",
        task=choice.task,
        columns=columns,
        read=lambda: _examples(
            values_of(opened, report), lambda record: make(record, columns, tally), report
        ),
        evidence=f"labelled-evidence-{choice.by}",
    )


Maker: TypeAlias = Callable[[Record, Columns, ProblemTally], Example | None]


def _examples(
    values: Iterator[Any], make: Callable[[Record], Example | None], report: ReadingReport
) -> Iterator[Example]:
    for value in values:
        example = make(value) if isinstance(value, dict) else None
        if example is None:
            report.num_bad_records += 1
        else:
            yield example


class _Recogniser:
    def __init__(
        self, names: Sequence[str], sample: Sequence[Record], settings: LabelledSettings
    ) -> None:
        self._names = names
        self._sample = sample
        self._settings = settings
        self._text = settings.text_field or self._named_text()

    def _named_text(self) -> str | None:
        flat_names = [name for name in self._names if self._share(name, _is_flat) >= _SHARE]
        ranking = text_ranking(flat_names)
        return flat_names[ranking[0]] if ranking else None

    def _share(self, name: str, fits: Callable[[Any], bool]) -> float:
        values = [record[name] for record in self._sample if record.get(name) is not None]
        return sum(map(fits, values)) / len(values) if values else 0.0

    def found(self) -> tuple[Choice, Maker] | None:
        steps = (self._tokens, self._spans, self._slots, self._probabilities)
        if self._settings.task not in ("match",):
            for step in steps:
                found = step()
                if found is not None:
                    return found
        return self._flat()

    def _intent(self, excluded: set[str | None]) -> str | None:
        """Return the key of the class of the whole text, if that is wanted."""
        if self._settings.task == "tag":
            return None
        names = [name for name in self._names if name not in excluded]
        names = [name for name in names if self._share(name, _is_flat) >= _SHARE]
        if self._settings.label_field in names:
            return self._settings.label_field
        ranking = label_ranking(names)
        return names[ranking[0]] if ranking else None

    def _spans(self) -> tuple[Choice, Maker] | None:
        for name in self._candidates():
            filled = [r[name] for r in self._sample if not is_empty_annotation(r.get(name))]
            fitting = sum(looks_like_spans(value) for value in filled)
            if filled and fitting >= _SHARE * len(filled) and self._text is not None:
                return self._over_text(name, "spans"), spans_of
        return None

    def _over_text(self, name: str, by: str) -> Choice:
        """Return the choice of one key with spans or slots over the text."""
        intent = self._intent({name, self._text})
        columns = Columns((self._text or "",), label=name, intent=intent)
        return Choice(self._tag_task(intent), columns, by)

    def _candidates(self) -> list[str]:
        label = self._settings.label_field
        return list(self._names) if label is None else [label, *self._names]

    def _tag_task(self, intent: str | None) -> TaskKind:
        return "tag" if intent is None else "intent"

    def _slots(self) -> tuple[Choice, Maker] | None:
        for name in self._names:
            is_slots = plain(name) in _SLOT_NAMES and self._share(name, _holds_slots) == 1
            if is_slots and self._text is not None:
                return self._over_text(name, "slots"), slotted_of
        return None

    def _tokens(self) -> tuple[Choice, Maker] | None:
        lists = [name for name in self._names if self._share(name, _is_text_list) == 1]
        tokens = [name for name in lists if plain(name) in TOKEN_NAMES] or [
            name for name in self._names if name == self._text
        ]
        for name in lists:
            if name in tokens or not tokens:
                continue
            if looks_like_tags(tag for record in self._sample for tag in record.get(name) or ()):
                intent = self._intent({name, tokens[0], self._text})
                text = self._text if self._text != tokens[0] else None
                columns = Columns((text,) if text else (), None, None, tokens[0], name, intent)
                return Choice(self._tag_task(intent), columns, "tags"), tokens_of
        return None

    def _probabilities(self) -> tuple[Choice, Maker] | None:
        for name in self._names:
            is_named = plain(name) in PROBABILITY_NAMES or name == self._settings.label_field
            if is_named and self._text is not None and self._share(name, _is_distribution) == 1:
                columns = Columns((self._text,), label=name)
                return Choice("classify", columns, "probabilities"), probabilities_of
        return None

    def _is_usual(self, name: str) -> bool:
        """Say whether most records have this key, with a text, a number or labels."""
        given = sum(record.get(name) is not None for record in self._sample)
        if name in (self._settings.text_field, self._settings.label_field):
            given = len(self._sample)
        is_flat = self._share(name, _is_flat_or_labels) >= _SHARE
        return is_flat and given >= _PRESENT_SHARE * len(self._sample)

    def _flat(self) -> tuple[Choice, Maker] | None:
        settings = self._settings
        names = [n for n in self._names if self._is_usual(n)]
        if not names or any(
            f not in (None, *names) for f in (settings.text_field, settings.label_field)
        ):
            return None
        rows = [[flat(record.get(name)) for name in names] for record in self._sample]
        # Keys always have names: a label that is not called one is rather something else.
        sample = TableSample(tuple(names), rows, is_named=True, trusts_values=False)
        choice = choose_columns(sample, settings)
        if choice is None or choice.columns.tags is not None:
            return None
        if choice.columns.labels:
            return choice, labels_by_keys_of
        return choice, pair_of if choice.task == "match" else text_labels_of


def _holds_slots(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, (dict, list))


def _is_flat(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, (str, int, float))


def _is_text_list(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_flat_or_labels(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return _is_flat(value) or (isinstance(value, list) and all(_is_flat(item) for item in value))


def _is_distribution(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, dict) and all(
        isinstance(p, (int, float)) and not isinstance(p, bool) for p in value.values()
    )
