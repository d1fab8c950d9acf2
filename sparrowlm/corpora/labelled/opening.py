"""Files, archive members and texts in memory, opened with their beginning already looked at."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import PurePosixPath
from typing import cast

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.excel import excel_rows
from sparrowlm.corpora.readers import format_of, skip_reason, visible_members
from sparrowlm.corpora.sources import Source
from sparrowlm.corpora.streams import (
    Decoding,
    decode_stream,
    decompressed,
    open_counted,
    stream_errors,
)
from sparrowlm.foundation.errors import DataError

# A beginning this long, or of this many lines, tells the format.
_HEAD_LINES = 40
_HEAD_CHARACTERS = 1 << 22
_SHORT_HEAD_CHARACTERS = 1 << 18
# A header alone tells little: the first row is waited for, however long one cell of it is.
_LONGEST_HEAD_CHARACTERS = 1 << 24
_SAYS_UTF8 = 0x800
_SEPARATOR_LINE = ("sep=", '"sep=')
_SEPARATOR = re.compile(r'\A"?sep=[,;|\t]"?\r?[\n\r]')
_NO_TEXT_KINDS = ("epub", "parquet")


@dataclass
class OpenedFile:
    """A file that is about to be read.

    Args:
        name: what reports call it; parts of the path divided by "/".
        kind: "text", "html", "jsonl", "json", "csv", "tsv", "yaml" or "excel", from the suffix.
        head: the beginning, whole lines where the file is longer.
        is_whole: whether the head is everything.
        blocks: the text from its first character on; nothing for Excel files.
        rows: the cells of an Excel file.
    """

    name: str
    kind: str
    head: str = ""
    is_whole: bool = True
    blocks: Iterator[str] = field(default_factory=lambda: iter(()))
    rows: Iterator[list[str]] | None = None


def open_files(
    sources: Iterable[Source], report: ReadingReport, encoding: str | None = None
) -> Iterator[OpenedFile]:
    """Open sources one after another; what is no text is skipped with its reason.

    Args:
        sources: files, archives and texts in memory.
        report: receives encodings, bytes and why a file was skipped.
        encoding: of the text files, where a person named it; None finds it for each.

    Yields:
        Files to be read before the next one is asked for.

    Raises:
        DataError: an Excel file is damaged or of the old kind.
        DependencyError: an Excel file, and openpyxl is not installed.
    """
    for source in sources:
        if source.path is None:
            text = source.text or ""
            yield _opened(iter([text]), source.name, "text")
            continue
        try:
            with open_counted(source.path, report.on_bytes) as handle:
                yield from _Opener(report, encoding).open(handle, source.name, source.path.name)
        except stream_errors() as error:
            report.skip(source.name, skip_reason(error))


def kind_of(file_name: str) -> tuple[str, str]:
    """Return (kind, compression suffix) of a file name.

    >>> kind_of("nlu.yml"), kind_of("评论.XLSX"), kind_of("train.tsv.xz")
    (('yaml', ''), ('excel', ''), ('tsv', '.xz'))
    """
    kind, compression = format_of(file_name)
    stem = file_name.lower().removesuffix(compression)
    if stem.endswith((".yml", ".yaml")):
        kind = "yaml"
    elif stem.endswith((".xlsx", ".xlsm")):
        kind = "excel"
    elif stem.endswith(".xls"):
        kind = "old-excel"
    return kind, compression


class _Opener:
    """Opens whatever lies in a file.

    Args:
        report: see open_files.
        encoding: see open_files.
    """

    def __init__(self, report: ReadingReport, encoding: str | None) -> None:
        self._report = report
        self._encoding = encoding

    def open(self, handle: io.BufferedIOBase, name: str, file_name: str) -> Iterator[OpenedFile]:
        """Yield the file, or the members of an archive."""
        kind, compression = kind_of(file_name)
        if kind == "zip":
            yield from self._members(handle, name)
        elif kind in _NO_TEXT_KINDS:
            self._report.skip(name, f"skipped-not-labelled:{kind}")
        elif kind == "old-excel":
            raise DataError("corpora.labelled-old-excel", file=name)
        elif kind == "excel":
            unpacked = decompressed(handle, compression)
            rows = excel_rows(io.BytesIO(unpacked.read()) if compression else unpacked, name)
            self._report.num_files += 1
            self._report.encodings["xlsx"] += 1
            yield OpenedFile(name, kind, rows=rows)
        else:
            yield from self._text(decompressed(handle, compression), name, kind)

    def _members(self, handle: io.BufferedIOBase, name: str) -> Iterator[OpenedFile]:
        with zipfile.ZipFile(handle) as archive:
            for member in visible_members(archive):
                shown = f"{name}/{member_name(member)}"
                if kind_of(member.filename)[0] in ("zip", "epub", "parquet"):
                    self._report.skip(shown, "skipped-nested")
                    continue
                try:
                    with io.BufferedReader(cast("io.RawIOBase", archive.open(member))) as inner:
                        yield from self.open(inner, shown, PurePosixPath(shown).name)
                except stream_errors() as error:
                    self._report.skip(shown, skip_reason(error))

    def _text(self, handle: io.BufferedIOBase, name: str, kind: str) -> Iterator[OpenedFile]:
        decoding = Decoding()
        report = self._report
        blocks = _guarded(decode_stream(handle, decoding, self._encoding), name, report)
        opened = _opened(_with_line_ends(blocks), name, kind)
        if decoding.encoding == "binary":
            report.skip(name, f"skipped-binary:{decoding.evidence}")
        elif not opened.head.strip():
            report.skip(name, "skipped-empty")
        else:
            yield opened
            report.num_files += 1
            report.encodings[decoding.encoding] += 1
        report.num_bytes += decoding.num_bytes
        report.num_broken += decoding.num_broken


def _with_line_ends(blocks: Iterator[str]) -> Iterator[str]:
    """Give lines the ends that all readers know, and drop what only spreadsheets read.

    Old Mac programs end lines with CR alone; Excel writes "sep=;" above a table.
    """
    first = next(blocks, "")
    if first.startswith(_SEPARATOR_LINE):
        first = _SEPARATOR.sub("", first, count=1)
    is_old_mac = "\n" not in first and "\r" in first
    for block in chain([first], blocks):
        yield block.replace("\r", "\n") if is_old_mac else block


def member_name(member: zipfile.ZipInfo) -> str:
    """Return the name of a member as its author wrote it.

    Programs in Chinese write names in GBK, others UTF-8, without saying so; then they have been
    read as the old alphabet of DOS.
    """
    name = member.filename
    if name.isascii() or member.flag_bits & _SAYS_UTF8:
        return name
    for encoding in ("utf-8", "gb18030"):
        try:
            return name.encode("cp437").decode(encoding)
        except UnicodeError:
            continue
    return name


def _guarded(blocks: Iterator[str], name: str, report: ReadingReport) -> Iterator[str]:
    """Pass blocks on until the file turns out to be damaged; what came before is kept."""
    try:
        yield from blocks
    except stream_errors() as error:
        report.skip(name, skip_reason(error))


def _opened(blocks: Iterator[str], name: str, kind: str) -> OpenedFile:
    parts: list[str] = []
    filled = lines = 0
    most = _LONGEST_HEAD_CHARACTERS
    while lines < _HEAD_LINES and filled < most:
        block = next(blocks, "")
        if not block:
            break
        parts.append(block)
        filled += len(block)
        lines += block.count("\n")
        most = _HEAD_CHARACTERS if lines > 1 else _LONGEST_HEAD_CHARACTERS
    text, ahead = "".join(parts), next(blocks, "")
    return OpenedFile(name, kind, *_head(text, not ahead), blocks=chain([text, ahead], blocks))


def _head(text: str, is_whole: bool) -> tuple[str, bool]:
    """Cut the text to a beginning of whole lines."""
    end = len(text)
    if end > _SHORT_HEAD_CHARACTERS and text.count("\n", 0, _SHORT_HEAD_CHARACTERS) >= _HEAD_LINES:
        end, is_whole = _SHORT_HEAD_CHARACTERS, False
    if is_whole:
        return text, True
    cut = text.rfind("\n", 0, end)
    return text[: cut + 1] if cut >= 0 else text[:end], False
