"""Tables (CSV, TSV, Excel) to examples: one row, one example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.column_facts import has_header
from sparrowlm.corpora.labelled.columns import (
    Choice,
    FieldMissing,
    TableSample,
    choose_columns,
    missing_field,
    note_columns,
)
from sparrowlm.corpora.labelled.examples import Example, LabelledText, TextPair
from sparrowlm.corpora.labelled.label_columns import labelled_by_columns
from sparrowlm.corpora.labelled.opening import OpenedFile
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.settings import Columns, LabelledSettings
from sparrowlm.corpora.labelled.tagged_rows import tagged_rows
from sparrowlm.corpora.tables import table_rows

SAMPLE_ROWS = 1000
# Signs that divide several labels in one cell.
_LABEL_SIGNS = ("|", ";", "；", "、", ",", "，")
_TABBED_SHARE = 0.95

Row = Sequence[str]


class Table:
    """The rows of an opened file, with the beginning already looked at.

    Args:
        opened: the file; Excel files bring their own rows.
        wanted: names the user gave, which settle whether there is a header.
        report: counts rows that cannot be read.
    """

    def __init__(
        self, opened: OpenedFile, wanted: Sequence[str | None], report: ReadingReport
    ) -> None:
        self._opened = opened
        self._report = report
        self.is_tabbed = opened.kind == "tsv" or (opened.kind == "text" and is_tabbed(opened.head))
        if opened.rows is not None:
            first = list(islice(opened.rows, SAMPLE_ROWS))
            opened.rows = chain(first, opened.rows)
        else:
            rows = table_rows([opened.head], self.is_tabbed, ReadingReport())
            first = list(islice(rows, SAMPLE_ROWS + 1))
            # The last row of a beginning may go on behind it.
            first = first if opened.is_whole or len(first) < 3 else first[:-1]
        first = [row for row in first if any(cell.strip() for cell in row)]
        self.has_header = bool(first) and has_header(first, wanted)
        self.names = _names(first, self.has_header)
        self.sample = first[1:] if self.has_header else first

    def text(self, row: Row, columns: Sequence[int]) -> str:
        """Return the text of a row, whole where an unquoted delimiter has cut its last cell."""
        if len(columns) > 1:
            return "\n".join(row[i] for i in columns if row[i])
        if self.has_header and columns[0] == len(self.names) - 1 and len(row) > len(self.names):
            return ("\t" if self.is_tabbed else ",").join(row[columns[0] :]).rstrip("\t,")
        return row[columns[0]]

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows below the header; empty ones are passed over."""
        rows = self._opened.rows
        if rows is None:
            rows = table_rows(self._opened.blocks, self.is_tabbed, self._report)
        filled = (row for row in rows if any(row) and (len(row) > 1 or row[0].strip()))
        if self.has_header:
            next(filled, None)
        yield from filled


def _names(first: list[list[str]], is_named: bool) -> tuple[str, ...]:
    if not first:
        return ()
    if is_named:
        return tuple(cell.strip() for cell in first[0])
    return tuple(str(i) for i in range(max(len(row) for row in first)))


def is_tabbed(head: str) -> bool:
    """Say whether nearly all lines have the same number of TABs, at least one."""
    counts = [line.count("\t") for line in head.split("\n") if line.strip()]
    usual = max(set(counts), key=counts.count, default=0)
    return usual > 0 and counts.count(usual) >= _TABBED_SHARE * len(counts)


def plan_table(
    opened: OpenedFile, settings: LabelledSettings, tally: ProblemTally, report: ReadingReport
) -> ReadingPlan | None:
    """Look at the beginning of a table and decide how to read it.

    Args:
        opened: the file.
        settings: what the user named.
        tally: receives which columns are ignored.
        report: counts rows that cannot be read.

    Returns:
        The plan; None when nothing in the table could be a label.

    Raises:
        DataError: text_field or label_field is no column of the file.
    """
    table = Table(opened, (settings.text_field, settings.label_field), report)
    if not table.sample:
        return None
    sample = TableSample(table.names, table.sample, table.has_header)
    try:
        choice = choose_columns(sample, settings)
    except FieldMissing as missing:
        raise missing_field(missing, table.names, opened.name) from missing
    if choice is None:
        return None
    note_columns(choice.columns, tally)
    return ReadingPlan(
        format="table",
        task=choice.task,
        columns=choice.columns,
        read=_reader(choice, table, tally, report),
        evidence=f"labelled-evidence-{choice.by}",
    )


def _reader(
    choice: Choice, table: Table, tally: ProblemTally, report: ReadingReport
) -> Callable[[], Iterator[Example]]:
    columns = choice.columns
    if columns.tags is not None:
        return lambda: tagged_rows(table.rows(), table.names, columns, tally, report)
    if choice.task == "match":
        return lambda: _pairs(table, columns, report)
    if columns.labels:
        return lambda: _texts_by_columns(table, columns, report)
    label = table.names.index(columns.label or "")
    cells = [row[label].strip() for row in table.sample if label < len(row)]
    sign = label_sign(cells)
    return lambda: _texts(table, columns, sign, report)


def label_sign(cells: Sequence[str]) -> str | None:
    """Find the sign that divides several labels in one cell.

    Args:
        cells: label cells of the first rows.

    Returns:
        The sign; None where a cell is one label.

    >>> label_sign(["体育|财经", "体育", "财经|科技", "科技"]), label_sign(["New York, NY", "Rome"])
    ('|', None)
    """
    distinct = set(cells)
    for sign in _LABEL_SIGNS:
        several = [cell for cell in distinct if sign in cell]
        if not several:
            continue
        parts = {part.strip() for cell in distinct for part in cell.split(sign)}
        known = {part for part in parts if part in distinct}
        pieces = Counter(part.strip() for cell in several for part in cell.split(sign))
        again = sum(count > 1 or part in known for part, count in pieces.items())
        if again >= 0.5 * len(pieces):
            return sign
    return None


def split_labels(cell: str, sign: str | None) -> tuple[str, ...]:
    """Return the labels of a cell, each once, none for an empty cell."""
    if sign is None or sign not in cell:
        return (cell,) if cell else ()
    parts = (part.strip() for part in cell.split(sign))
    return tuple(dict.fromkeys(part for part in parts if part))


def _texts(
    table: Table, columns: Columns, sign: str | None, report: ReadingReport
) -> Iterator[Example]:
    names = table.names
    texts = [names.index(name) for name in columns.text]
    label = names.index(columns.label or "")
    last = max(label, *texts)
    # A million rows have few different labels: one tuple serves all of its rows.
    known: dict[str, tuple[str, ...]] = {}
    for row in table.rows():
        if len(row) <= last:
            report.num_bad_records += 1
            continue
        cell = row[label].strip()
        labels = known.get(cell)
        if labels is None:
            labels = known[cell] = split_labels(cell, sign)
        yield LabelledText(table.text(row, texts), labels)


def _texts_by_columns(table: Table, columns: Columns, report: ReadingReport) -> Iterator[Example]:
    texts = [table.names.index(name) for name in columns.text]
    labels = [table.names.index(name) for name in columns.labels]
    last = max(*labels, *texts)
    for row in table.rows():
        example = None
        if len(row) > last:
            cells = [row[i] for i in labels]
            example = labelled_by_columns(table.text(row, texts), columns.labels, cells)
        if example is None:
            report.num_bad_records += 1
        else:
            yield example


def _pairs(table: Table, columns: Columns, report: ReadingReport) -> Iterator[Example]:
    names = table.names
    first, second = names.index(columns.text[0]), names.index(columns.second or "")
    label = None if columns.label is None else names.index(columns.label)
    last = max(first, second, label or 0)
    for row in table.rows():
        if len(row) <= last:
            report.num_bad_records += 1
            continue
        value = None if label is None else row[label].strip() or None
        yield TextPair(row[first], row[second], value)
