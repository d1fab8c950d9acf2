"""One JSON record to one example, for every form of record; None where the record is broken."""

from __future__ import annotations

from typing import Any, TypeAlias

from sparrowlm.corpora.labelled.annotations import raw_spans
from sparrowlm.corpora.labelled.examples import LabelledText, TaggedText, TextPair
from sparrowlm.corpora.labelled.label_columns import labelled_by_columns
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.settings import Columns
from sparrowlm.corpora.labelled.slots import locate_slots, slot_values
from sparrowlm.corpora.labelled.spans import tidy_spans
from sparrowlm.corpora.labelled.tagged_rows import tagged_text

Record: TypeAlias = dict[str, Any]


def flat(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a value as the cell of a table: lists of labels by their first, nothing as "".

    >>> flat(3), flat(True), flat(["a", "b"]), flat(None)
    ('3', 'true', 'a', '')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return flat(value[0]) if value else ""
    return str(value)


def spans_of(record: Record, columns: Columns, tally: ProblemTally) -> TaggedText | None:
    """Read a text with annotated spans."""
    text = record.get(columns.text[0])
    if not isinstance(text, str):
        return None
    spans = tidy_spans(text, raw_spans(record.get(columns.label or ""), tally), tally)
    return TaggedText(text, spans, intent=_optional(record, columns.intent))


def slotted_of(record: Record, columns: Columns, tally: ProblemTally) -> TaggedText | None:
    """Read a text with slots whose values are looked for in it."""
    text = record.get(columns.text[0])
    if not isinstance(text, str):
        return None
    spans = locate_slots(text, slot_values(record.get(columns.label or "")), tally)
    return TaggedText(text, spans, intent=_optional(record, columns.intent))


def _optional(record: Record, key: str | None) -> str | None:
    return (flat(record.get(key)) or None) if key is not None else None


def tokens_of(record: Record, columns: Columns, tally: ProblemTally) -> TaggedText | None:
    """Read tokens with their tags; a text in place of tokens is cut into its characters."""
    found = record.get(columns.tokens or "")
    tokens = list(found) if isinstance(found, (str, list)) else []
    tags = record.get(columns.tags or "") or []
    if not tokens or len(tokens) != len(tags) or not all(tokens):
        return None
    text = record.get(columns.text[0]) if columns.text else None
    if isinstance(found, str):
        text = found
    tagged = tagged_text(tokens, tags, tally, text if isinstance(text, str) else None)
    return TaggedText(tagged.text, tagged.spans, tagged.tokens, _optional(record, columns.intent))


def probabilities_of(record: Record, columns: Columns, _tally: ProblemTally) -> LabelledText | None:
    """Read a text with soft labels; its label is the likeliest one."""
    text, shares = record.get(columns.text[0]), record.get(columns.label or "")
    if not isinstance(text, str) or not isinstance(shares, dict):
        return None
    probabilities = tuple((str(label), float(share)) for label, share in shares.items())
    best = max(probabilities, key=lambda pair: pair[1], default=None)
    return LabelledText(text, () if best is None else (best[0],), probabilities)


def text_labels_of(record: Record, columns: Columns, _tally: ProblemTally) -> LabelledText | None:
    """Read a text with one label or a list of labels."""
    texts = [record.get(key) for key in columns.text]
    kept = [text for text in texts if isinstance(text, str)]
    if not kept:
        return None
    value = record.get(columns.label or "")
    values = value if isinstance(value, list) else [value]
    labels = dict.fromkeys(label for label in (flat(one).strip() for one in values) if label)
    text = kept[0] if len(texts) == 1 else "\n".join(text for text in kept if text)
    return LabelledText(text, tuple(labels))


def labels_by_keys_of(
    record: Record, columns: Columns, _tally: ProblemTally
) -> LabelledText | None:
    """Read a text with a key for each label."""
    text = record.get(columns.text[0])
    if not isinstance(text, str):
        return None
    cells = [flat(record.get(name)) for name in columns.labels]
    return labelled_by_columns(text, columns.labels, cells)


def pair_of(record: Record, columns: Columns, _tally: ProblemTally) -> TextPair | None:
    """Read two texts and the label of the pair, if there is one."""
    first, second = record.get(columns.text[0]), record.get(columns.second or "")
    if not isinstance(first, str) or not isinstance(second, str):
        return None
    return TextPair(first, second, _optional(record, columns.label))
