"""JSON lines and JSON files of any size: one record, one document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from sparrowlm.corpora.dividing import pieces
from sparrowlm.corpora.documents import Piece, ReadingReport
from sparrowlm.corpora.text_field import RecordTexts

_FIRST_RECORDS = 50
# A longer line or value is a damaged file, not a record.
LONGEST_RECORD_CHARACTERS = 1 << 26
_GAP = re.compile(r"[\s,]*")


def lines_of(blocks: Iterable[str]) -> Iterator[str | None]:
    """Cut text into lines.

    Args:
        blocks: the text in order.

    Yields:
        Lines without their ends; None for one that is longer than a record may be.
    """
    buffer: list[str] = []
    filled = 0
    for block in blocks:
        first, *others = block.split("\n")
        buffer.append(first)
        filled += len(first)
        if others:
            yield "".join(buffer) if filled <= LONGEST_RECORD_CHARACTERS else None
            yield from others[:-1]
            buffer, filled = [others[-1]], len(others[-1])
        if filled > LONGEST_RECORD_CHARACTERS:
            buffer = []
    if filled:
        yield "".join(buffer) if filled <= LONGEST_RECORD_CHARACTERS else None


def read_json_lines(
    blocks: Iterable[str], text_field: str | None, report: ReadingReport
) -> Iterator[Piece]:
    """Read one JSON value per line; lines that are none are counted and passed over.

    Args:
        blocks: the decoded file.
        text_field: see PreparationSettings.
        report: counts broken records.
    """
    return _texts(line_values(blocks, report), text_field, report)


def read_json(
    blocks: Iterable[str], text_field: str | None, report: ReadingReport
) -> Iterator[Piece]:
    """Read a JSON file: a list of records, one record, or records one after another.

    Args:
        blocks: the decoded file.
        text_field: see PreparationSettings.
        report: counts broken records.
    """
    return _texts(stream_values(blocks, report), text_field, report)


def _texts(
    records: Iterator[Any], text_field: str | None, report: ReadingReport
) -> Iterator[Piece]:
    finder = RecordTexts(text_field)
    first = list(islice(records, _FIRST_RECORDS))
    finder.learn(first)
    for record in chain(first, records):
        text = finder.text(record)
        if text is None:
            report.num_bad_records += 1
            continue
        for number, part in enumerate(pieces(text)):
            yield Piece(part, number == 0)


def line_values(blocks: Iterable[str], report: ReadingReport) -> Iterator[Any]:
    """Yield the JSON value of every line; lines that hold none are counted in the report."""
    for line in lines_of(blocks):
        if line is not None and (not line or line.isspace()):
            continue
        try:
            yield json.loads(line or "")
        except (ValueError, RecursionError):
            report.num_bad_records += 1


def stream_values(blocks: Iterable[str], report: ReadingReport) -> Iterator[Any]:
    """Yield the records of a JSON text without ever holding all of it.

    The items of a list at the top are records; so are values that follow one another.
    """
    window = _Window(iter(blocks))
    window.skip_gap()
    is_list = window.take("[")
    while window.skip_gap():
        if is_list and window.take("]"):
            is_list = False
            continue
        found, value = window.value()
        if found:
            yield from _records_in(value)
            continue
        report.num_bad_records += 1
        if not window.skip_line():
            return


def _records_in(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """Yield the records of an object that only wraps them: {"data": [{…}, …]}."""
    if isinstance(value, dict):
        lists = [v for v in value.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
        if len(lists) == 1 and len(lists[0]) > 1 and not _is_conversation(lists[0]):
            yield from lists[0]
            return
    yield value


def _is_conversation(turns: list[Any]) -> bool:
    return isinstance(turns[0], dict) and bool({"role", "from", "speaker"} & set(turns[0]))


class _Window:
    """The part of a JSON text that is being looked at.

    Args:
        blocks: the text in order.
    """

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks = blocks
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._position = 0

    def _more(self) -> bool:
        """Append text, at least doubling the window, so that long values cost linear time."""
        wanted = max(len(self._text) - self._position, 1)
        parts = [self._text[self._position :]]
        gained = 0
        while gained < wanted:
            block = next(self._blocks, "")
            if not block:
                break
            parts.append(block)
            gained += len(block)
        self._text, self._position = "".join(parts), 0
        return gained > 0

    def skip_gap(self) -> bool:
        """Pass over white space and commas; say whether anything follows."""
        while True:
            found = _GAP.match(self._text, self._position)
            self._position = found.end() if found else self._position
            if self._position < len(self._text):
                return True
            if not self._more():
                return False

    def take(self, sign: str) -> bool:
        """Pass over one sign if it is next."""
        if self._text.startswith(sign, self._position):
            self._position += 1
            return True
        return False

    def value(self) -> tuple[bool, Any]:
        """Return (whether a value was found, the value)."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
            except RecursionError:
                return False, None
            except ValueError:
                if len(self._text) - self._position > LONGEST_RECORD_CHARACTERS or not self._more():
                    return False, None
                continue
            if end < len(self._text) or not self._more():
                self._position = end
                return True, value
            # A number at the end of the window may go on behind it: decode once more.

    def skip_line(self) -> bool:
        """Go behind the next line end; say whether there was one."""
        while (end := self._text.find("\n", self._position)) < 0:
            self._position = len(self._text)
            if not self._more():
                return False
        self._position = end + 1
        return True
