"""Pieces as they were read to pieces as they are kept: cleaned, with the marks of duplicates.

Nothing here remembers anything: the same piece gives the same result in any process.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import eq
from typing import Any

from sparrowlm.corpora.deduplication import band_digests
from sparrowlm.corpora.documents import Piece
from sparrowlm.corpora.frames import Refined
from sparrowlm.corpora.settings import Cleaning
from sparrowlm.text.cleaning import clean_text
from sparrowlm.text.markup import html_to_text

# Lines of this length that were seen before are dropped inside documents too: nobody writes two
# hundred equal characters twice by chance, and a copy would leak from training to evaluation.
LONG_LINE_CHARACTERS = 200
# A line repeated at once four times and more ("all duplicates") stays once.
_RUNS = re.compile(r"^([^\n]{8,}\n)\1{3,}", re.MULTILINE)
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Refining:
    """What is done to every piece.

    Args:
        cleaning: level of the cleaning.
        finds_duplicates: whether repeated lines matter.
        finds_near_duplicates: whether the bands of whole documents are computed.
    """

    cleaning: Cleaning
    finds_duplicates: bool
    finds_near_duplicates: bool

    def arguments(self) -> list[str]:
        """Return command-line arguments; from_arguments is the inverse."""
        return [
            self.cleaning,
            "duplicates" if self.finds_duplicates else "-",
            "near" if self.finds_near_duplicates else "-",
        ]

    @classmethod
    def from_arguments(cls, arguments: list[str]) -> Refining:
        """Rebuild what arguments described."""
        cleaning: Any = arguments[0]
        return cls(cleaning, arguments[1] == "duplicates", arguments[2] == "near")

    def refine_batch(self, pieces: Sequence[Piece], counts: Counter[str]) -> list[Refined]:
        """Clean pieces and compute their digests.

        Args:
            pieces: as they were read.
            counts: receives the repairs.
        """
        texts = [self._cleaned(piece, counts) for piece in pieces]
        bands: list[list[int]] = [[] for _ in pieces]
        if self.finds_near_duplicates:
            whole = [
                text if piece.is_start else "" for text, piece in zip(texts, pieces, strict=True)
            ]
            bands = band_digests(whole)
        return [
            Refined(
                text,
                piece.is_start,
                text_digest(text),
                _long_lines(text) if self.finds_duplicates else [],
                len(piece.text),
                piece_bands,
            )
            for text, piece, piece_bands in zip(texts, pieces, bands, strict=True)
        ]

    def _cleaned(self, piece: Piece, counts: Counter[str]) -> str:
        text = piece.text
        if piece.is_html and self.cleaning != "off":
            text = html_to_text(text, counts)
        text = clean_text(text, self.cleaning, counts)
        if self.cleaning == "off":  # the other levels remove them
            text = _SURROGATES.sub("\ufffd", text)
        return _without_runs(text, counts) if self.finds_duplicates else text


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
