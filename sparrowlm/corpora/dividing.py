"""A stream of text divided into documents, and long documents into pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sparrowlm.corpora.documents import PIECE_CHARACTERS, Piece
from sparrowlm.corpora.settings import DocumentUnit

# Lines that people and programs put between documents; three and more empty lines do the same.
_RULE = (
    r"^[ \t]*(?:<\|(?:endoftext|document)\|>|={10,}|-{10,}|\*{10,}|_{10,}|#{10,}|—{10,})"
    r"[ \t\r]*(?:\n|\Z)"
)
_GAP = r"\n(?:[ \t\r\u3000]*\n){3,}"
_RULES_AND_GAPS = re.compile(f"{_RULE}|{_GAP}", re.MULTILINE)
_GAPS = re.compile(_GAP)
_EMPTY_LINES = ("\n\n\n\n", "\n\r\n\r\n\r\n")
_BLANK_LINES = re.compile(r"\r?\n(?:[ \t\r\u3000]*\n)+")
_LINE_END = re.compile(r"\r?\n|\r")
_SENTENCE_ENDS = re.compile(r"[。！？!?；;]|\s")
_LOOK_BACK_CHARACTERS = 4096


def divide(blocks: Iterable[str], unit: DocumentUnit) -> Iterator[Piece]:
    """Divide the text of one file into documents.

    Args:
        blocks: the text in order.
        unit: what one document is, see PreparationSettings.document_unit.

    Yields:
        Pieces; a document of more than PIECE_CHARACTERS comes in several.
    """
    buffer = ""
    is_open = False  # whether the document in the buffer has already given a piece
    for block in blocks:
        buffer += block
        pattern = _pattern(unit, buffer)
        if pattern is not None:
            *complete, buffer = pattern.split(buffer)
            for text in complete:
                if is_open or text.strip():
                    yield from _cut(text.strip("\r\n"), is_open)
                is_open = False
        while len(buffer) >= PIECE_CHARACTERS:
            end = piece_end(buffer)
            yield Piece(buffer[:end], not is_open)
            buffer, is_open = buffer[end:], True
    if is_open or buffer.strip():
        yield from _cut(buffer, is_open)


def _pattern(unit: DocumentUnit, text: str) -> re.Pattern[str] | None:
    """Choose the cheapest expression that finds every divider in text; None if there is none."""
    if unit == "file":
        return None
    if unit == "line":
        return _LINE_END
    if unit == "blank-line":
        return _BLANK_LINES
    if "<|" in text or any(sign in text and sign * 10 in text for sign in "=-*_#—"):
        return _RULES_AND_GAPS
    return _GAPS if any(lines in text for lines in _EMPTY_LINES) else None


def _cut(text: str, is_open: bool) -> Iterator[Piece]:
    for part in pieces(text):
        yield Piece(part, not is_open)
        is_open = True


def pieces(text: str) -> Iterator[str]:
    """Cut one text into parts of at most PIECE_CHARACTERS, at line or sentence ends."""
    position = 0
    while len(text) - position > PIECE_CHARACTERS:
        end = position + piece_end(text[position : position + PIECE_CHARACTERS])
        yield text[position:end]
        position = end
    if position < len(text):
        yield text[position:]


def piece_end(text: str) -> int:
    """Return where to cut a text that is too long: the last line end, else sentence end."""
    end = text.rfind("\n", 1, PIECE_CHARACTERS) + 1
    if end > 0:
        return end
    window = min(len(text), PIECE_CHARACTERS)
    ends = [found.end() for found in _SENTENCE_ENDS.finditer(text, window - _LOOK_BACK_CHARACTERS)]
    ends = [end for end in ends if end <= window]
    return ends[-1] if ends else window
