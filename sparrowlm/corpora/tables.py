"""CSV, TSV and Parquet: one row, one document."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from sparrowlm.corpora.dividing import pieces
from sparrowlm.corpora.documents import Piece, ReadingReport
from sparrowlm.corpora.records import lines_of
from sparrowlm.corpora.text_field import choose_fields, text_of
from sparrowlm.foundation.errors import DependencyError

_FIRST_ROWS = 50
_DELIMITERS = ",\t;|"
_LONGEST_HEADER_CELL = 40
_OPENED_CELL = re.compile(r'(?:^|\t)"', re.MULTILINE)
_QUOTED_CELL = re.compile(r'(?:^|\t)"(?:[^"]|"")*"(?=\t|$)', re.MULTILINE)
_WHOLE_CELL = re.compile(r'(?:^|(?<=[,\t;|]))"(?:[^"]|"")*"(?=[,\t;|]|$)', re.MULTILINE)
# An unclosed quote would swallow the rest of the file; no honest cell is longer than this.
_LONGEST_CELL_CHARACTERS = 1 << 24


class TextFieldMissing(Exception):
    """The named text field is not in this file."""


def read_table(
    blocks: Iterable[str], is_tsv: bool, text_field: str | None, report: ReadingReport
) -> Iterator[Piece]:
    """Read a CSV or TSV file.

    Args:
        blocks: the decoded file.
        is_tsv: whether the file is named a TSV; else the delimiter is found.
        text_field: see PreparationSettings.
        report: counts broken rows.

    Raises:
        TextFieldMissing: text_field is no column of this file.
    """
    rows = table_rows(blocks, is_tsv, report)
    first = list(islice(rows, _FIRST_ROWS))
    if not first:
        return
    has_header = _has_header(first, text_field)
    names = first[0] if has_header else [""] * max(len(row) for row in first)
    body = first[1:] if has_header else first
    columns = _columns(names, body, text_field)
    for row in chain(body, rows):
        if len(row) <= max(columns, default=0):
            report.num_bad_records += 1
            continue
        text = "\n".join(row[column] for column in columns if row[column])
        for number, part in enumerate(pieces(text)):
            yield Piece(part, number == 0)


def table_rows(blocks: Iterable[str], is_tsv: bool, report: ReadingReport) -> Iterator[list[str]]:
    """Cut a CSV or TSV text into rows of cells; the delimiter and the quoting are found.

    Args:
        blocks: the decoded file.
        is_tsv: whether the cells are known to be divided by TAB.
        report: counts rows that cannot be read.
    """
    lines = _whole_lines(blocks, report)
    first = list(islice(lines, _FIRST_ROWS))
    delimiter = "\t" if is_tsv else _delimiter(first)
    csv.field_size_limit(_LONGEST_CELL_CHARACTERS)
    # TSV from tools is mostly written without quoting: a quote is then part of the text.
    quoted = not is_tsv or _is_quoted(first)
    rows = chain(first, lines)
    if quoted:
        reader = csv.reader(rows, delimiter=delimiter)
    else:
        reader = csv.reader(rows, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            report.num_bad_records += 1
            continue
        if row:
            yield row


def _whole_lines(blocks: Iterable[str], report: ReadingReport) -> Iterator[str]:
    for line in lines_of(blocks):
        if line is None:
            report.num_bad_records += 1
        else:
            yield line.rstrip("\r") + "\n"


def _delimiter(lines: list[str]) -> str:
    """Choose the sign that stands equally often, and most often, in the lines."""
    # What stands inside quotes says nothing about the delimiter.
    lines = _WHOLE_CELL.sub("", "".join(lines)).split("\n")
    best, best_score = ",", 0.0
    for sign in _DELIMITERS:
        counts = Counter(line.count(sign) for line in lines if line.strip())
        if not counts:
            continue
        number, agreeing = counts.most_common(1)[0]
        score = agreeing / sum(counts.values()) * (number > 0)
        if score > best_score + 0.1:
            best, best_score = sign, score
    if best_score < 0.3:  # texts with commas inside: trust the header line
        first = lines[0] if lines else ""
        best = max(_DELIMITERS, key=first.count)
    return best


def _is_quoted(lines: list[str]) -> bool:
    text = "".join(lines)
    return len(_QUOTED_CELL.findall(text)) >= max(0.9 * len(_OPENED_CELL.findall(text)), 1)


def _has_header(rows: list[list[str]], text_field: str | None) -> bool:
    header = [cell.strip() for cell in rows[0]]
    if text_field is not None and text_field in header:
        return True
    if len(set(header)) < len(header) or any(len(c) > _LONGEST_HEADER_CELL for c in header):
        return False
    if any(not cell or cell.replace(".", "", 1).isdigit() for cell in header):
        return False
    if any(sign in cell for cell in header for sign in "，。！？!?"):
        return False
    if len(rows) == 1 or choose_fields(header, []):
        return True
    # No name is known: a header is short where the texts below it are long, or numbers follow it.
    lengths = [sum(len(row[i]) for row in rows[1:] if i < len(row)) for i in range(len(header))]
    longest = lengths.index(max(lengths))
    numeric = any(
        all(row[i].replace(".", "", 1).isdigit() for row in rows[1:] if i < len(row))
        for i in range(len(header))
    )
    return numeric or len(header[longest]) * (len(rows) - 1) * 3 < lengths[longest]


def _columns(
    names: list[str], rows: Sequence[Sequence[Any]], text_field: str | None
) -> tuple[int, ...]:
    if text_field is None:
        return choose_fields(names, rows) or (0,)
    stripped = [name.strip() for name in names]
    if text_field in stripped:
        return (stripped.index(text_field),)
    if text_field.isdecimal() and int(text_field) < len(names):
        return (int(text_field),)
    raise TextFieldMissing(text_field)


def read_parquet(
    handle: io.BufferedIOBase, text_field: str | None, report: ReadingReport
) -> Iterator[Piece]:
    """Read a Parquet file in batches of rows.

    Args:
        handle: a seekable file.
        text_field: see PreparationSettings.
        report: counts rows without text.

    Raises:
        DependencyError: pyarrow is not installed.
        TextFieldMissing: text_field is no column of this file.
        OSError: the file is damaged.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DependencyError.for_extra("pyarrow", "parquet") from error
    try:
        file = parquet.ParquetFile(handle)
        names = file.schema_arrow.names
        head = next(file.iter_batches(batch_size=_FIRST_ROWS), None)
        rows = [] if head is None else [list(row.values()) for row in head.to_pylist()]
        columns = [names[column] for column in _columns(names, rows, text_field)]
        for batch in file.iter_batches(batch_size=1024, columns=columns):
            yield from _parquet_pieces(batch, columns, report)
    except pyarrow.ArrowException as error:
        raise OSError(str(error).splitlines()[0]) from error


def _parquet_pieces(
    batch: Any,  # noqa: ANN401 - pyarrow has no types
    columns: list[str],
    report: ReadingReport,
) -> Iterator[Piece]:
    for row in batch.to_pylist():
        texts = [text_of(row[column]) for column in columns]
        text = "\n".join(text for text in texts if text)
        if not text:
            report.num_bad_records += 1
        for number, part in enumerate(pieces(text)):
            yield Piece(part, number == 0)
