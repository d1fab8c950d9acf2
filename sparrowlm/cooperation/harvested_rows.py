"""Rows to train on, made of what was answered to the same text at different times.

    several answers     most votes win; of equally many, the answer that was given last
    large and small     what the large model said counts alone

A row keeps the votes it was made of, so that rows and further votes always make the same row,
whatever was read first.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from sparrowlm.cooperation.asking import Answer
from sparrowlm.cooperation.decision_log import DecisionRecord
from sparrowlm.privacy import Redactor
from sparrowlm.privacy.redacting import Spans, moved_spans, replaced

Form = Literal["label", "labels", "spans"]
PROVENANCE = "harvest"
_POLICY_SIGNS = 12
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_FORMS: tuple[tuple[type, Form], ...] = ((str, "label"), (list, "labels"), (dict, "spans"))
_TASKS = ("classify", "tag", "intent")


class Vote(NamedTuple):
    """One answer to a text.

    Attributes:
        time: seconds since 1970, to the microsecond.
        by: "large" or "small".
        answer: as JSON text, keys in order: equal answers are equal texts.
    """

    time: float
    by: str
    answer: str


class Doubt(NamedTuple):
    """What the small model thought when a text was asked.

    Attributes:
        time: of the question.
        small: its label.
        confidence: calibrated, 0 to 1.
        policy: beginning of the checksum of the policy in force.
    """

    time: float
    small: str
    confidence: float
    policy: str


@dataclass(slots=True)
class HarvestedRow:
    """A text and all that was answered to it.

    Attributes:
        text: as it is written.
        form: what kind of answers it has.
        votes: every one once.
        doubts: the latest by who answered.
    """

    text: str
    form: Form
    votes: set[Vote] = field(default_factory=set)
    doubts: dict[str, Doubt] = field(default_factory=dict)

    def add(self, votes: Iterable[Vote], doubts: Mapping[str, Doubt]) -> None:
        """Add what else was answered."""
        self.votes |= set(votes)
        for by, doubt in doubts.items():
            self.doubts[by] = max(doubt, self.doubts.get(by, doubt))

    def counted(self) -> list[Vote]:
        """Return the votes that count, oldest first."""
        from_large = [vote for vote in self.votes if vote.by == "large"]
        return sorted(from_large or self.votes)

    def chosen(self) -> tuple[str, bool, bool]:
        """Return the answer as JSON text, whether others were given, and whether it was even."""
        counted = self.counted()
        numbers = Counter(vote.answer for vote in counted)
        most = max(numbers.values())
        best = [answer for answer, number in numbers.items() if number == most]
        latest = next(vote.answer for vote in reversed(counted) if vote.answer in best)
        return latest, len(numbers) > 1, len(best) > 1

    def as_json(self) -> dict[str, Any]:
        """Return the row as it is written: what is trained on, then where it comes from."""
        answer = self.chosen()[0]
        counted = self.counted()
        by = counted[-1].by
        provenance: dict[str, Any] = {
            "by": by,
            "times": [vote.time for vote in counted if vote.answer == answer],
            **self.doubts[by]._asdict(),
        }
        others = [vote for vote in counted if vote.answer != answer]
        if others:
            provenance["others"] = [[vote.time, json.loads(vote.answer)] for vote in others]
        return {"text": self.text, **_fields(self.form, json.loads(answer)), PROVENANCE: provenance}


def row_of(values: Mapping[str, Any]) -> HarvestedRow:
    """Read a row that as_json wrote.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    kept = values[PROVENANCE]
    form = next((form for _kind, form in _FORMS if form in values), None)
    if form is None:
        raise ValueError(sorted(values))
    answer = values[form]
    if form == "spans":
        answer = {"intent": values.get("intent"), "spans": answer}
    by = str(kept["by"])
    doubt = Doubt(
        float(kept["time"]), str(kept["small"]), float(kept["confidence"]), str(kept["policy"])
    )
    given = [(time, answer) for time in kept["times"]]
    votes = [
        Vote(float(time), by, _as_text(one)) for time, one in (*given, *kept.get("others", ()))
    ]
    row = HarvestedRow(str(values["text"]), form)
    row.add(votes, {by: doubt})
    return row


def row_from(record: DecisionRecord, redactor: Redactor | None) -> HarvestedRow | None:
    """Make a row of one decision.

    Args:
        record: with its text.
        redactor: takes personal data out of the text; None leaves them.

    Returns:
        None where the answer is nothing that labels a text: of pairs, of free text, no answer.
    """
    form = next((form for kind, form in _FORMS if isinstance(record.answer, kind)), None)
    is_other = record.task is not None and record.task not in _TASKS
    if form is None or is_other:
        return None
    text, answer, spans = str(record.text), record.answer, Spans()
    if form == "spans":
        spans = [(int(a), int(b), str(label)) for a, b, label in answer["spans"]]
    text, spans = stripped(*without_personal(text, spans, redactor))
    if not text:
        return None
    if form == "spans":
        answer = {"intent": answer.get("intent"), "spans": [list(span) for span in spans]}
    time, by = round(record.time, 6), record.answered_by
    confidence = round(record.confidence, 4)
    doubt = Doubt(time, record.inputs.label, confidence, record.policy[:_POLICY_SIGNS])
    row = HarvestedRow(text, form)
    row.add([Vote(time, by, _as_text(answer))], {by: doubt})
    return row


def without_personal(text: str, spans: Spans, redactor: Redactor | None) -> tuple[str, Spans]:
    """Take personal data out of a text whose stretches are labelled.

    Args:
        text: any text.
        spans: (start, end, label); see moved_spans.
        redactor: None leaves everything.

    Returns:
        The text, and the spans where they stand in it now.
    """
    if redactor is None:
        return text, spans
    items = list(redactor.redact(text).items)
    if items:
        # The text decides, not the user's language: the same log always gives the same rows.
        redactor = replace(redactor, language="zh" if _CHINESE.search(text) else "en")
    instead = [redactor.instead(item) for item in items]
    return replaced(text, items, instead), moved_spans(spans, items, instead)


def stripped(text: str, spans: Spans) -> tuple[str, Spans]:
    """Take white space off both ends of a text, and move its spans along.

    >>> stripped("  去北京 ", [(3, 5, "city")])
    ('去北京', [(1, 3, 'city')])
    """
    short = text.strip()
    lead = len(text) - len(text.lstrip())
    within = ((max(a - lead, 0), min(b - lead, len(short)), label) for a, b, label in spans)
    return short, [span for span in within if span[0] < span[1]]


def _as_text(answer: Answer) -> str:
    return json.dumps(answer, ensure_ascii=False, sort_keys=True)


def _fields(form: Form, answer: Answer) -> dict[str, Any]:
    if form != "spans":
        return {form: answer}
    intent = {} if answer["intent"] is None else {"intent": answer["intent"]}
    return {**intent, "spans": answer["spans"]}


def merged(rows: Iterable[HarvestedRow]) -> dict[str, HarvestedRow]:
    """Join the votes of equal texts, in the order in which texts come first."""
    found: dict[str, HarvestedRow] = {}
    for row in rows:
        found.setdefault(row.text, HarvestedRow(row.text, row.form)).add(row.votes, row.doubts)
    return found
