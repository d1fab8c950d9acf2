"""Cleaned text waiting on disk between reading and packing, in small segments.

A corpus larger than memory is read once; what is kept goes to ``text.bin`` (UTF-8, nothing
between the segments) and ``segments.bin`` (one record per segment). Segments end at paragraphs
where possible, so that a held-out part can begin at any of them. The first 64 Ki characters are
cut finer, because a small corpus must still be divisible.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError

SEGMENT_DTYPE = np.dtype(
    [("num_bytes", "<u4"), ("num_characters", "<u4"), ("key", "<u8"), ("is_start", "u1")]
)
Segments = np.ndarray[Any, np.dtype[np.void]]
_FINE_CHARACTERS = 128
_FINE_UNTIL_CHARACTERS = 1 << 16
_COARSE_CHARACTERS = 1024
_SENTENCE_END = re.compile(r"[。！？!?；;…]+[”’」』）)\"']*|(?<=[.])\s|\s")


def cut_segments(text: str, size: int) -> Iterator[str]:
    """Cut text into segments of about size characters, at line ends, else at sentence ends.

    Args:
        text: any text; joined, the segments are the text.
        size: largest number of characters of a segment.
    """
    position = 0
    while len(text) - position > size:
        end = text.rfind("\n", position + 1, position + size) + 1
        if end <= position:
            ends = [m.end() for m in _SENTENCE_END.finditer(text, position + 1, position + size)]
            end = ends[-1] if ends else position + size
        yield text[position:end]
        position = end
    if position < len(text):
        yield text[position:]


class SpoolWriter:
    """Writes the two files of a spool; use as a context manager.

    Args:
        directory: an existing directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.num_characters = 0
        self.num_documents = 0

    def __enter__(self) -> SpoolWriter:
        """Open the files, throwing away what a killed run left."""
        try:
            self._text = (self._directory / "text.bin").open("wb")
            self._records = (self._directory / "segments.bin").open("wb")
        except OSError as error:
            raise atomic.resource_error(error, self._directory) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files."""
        try:
            self._text.close()
            self._records.close()
        except OSError as failure:
            raise atomic.resource_error(failure, self._directory) from failure

    def write(self, text: str, key: int, is_start: bool) -> None:
        """Add one piece of a document.

        Args:
            text: the cleaned text.
            key: 64-bit hash that decides about the split; equal for equal documents.
            is_start: whether a new document begins with this piece.
        """
        fine = self.num_characters < _FINE_UNTIL_CHARACTERS
        size = _FINE_CHARACTERS if fine else _COARSE_CHARACTERS
        records = []
        for segment in cut_segments(text, size):
            data = segment.encode("utf-8")
            records.append((len(data), len(segment), key, is_start and not records))
        try:
            self._text.write(text.encode("utf-8"))
            self._records.write(np.array(records, dtype=SEGMENT_DTYPE).tobytes())
        except OSError as error:
            raise atomic.resource_error(error, self._directory) from error
        self.num_characters += len(text)
        self.num_documents += is_start


def read_segments(directory: Path) -> Segments:
    """Map segments.bin into memory.

    Raises:
        DamagedFileError: the file is not a whole number of records, or the text is too short.
    """
    path = directory / "segments.bin"
    size = path.stat().st_size if path.exists() else -1
    if size < 0 or size % SEGMENT_DTYPE.itemsize:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=f"{size} bytes")
    if size == 0:
        return np.zeros(0, dtype=SEGMENT_DTYPE)
    segments: Segments = np.memmap(path, dtype=SEGMENT_DTYPE, mode="r")
    expected = int(segments["num_bytes"].sum(dtype=np.int64))
    if (directory / "text.bin").stat().st_size != expected:
        raise DamagedFileError("foundation.file-damaged", path=path, reason="length of text.bin")
    return segments


def read_texts(directory: Path, runs: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Read the text of byte ranges of text.bin, in order.

    Args:
        directory: the spool.
        runs: (first byte, number of bytes) of each text.
    """
    with (directory / "text.bin").open("rb") as handle:
        for start, length in runs:
            handle.seek(start)
            yield handle.read(length).decode("utf-8")
