"""Which column is the text and which the label: by names first, then by the values.

The questions, in this order:

    text_field, label_field    what the user named is taken, whatever it looks like
    tags                       a column of tags as many as the tokens of another column
    pairs                      two columns called like the sides of a pair (question1, question2)
    names                      a column called like a text and one called like a label
    labels                     several columns of 0 and 1, or of shares that add up to one
    values                     texts are long and different, labels short and few
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sparrowlm.corpora.labelled.column_facts import ColumnFacts, column_facts
from sparrowlm.corpora.labelled.column_names import (
    TOKEN_NAMES,
    WEAK_LABEL_NAMES,
    are_translations,
    is_never_label,
    is_never_text,
    is_pair_label,
    label_ranking,
    pair_by_names,
    plain,
    text_ranking,
    title_beside,
)
from sparrowlm.corpora.labelled.examples import TaskKind
from sparrowlm.corpora.labelled.joining import cut_tokens
from sparrowlm.corpora.labelled.label_columns import label_columns
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.settings import Columns, LabelledSettings
from sparrowlm.corpora.labelled.tags import looks_like_tags
from sparrowlm.foundation.errors import DataError

_ALIGNED_SHARE = 0.9


class FieldMissing(Exception):
    """A column that the user named is not in this file."""


@dataclass(frozen=True, slots=True)
class TableSample:
    """The beginning of a table.

    Args:
        names: the header; "0", "1", … without one.
        rows: the first rows below it.
        is_named: whether there is a header.
        trusts_values: whether a label may be recognised by its values alone.
    """

    names: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    is_named: bool
    trusts_values: bool = True


@dataclass(frozen=True, slots=True)
class Choice:
    """What the columns of a table mean.

    Args:
        task: what the table is for.
        columns: the columns used.
        by: "given", "tags", "pairs", "names", "columns" or "values".
    """

    task: TaskKind
    columns: Columns
    by: str


def choose_columns(sample: TableSample, settings: LabelledSettings) -> Choice | None:
    """Find out what the columns of a table mean.

    Args:
        sample: the beginning of the table.
        settings: the task and the fields that the user named.

    Returns:
        The choice; None when nothing in the table could be a label.

    Raises:
        FieldMissing: text_field or label_field is no column of the table.
    """
    return _Chooser(sample, settings).choose()


def missing_field(missing: FieldMissing, names: Sequence[str], file: str) -> DataError:
    """Make the error that says which columns there are."""
    shown = ", ".join(name or "''" for name in names[:20])
    return DataError("corpora.labelled-field-missing", field=str(missing), file=file, names=shown)


def note_columns(columns: Columns, tally: ProblemTally) -> None:
    """Note which columns are ignored, and that another one could have been the label."""
    if columns.ignored:
        tally.note_once("corpora.labelled-columns-ignored", ", ".join(columns.ignored))
    label = columns.label or columns.intent
    others = [columns.ignored[i] for i in label_ranking(columns.ignored)]
    if label is not None and others:
        tally.note_once("corpora.labelled-label-chosen", " / ".join([label, *others]))


class _Chooser:
    def __init__(self, sample: TableSample, settings: LabelledSettings) -> None:
        self._sample = sample
        self._names = sample.names
        self._task = settings.task
        self._facts = column_facts(sample.rows, len(sample.names))
        self._text = self._resolved(settings.text_field)
        self._label = self._resolved(settings.label_field)

    def _resolved(self, field: str | None) -> int | None:
        if field is None:
            return None
        stripped = [name.strip() for name in self._names]
        if field.strip() in stripped:
            return stripped.index(field.strip())
        if plain(field) in map(plain, self._names):
            names: list[str] = [plain(name) for name in self._names]
            return names.index(plain(field))
        if field.isdecimal() and int(field) < len(self._names):
            return int(field)
        raise FieldMissing(field)

    def choose(self) -> Choice | None:
        if self._task in (None, "tag", "intent", "segment", "classify") and self._text is None:
            tagged = self._tagged()
            if tagged is not None:
                return tagged
        # Who names the text of a table of pairs wants the class of that text.
        if self._task == "match" or (self._task is None and self._text is None):
            pair = self._pair()
            if pair is not None or self._task == "match":
                return pair
        if self._task in (None, "classify", "intent"):
            return self._classes()
        return None

    def _tagged(self) -> Choice | None:
        rows = self._sample.rows
        for tags in range(len(self._names)):
            cells = [row[tags].split() for row in rows if tags < len(row) and row[tags].strip()]
            if not cells or not looks_like_tags(tag for tags_ in cells for tag in tags_):
                continue
            tokens = self._tokens_of(tags)
            if tokens is not None and max(map(len, cells)) > 1:
                return self._tagged_choice(tokens, tags)
        return None

    def _tokens_of(self, tags: int) -> int | None:
        """Return the column with as many tokens as there are tags in nearly all rows."""
        rows = [row for row in self._sample.rows if len(row) == len(self._names)]
        by_name = [i for i, name in enumerate(self._names) if plain(name) in TOKEN_NAMES]
        for column in [*by_name, *range(len(self._names))]:
            lengths = [len(row[tags].split()) for row in rows]
            cells = zip((row[column] for row in rows), lengths, strict=True)
            same = sum(len(cut_tokens(cell, length)) == length for cell, length in cells)
            if column != tags and rows and same >= _ALIGNED_SHARE * len(rows):
                return int(column)
        return None

    def _tagged_choice(self, tokens: int, tags: int) -> Choice:
        left = [i for i in range(len(self._names)) if i not in (tokens, tags)]
        intent = self._label
        if intent is None and self._task != "tag":
            candidates = label_ranking([self._names[i] for i in left])
            by_value = [i for i in left if self._can_be_label(i)]
            intent = left[candidates[0]] if candidates else next(iter(by_value), None)
        names = [self._names[i] if i not in (intent, tokens) else "" for i in left]
        texts = text_ranking(names)
        text = (self._names[left[texts[0]]],) if texts else ()
        task: TaskKind = "tag" if intent is None else "intent"
        used = {tokens, tags, intent, *([left[texts[0]]] if texts else [])}
        columns = Columns(
            text,
            tokens=self._names[tokens],
            tags=self._names[tags],
            intent=None if intent is None else self._names[intent],
            ignored=self._unused(used),
        )
        return Choice(task, columns, "tags")

    def _unused(self, used: set[int | None]) -> tuple[str, ...]:
        return tuple(name for i, name in enumerate(self._names) if name and i not in used)

    def _pair(self) -> Choice | None:
        sides = pair_by_names(self._names)
        if sides is not None and not all(self._facts[i].is_text for i in sides):
            sides = None
        by = "pairs"
        if sides is None:
            sides, by = self._pair_by_values(), "values"
        if sides is None:
            return None
        label = self._label
        if label is None:
            label = self._best_label(set(sides), trusts_values=self._sample.trusts_values)
            # The subject of a question is no judgement about the pair.
            if label is not None and not self._judges_pairs(label):
                label = None
        names = self._names
        columns = Columns(
            (names[sides[0]],),
            second=names[sides[1]],
            label=None if label is None else names[label],
            ignored=self._unused({*sides, label}),
        )
        return Choice("match", columns, by)

    def _judges_pairs(self, column: int) -> bool:
        return self._facts[column].is_whole or is_pair_label(self._names[column])

    def _pair_by_values(self) -> tuple[int, int] | None:
        """Return two columns of texts of like length beside a label of two values."""
        texts = [i for i, facts in enumerate(self._facts) if facts.is_text and not facts.repeats]
        if self._task == "match" and len(texts) >= 2:
            by_length = sorted(texts, key=lambda i: -self._facts[i].mean_characters)
            return min(by_length[:2]), max(by_length[:2])
        if len(texts) != 2 or not self._sample.trusts_values or self._is_classes_by_name():
            return None
        lengths = sorted(self._facts[i].mean_characters for i in texts)
        binary = [f for f in self._facts if f.is_whole and f.num_distinct == 2 and f.num_filled > 2]
        like = lengths[1] <= 3 * lengths[0]
        return (texts[0], texts[1]) if len(binary) == 1 and like else None

    def _is_classes_by_name(self) -> bool:
        names = self._names
        return bool(self._sample.is_named and label_ranking(names) and text_ranking(names))

    def _classes(self) -> Choice | None:
        text, by = self._text_column()
        if text is None:
            return None
        label = self._label
        trusts = self._sample.trusts_values or self._task is not None
        if label is None and trusts:
            several = self._label_columns(text)
            if several is not None:
                return several
        if label is None:
            label = self._best_label({text}, trusts_values=trusts)
            if label is not None and not self._is_label_name(label):
                by = "values"
        if label is None or label == text:
            return None
        title = title_beside(self._names, text) if self._text is None else None
        is_joined = title is not None and title != label and self._facts[title].is_text
        texts = (title, text) if is_joined and title is not None else (text,)
        columns = Columns(
            tuple(self._names[i] for i in texts),
            label=self._names[label],
            ignored=self._unused({*texts, label}),
        )
        return Choice("classify", columns, "given" if self._label is not None else by)

    def _label_columns(self, text: int) -> Choice | None:
        """Return a column for each label, where none is called like a label of its own."""
        is_named = any(self._name_holds(i) for i in label_ranking(self._names) if i != text)
        if is_named or not self._sample.is_named:
            return None
        found = label_columns(self._names, self._sample.rows, text)
        if not found:
            return None
        columns = Columns(
            (self._names[text],),
            labels=tuple(self._names[i] for i in found),
            ignored=self._unused({text, *found}),
        )
        return Choice("classify", columns, "columns")

    def _text_column(self) -> tuple[int | None, str]:
        if self._text is not None:
            return self._text, "names"
        usable = [i for i in text_ranking(self._names) if i != self._label]
        labels = label_ranking(self._names)[:1] if self._label is None else []
        for column in usable:
            if self._facts[column].num_filled and column not in labels:
                return column, "names"
        return self._longest(), "values"

    def _longest(self) -> int | None:
        """Return the column of the longest different texts."""
        best: tuple[float, int] | None = None
        exact = set(label_ranking(self._names)[:1])
        for i, facts in enumerate(self._facts):
            is_free = i != self._label and i not in exact and not is_never_text(self._names[i])
            if facts.is_text and is_free:
                weight = facts.mean_characters * (facts.num_distinct / facts.num_filled)
                if best is None or weight > best[0]:
                    best = (weight, i)
        return None if best is None else best[1]

    def _is_label_name(self, column: int) -> bool:
        return column in label_ranking(self._names)

    def _best_label(self, taken: set[int], trusts_values: bool) -> int | None:
        for column in label_ranking(self._names):
            if column not in taken and self._name_holds(column):
                return column
        if not trusts_values or are_translations(self._names):
            return None
        longest = max(self._facts[i].mean_characters for i in taken)
        candidates = [i for i in range(len(self._names)) if i not in taken]
        candidates = [i for i in candidates if self._can_be_label(i, longest)]
        return min(candidates, key=lambda i: self._label_order(i, longest), default=None)

    def _name_holds(self, column: int) -> bool:
        facts = self._facts[column]
        if plain(self._names[column]) in WEAK_LABEL_NAMES or not facts.num_filled:
            return facts.looks_like_label and (facts.num_distinct > 1 or facts.is_few)
        return True

    def _can_be_label(self, column: int, text_characters: float = math.inf) -> bool:
        facts = self._facts[column]
        is_other = is_never_label(self._names[column]) or column in text_ranking(self._names)
        if self._sample.is_named and is_other:
            return False
        # Columns as long as the text (two languages, two words) are classes only if very few.
        is_long = facts.mean_characters * 2 > text_characters
        if is_long and not (facts.repeats and facts.num_distinct * 10 <= facts.num_filled):
            return False
        counts_rows = facts.is_whole and facts.num_distinct == facts.num_filled > 2
        return facts.looks_like_label and not counts_rows

    def _label_order(self, column: int, text_characters: float) -> tuple[bool, bool, int]:
        """Prefer what repeats, then what is clearly shorter than the text, then few values."""
        facts: ColumnFacts = self._facts[column]
        is_long = facts.mean_characters * 2 > text_characters
        return (facts.num_distinct < 2, is_long, facts.num_distinct)
