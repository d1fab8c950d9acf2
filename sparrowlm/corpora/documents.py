"""What readers hand on: pieces of documents, and a report of what could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

# A document longer than this arrives in several pieces, so that memory stays constant.
PIECE_CHARACTERS = 1 << 20
_EXAMPLES_KEPT = 20


class Piece(NamedTuple):
    """A document, or the next part of one that is long.

    Args:
        text: decoded text, not yet cleaned.
        is_start: whether a new document begins here.
        is_html: whether the text is a page whose readable part has still to be extracted.
    """

    text: str
    is_start: bool
    is_html: bool = False


def _nobody(num_bytes: int) -> None:
    """Progress nobody listens to."""


@dataclass
class ReadingReport:
    """What was read and what was skipped, while it happens.

    Args:
        num_files: files (and archive members) that gave text.
        num_bytes: bytes of text before decoding, after decompression.
        num_broken: byte sequences that were no character of the encoding.
        num_bad_records: rows or lines that could not be understood.
        encodings: files per encoding.
        skipped: files per reason.
        skipped_examples: (file, reason) of the first ones.
        on_bytes: told about every raw byte read from disk, for progress.
    """

    num_files: int = 0
    num_bytes: int = 0
    num_broken: int = 0
    num_bad_records: int = 0
    encodings: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    skipped_examples: list[tuple[str, str]] = field(default_factory=list)
    on_bytes: Callable[[int], None] = _nobody

    def skip(self, source: str, reason: str) -> None:
        """Note a file that gives no text.

        Args:
            source: name of the file.
            reason: message name of this room such as "skipped-binary", with details behind a
                colon: "skipped-binary:PDF".
        """
        self.skipped[reason.split(":", maxsplit=1)[0]] += 1
        if len(self.skipped_examples) < _EXAMPLES_KEPT:
            self.skipped_examples.append((source, reason))
