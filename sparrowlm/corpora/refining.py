"""Pieces as they were read to pieces as they are kept: cleaned, with the marks of duplicates.

Nothing here remembers anything: the same piece gives the same result in any process.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from operator import eq

from sparrowlm.corpora.documents import Piece
from sparrowlm.corpora.settings import Cleaning
from sparrowlm.text.cleaning import clean_text
from sparrowlm.text.markup import html_to_text

# Lines of this length that were seen before are dropped inside documents too: nobody writes two
# hundred equal characters twice by chance, and a copy would leak from training to evaluation.
LONG_LINE_CHARACTERS = 200
# A line repeated at once four times and more ("all duplicates") stays once.
_RUNS = re.compile(r"^([^\n]{8,}\n)\1{3,}", re.MULTILINE)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass
class RefinedPiece:
    """A piece ready to be kept.

    Args:
        text: the cleaned text; may be empty.
        is_start: whether a document begins here.
        digest: 64-bit digest of the text without outer white space.
        long_lines: (start, end, digest) of every long line, when there is more than one line.
        num_raw_characters: length before cleaning.
    """

    text: str
    is_start: bool
    digest: int
    long_lines: list[tuple[int, int, int]] = field(default_factory=list)
    num_raw_characters: int = 0


@dataclass(frozen=True)
class Refining:
    """What is done to every piece.

    Args:
        cleaning: level of the cleaning.
        finds_duplicates: whether repeated lines matter.
    """

    cleaning: Cleaning
    finds_duplicates: bool

    def refine(self, piece: Piece, counts: Counter[str]) -> RefinedPiece:
        """Clean one piece and compute its digests.

        Args:
            piece: as it was read.
            counts: receives the repairs.
        """
        text = piece.text
        if piece.is_html and self.cleaning != "off":
            text = html_to_text(text, counts)
        text = clean_text(text, self.cleaning, counts)
        if self.cleaning == "off":  # the other levels remove them
            text = _SURROGATES.sub("\ufffd", text)
        lines: list[tuple[int, int, int]] = []
        if self.finds_duplicates:
            text = _without_runs(text, counts)
            lines = _long_lines(text)
        return RefinedPiece(text, piece.is_start, text_digest(text), lines, len(piece.text))


def text_digest(text: str) -> int:
    """Return the 64-bit digest of text without outer white space."""
    data = text.strip().encode("utf-8")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _without_runs(text: str, counts: Counter[str]) -> str:
    lines = text.split("\n")
    if not any(map(eq, lines, lines[3:])):  # a run of four has equal lines at distance three
        return text
    shorter = _RUNS.sub(r"\1", text)
    if len(shorter) < len(text):
        counts["repeated-lines"] += text.count("\n") - shorter.count("\n")
    return shorter


def _long_lines(text: str) -> list[tuple[int, int, int]]:
    if "\n" not in text.strip():
        return []
    lines = text.split("\n")
    lengths = list(map(len, lines))
    if max(lengths) < LONG_LINE_CHARACTERS:
        return []
    starts = accumulate(lengths, lambda start, length: start + length + 1, initial=0)
    return [
        (start, start + length, text_digest(line))
        for line, length, start in zip(lines, lengths, starts, strict=False)
        if length >= LONG_LINE_CHARACTERS
    ]
