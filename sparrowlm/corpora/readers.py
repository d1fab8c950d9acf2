"""Files of every kind to pieces of documents; what cannot be read is skipped with its reason.

suffixes       .gz .xz .zst .bz2 are unpacked while reading, the suffix before them counts
zip, epub      member by member, in the order of their names
md, txt, …     divided into documents (see dividing)
html, xhtml    one page, one document; any file that begins like a page is one
jsonl, json, csv, tsv, parquet    one record, one document
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import cast

from sparrowlm.corpora.dividing import divide, pieces
from sparrowlm.corpora.documents import Piece, ReadingReport
from sparrowlm.corpora.records import read_json, read_json_lines
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.sources import Source
from sparrowlm.corpora.streams import (
    COMPRESSIONS,
    Decoding,
    decode_stream,
    decompressed,
    open_counted,
    stream_errors,
)
from sparrowlm.corpora.tables import TextFieldMissing, read_parquet, read_table
from sparrowlm.text.markup import looks_like_html

_FORMATS = {
    ".html": "html", ".htm": "html", ".xhtml": "html", ".xml": "html",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".jl": "jsonl", ".json": "json",
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".parquet": "parquet", ".pq": "parquet",
    ".zip": "zip", ".epub": "epub",
}  # fmt: skip
# A page longer than this is parsed in parts.
_LONGEST_PAGE_CHARACTERS = 1 << 24
_PACKED_PARQUET = "skipped-packed-parquet"


def read_source(
    source: Source, settings: PreparationSettings, report: ReadingReport
) -> Iterator[Piece]:
    """Read one source.

    Args:
        source: a file or a text in memory.
        settings: document_unit, text_field and encoding are used.
        report: receives encodings, bytes, broken records and why a file was skipped.

    Raises:
        DependencyError: a Parquet file, and pyarrow is not installed.
    """
    if source.path is None:
        text = source.text or ""
        report.num_bytes += len(text.encode("utf-8", "surrogatepass"))
        for number, part in enumerate(pieces(text)):
            yield Piece(part, number == 0, looks_like_html(part))
        return
    reader = _FileReader(settings, report)
    try:
        with open_counted(source.path, report.on_bytes) as handle:
            yield from reader.read(handle, source.name, source.path.name)
    except stream_errors() as error:
        report.skip(source.name, skip_reason(error))


def skip_reason(error: BaseException) -> str:
    """Return the reason for ReadingReport.skip after one of stream_errors()."""
    if isinstance(error, PermissionError):
        return f"skipped-unreadable:{error.strerror}"
    return f"skipped-damaged:{getattr(error, 'strerror', None) or error}"


def format_of(name: str) -> tuple[str, str]:
    """Return (format, compression suffix) of a file name.

    >>> format_of("novel.txt.xz"), format_of("data.CSV"), format_of("README")
    (('text', '.xz'), ('csv', ''), ('text', ''))
    """
    path = PurePosixPath(name.lower())
    compression = path.suffix if path.suffix in COMPRESSIONS else ""
    if compression:
        path = path.with_suffix("")
    return _FORMATS.get(path.suffix, "text"), compression


class _FileReader:
    def __init__(self, settings: PreparationSettings, report: ReadingReport) -> None:
        self._settings = settings
        self._report = report

    def read(self, handle: io.BufferedIOBase, name: str, file_name: str) -> Iterator[Piece]:
        """Read one file or archive member."""
        kind, compression = format_of(file_name)
        if kind in ("zip", "epub"):
            yield from self._members(handle, name, kind)
        elif kind == "parquet" and compression:
            self._report.skip(name, _PACKED_PARQUET)
        elif kind == "parquet":
            yield from self._parquet(handle, name)
        else:
            yield from self._text(decompressed(handle, compression), name, kind)

    def _parquet(self, handle: io.BufferedIOBase, name: str) -> Iterator[Piece]:
        try:
            yield from read_parquet(handle, self._settings.text_field, self._report)
        except TextFieldMissing as missing:
            self._report.skip(name, f"skipped-no-field:{missing}")
            return
        self._report.num_files += 1
        self._report.encodings["parquet"] += 1

    def _text(self, handle: io.BufferedIOBase, name: str, kind: str) -> Iterator[Piece]:
        decoding = Decoding()
        blocks = decode_stream(handle, decoding, self._settings.encoding)
        first = next(blocks, "")
        if decoding.encoding == "binary":
            self._report.skip(name, f"skipped-binary:{decoding.evidence}")
            return
        if not first:
            self._report.skip(name, "skipped-empty")
            return
        try:
            yield from self._pieces(chain([first], blocks), first, kind)
        except TextFieldMissing as missing:
            self._report.skip(name, f"skipped-no-field:{missing}")
            return
        finally:
            self._report.num_bytes += decoding.num_bytes
            self._report.num_broken += decoding.num_broken
        self._report.num_files += 1
        self._report.encodings[decoding.encoding] += 1

    def _pieces(self, blocks: Iterable[str], first: str, kind: str) -> Iterator[Piece]:
        field = self._settings.text_field
        if kind == "html" or (kind == "text" and looks_like_html(first)):
            return _page(blocks)
        if kind == "jsonl":
            return read_json_lines(blocks, field, self._report)
        if kind == "json":
            return read_json(blocks, field, self._report)
        if kind in ("csv", "tsv"):
            return read_table(blocks, kind == "tsv", field, self._report)
        return divide(blocks, self._settings.document_unit)

    def _members(self, handle: io.BufferedIOBase, name: str, kind: str) -> Iterator[Piece]:
        with zipfile.ZipFile(handle) as archive:
            for member in visible_members(archive):
                path = PurePosixPath(member.filename)
                member_format = format_of(path.name)[0]
                if kind == "epub" and member_format != "html":
                    continue
                shown = f"{name}/{member.filename}"
                if member_format in ("zip", "epub", "parquet"):
                    self._report.skip(shown, "skipped-nested")
                    continue
                yield from self._member(archive, member, shown)

    def _member(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, shown: str
    ) -> Iterator[Piece]:
        try:
            with io.BufferedReader(cast("io.RawIOBase", archive.open(member))) as handle:
                yield from self.read(handle, shown, Path(member.filename).name)
        except stream_errors() as error:
            self._report.skip(shown, skip_reason(error))


def visible_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """List the files of an archive by name, without folders and what systems hide in them."""

    def is_visible(member: zipfile.ZipInfo) -> bool:
        parts = PurePosixPath(member.filename).parts
        return not member.is_dir() and not any(p.startswith((".", "__MACOSX")) for p in parts)

    return sorted(filter(is_visible, archive.infolist()), key=lambda info: info.filename)


def _page(blocks: Iterable[str]) -> Iterator[Piece]:
    parts: list[str] = []
    filled = 0
    is_start = True
    for block in blocks:
        parts.append(block)
        filled += len(block)
        if filled >= _LONGEST_PAGE_CHARACTERS:
            yield Piece("".join(parts), is_start, is_html=True)
            parts, filled, is_start = [], 0, False
    if parts:
        yield Piece("".join(parts), is_start, is_html=True)
