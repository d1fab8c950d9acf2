"""The texts of a file one row at a time, for predictions over millions of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.column_facts import column_facts
from sparrowlm.corpora.labelled.column_names import pair_by_names, text_ranking, title_beside
from sparrowlm.corpora.labelled.columns import FieldMissing, missing_field
from sparrowlm.corpora.labelled.opening import OpenedFile, open_files
from sparrowlm.corpora.labelled.recognition import has_comma_header
from sparrowlm.corpora.labelled.records import looks_like_json, values_of
from sparrowlm.corpora.labelled.settings import LabelledSettings
from sparrowlm.corpora.labelled.tables import Table, is_tabbed
from sparrowlm.corpora.records import lines_of
from sparrowlm.corpora.sources import Source, find_sources

_SAMPLE_RECORDS = 100


@dataclass(frozen=True, slots=True)
class TextRow:
    """A text to predict something for.

    Args:
        text: the text.
        row: the whole row as it stands in the file: name of the column or key → value, in order;
            {"text": line} for a line of a text file; "0", "1", … without a header.
        second: the second text where the row is a pair.
    """

    text: str
    row: Mapping[str, Any]
    second: str | None = None


def iterate_texts(
    path: Path | str,
    workspace: Path,
    settings: LabelledSettings | None = None,
    report: ReadingReport | None = None,
) -> Iterator[TextRow]:
    """Yield the texts of a file or folder in order, holding one row at a time in memory.

    Args:
        path: a file, folder, or "-" for standard input; always a path, also as a string.
        workspace: directory for what arrives by standard input.
        settings: text_field names the column; task "match" asks for pairs.
        report: receives encodings, broken rows and why a file was skipped.

    Yields:
        One per line of a text file, empty lines too; one per row of a table or JSON file.

    Raises:
        DataError: the path or the named column does not exist, or an Excel file is damaged.
        DependencyError: an Excel file, and openpyxl is not installed.
    """
    settings = settings or LabelledSettings()
    report = report or ReadingReport()
    sources: Sequence[Source] = find_sources([Path(path)], report, workspace)
    for opened in open_files(sources, report, settings.encoding):
        yield from _rows(opened, settings, report)


def _rows(
    opened: OpenedFile, settings: LabelledSettings, report: ReadingReport
) -> Iterator[TextRow]:
    if opened.kind in ("json", "jsonl") or (opened.kind == "text" and looks_like_json(opened)):
        return _of_records(opened, settings, report)
    if opened.kind in ("csv", "tsv", "excel"):
        return _of_table(Table(opened, (settings.text_field,), report), opened, settings, report)
    if is_tabbed(opened.head) or has_comma_header(opened):
        table = Table(opened, (settings.text_field,), report)
        if table.has_header or settings.text_field is not None:
            return _of_table(table, opened, settings, report)
    return _of_lines(opened, report)


def _of_lines(opened: OpenedFile, report: ReadingReport) -> Iterator[TextRow]:
    for line in lines_of(opened.blocks):
        if line is None:
            report.num_bad_records += 1
            continue
        text = line.rstrip("\r")
        yield TextRow(text, {"text": text})


def _of_table(
    table: Table, opened: OpenedFile, settings: LabelledSettings, report: ReadingReport
) -> Iterator[TextRow]:
    texts, second = _text_columns(table.names, table.sample, opened, settings)
    last = max((*texts, second or 0), default=0)
    # Cells beyond the header get numbers, so that none is lost.
    names = [name or str(i) for i, name in enumerate(table.names)]
    for row in table.rows():
        if len(row) <= last or not texts:
            report.num_bad_records += 1
            continue
        wide = names + [str(i) for i in range(len(names), len(row))]
        whole = dict(zip(wide, row, strict=False))
        yield TextRow(table.text(row, texts), whole, None if second is None else row[second])


def _text_columns(
    names: Sequence[str],
    sample: Sequence[Sequence[str]],
    opened: OpenedFile,
    settings: LabelledSettings,
) -> tuple[list[int], int | None]:
    pair = pair_by_names(names) if settings.task == "match" else None
    if settings.text_field is not None:
        return [_named(names, settings.text_field, opened.name)], pair[1] if pair else None
    if pair is not None:
        return [pair[0]], pair[1]
    facts = column_facts(sample, len(names))
    texts = [i for i, one in enumerate(facts) if one.is_text]
    by_length = sorted(texts, key=lambda i: -facts[i].mean_characters)
    if settings.task == "match" and len(texts) > 1:
        return [min(by_length[:2])], max(by_length[:2])
    ranked = [i for i in text_ranking(names) if facts[i].num_filled] or by_length
    if not ranked:
        return list(range(len(names)))[:1], None
    title = title_beside(names, ranked[0])
    return ([title] if title is not None and facts[title].is_text else []) + ranked[:1], None


def _named(names: Sequence[str], field: str, file: str) -> int:
    if field in names:
        return names.index(field)
    if field.isdecimal() and int(field) < len(names):
        return int(field)
    raise missing_field(FieldMissing(field), names, file)


def _of_records(
    opened: OpenedFile, settings: LabelledSettings, report: ReadingReport
) -> Iterator[TextRow]:
    sample = list(values_of(opened, ReadingReport(), head_only=True))[:_SAMPLE_RECORDS]
    objects = [value for value in sample if isinstance(value, dict)]
    names = list(dict.fromkeys(str(key) for record in objects for key in record))
    cells = [[_cell(record.get(name)) for name in names] for record in objects]
    texts, second = _text_columns(names, cells, opened, settings) if names else ([], None)
    keys = [names[i] for i in texts]
    for value in values_of(opened, report):
        row = value if isinstance(value, dict) else {"text": value}
        parts = [row.get(key) for key in (keys if isinstance(value, dict) else ["text"])]
        kept = [part for part in parts if isinstance(part, str)]
        if not kept:
            report.num_bad_records += 1
            continue
        other = None if second is None else _cell(row.get(names[second]))
        yield TextRow("\n".join(kept), row, other)


def _cell(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else ""
