"""Files without personal data, at constant memory: texts line by line, JSON lines row by row."""

from __future__ import annotations

import io
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparrowlm.foundation.errors import DataError
from sparrowlm.privacy.finding import find_personal
from sparrowlm.privacy.kinds import Item, Kind
from sparrowlm.privacy.redacting import Redactor, replaced

_USUAL_CHARACTERS = 65_536
_MOST_CHARACTERS = 1_048_576
_ROWS = (".jsonl", ".ndjson")
# Where a line without end may be cut: after what ends a sentence or a word of Chinese.
_CUT = re.compile(r"[。！？；，、\u4e00-\u9fff]")
_FEWEST_DIGITS_OF_NUMBER = 9


@dataclass(slots=True)
class RedactionReport:
    """What was found.

    Attributes:
        num_rows: lines or rows read.
        num_found: how much of each kind.
    """

    num_rows: int = 0
    num_found: Counter[Kind] = field(default_factory=Counter)


def redact_file(
    path: Path, redactor: Redactor, write: Callable[[str], object], encoding: str = "utf-8"
) -> RedactionReport:
    """Write a file without its personal data.

    Args:
        path: a text, or JSON lines (".jsonl", ".ndjson"); "-" is standard input, where a first line
            that begins with "{" tells JSON lines.
        redactor: what is taken out, and how.
        write: takes the pieces of the result in order.
        encoding: of the file.

    Raises:
        DataError: the file cannot be read, or is not in this encoding.
    """
    report = RedactionReport()
    try:
        with _opened(path, encoding) as stream:
            for piece in _pieces(stream, path, redactor, report):
                write(piece)
    except FileNotFoundError as error:
        raise DataError("foundation.file-missing", path=path, directory=Path.cwd()) from error
    except UnicodeDecodeError as error:
        raise DataError("privacy.encoding", path=path, encoding=encoding) from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError("privacy.unreadable", path=path, reason=reason) from error
    return report


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    if str(path) == "-":
        yield io.TextIOWrapper(sys.stdin.buffer, encoding=encoding, newline="")
        return
    with path.open(encoding=encoding, newline="") as stream:
        yield stream


def _pieces(
    stream: io.TextIOWrapper, path: Path, redactor: Redactor, report: RedactionReport
) -> Iterator[str]:
    first = stream.readline(_USUAL_CHARACTERS)
    is_standard = str(path) == "-" and first.lstrip("\ufeff \t").startswith("{")
    if path.suffix.lower() in _ROWS or is_standard:
        yield from _rows(first, stream, redactor, report)
        return
    for text in _batches(first, stream):
        redaction = redactor.redact(text)
        report.num_rows += text.count("\n")
        report.num_found.update(item.kind for item in redaction.items)
        yield redaction.text


def _batches(first: str, stream: io.TextIOWrapper) -> Iterator[str]:
    """Yield a text in parts of whole lines; no private key is cut in two."""
    waiting = first
    while True:
        piece = stream.read(_USUAL_CHARACTERS)
        waiting += piece
        if not piece:
            if waiting:
                yield waiting
            return
        cut = _cut(waiting)
        if cut:
            yield waiting[:cut]
            waiting = waiting[cut:]


def _cut(text: str) -> int:
    """Return where a part can end, 0 to read on."""
    begun = text.rfind("-----BEGIN ")
    is_open = begun >= 0 and "-----END " not in text[begun:]
    end = begun if is_open else len(text)
    cut = text.rfind("\n", 0, end) + 1
    if cut or len(text) < _MOST_CHARACTERS:
        return cut
    ends = [found.end() for found in _CUT.finditer(text, len(text) - 4096)]
    return ends[-1] if ends else len(text)


def _rows(
    first: str, stream: io.TextIOWrapper, redactor: Redactor, report: RedactionReport
) -> Iterator[str]:
    line = first
    while line:
        while not line.endswith("\n") and (more := stream.readline(_USUAL_CHARACTERS)):
            line += more
        report.num_rows += 1
        yield _row(line, redactor, report)
        line = stream.readline(_USUAL_CHARACTERS)


def _row(line: str, redactor: Redactor, report: RedactionReport) -> str:
    body = line.rstrip("\r\n")
    try:
        value = json.loads(body.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        # No JSON after all: what stands there may be personal all the same.
        redaction = redactor.redact(line)
        report.num_found.update(item.kind for item in redaction.items)
        return redaction.text
    other = _value(value, "", redactor, report)
    return json.dumps(other, ensure_ascii=False) + line[len(body) :]


def _value(value: Any, name: str, redactor: Redactor, report: RedactionReport) -> Any:  # noqa: ANN401
    """Return a JSON value without personal data; names of fields tell what numbers are."""
    if isinstance(value, dict):
        return {key: _value(one, key, redactor, report) for key, one in value.items()}
    if isinstance(value, list):
        return [_value(one, name, redactor, report) for one in value]
    is_number = isinstance(value, int) and len(str(abs(value))) >= _FEWEST_DIGITS_OF_NUMBER
    if not isinstance(value, str) and not is_number:
        return value
    text = str(value)
    before = f"{name}: " if name else ""
    found = find_personal(before + text, redactor.kinds, redactor.names_in)
    items = [
        Item(max(item.start - len(before), 0), item.end - len(before), *item[2:])
        for item in found
        if item.end > len(before)
    ]
    if not items:
        return value
    report.num_found.update(item.kind for item in items)
    return replaced(text, items, [redactor.instead(item) for item in items])
