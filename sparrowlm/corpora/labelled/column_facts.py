"""What the values of a column look like, and whether a table begins with a header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sparrowlm.corpora.labelled.column_names import is_known

_LONGEST_NAME = 40
_LONGEST_LABEL = 40
_FEW_ROWS = 12


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Figures of one column over the first rows.

    Args:
        num_filled: cells that are not empty.
        num_distinct: different values among them.
        mean_characters: their mean length.
        longest_characters: length of the longest.
        is_numeric: every filled cell is a number.
        is_whole: every filled cell is a whole number.
    """

    num_filled: int
    num_distinct: int
    mean_characters: float
    longest_characters: int
    is_numeric: bool
    is_whole: bool

    @property
    def is_text(self) -> bool:
        """Whether the column can hold texts."""
        return self.num_filled > 0 and not self.is_numeric

    @property
    def is_few(self) -> bool:
        """Whether there are too few cells to say anything about their values."""
        return self.num_filled <= _FEW_ROWS

    @property
    def looks_like_label(self) -> bool:
        """Whether the values are few and short enough for classes."""
        if self.num_filled == 0 or self.longest_characters > _LONGEST_LABEL:
            return False
        if self.is_numeric and not self.is_whole:
            return self.num_distinct <= 5
        return self.is_few or self.repeats

    @property
    def repeats(self) -> bool:
        """Whether values come several times, as classes do."""
        most = self.num_filled // 2 if self.num_filled <= 40 else max(self.num_filled // 5, 20)
        return self.num_distinct <= max(most, 1)


def column_facts(rows: Sequence[Sequence[str]], num_columns: int) -> list[ColumnFacts]:
    """Measure every column.

    Args:
        rows: the first rows, without header.
        num_columns: columns to measure; missing cells count as empty.
    """
    return [
        _facts([row[i].strip() for row in rows if i < len(row) and row[i].strip()])
        for i in range(num_columns)
    ]


def _facts(cells: list[str]) -> ColumnFacts:
    lengths = [len(cell) for cell in cells]
    return ColumnFacts(
        num_filled=len(cells),
        num_distinct=len(set(cells)),
        mean_characters=sum(lengths) / max(len(cells), 1),
        longest_characters=max(lengths, default=0),
        is_numeric=bool(cells) and all(is_number(cell) for cell in cells),
        is_whole=bool(cells) and all(cell.lstrip("+-").isdecimal() for cell in cells),
    )


def is_number(cell: str) -> bool:
    """Say whether a cell is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def has_header(rows: Sequence[Sequence[str]], wanted: Sequence[str | None]) -> bool:
    """Say whether the first row names the columns.

    Args:
        rows: the first rows, at least one.
        wanted: names that the user gave; one of them in the first row settles it.
    """
    header = [cell.strip() for cell in rows[0]]
    while len(header) > 1 and not header[-1]:  # spreadsheets leave empty columns behind
        header.pop()
    if any(name is not None and name in header for name in wanted):
        return True
    named = [cell for cell in header if cell]
    if not named or len(named) < len(header) - 1:
        return False
    if len(set(named)) < len(named) and not all(map(is_known, named)):
        return False
    if any(len(c) > _LONGEST_NAME or is_number(c) or set(c) & set("，。！？!?") for c in named):
        return False
    columns = [[row[i].strip() for row in rows[1:] if i < len(row)] for i in range(len(header))]
    if any(is_known(cell) for cell in named):
        known_below = any(
            is_known(cell) and cell in columns[i] for i, cell in enumerate(header) if cell
        )
        return not known_below
    return _differs_from_below(header, columns)


def _differs_from_below(header: list[str], columns: list[list[str]]) -> bool:
    """No name is known: a header is shorter than the texts below it and no value of its column."""
    if not columns or not columns[0]:
        return False
    if any(cell in column for cell, column in zip(header, columns, strict=True)):
        return False
    if any(column and all(is_number(c) for c in column if c) for column in columns):
        return True
    lengths = [sum(map(len, column)) for column in columns]
    longest = lengths.index(max(lengths))
    return len(header[longest]) * len(columns[longest]) * 2 < lengths[longest]
