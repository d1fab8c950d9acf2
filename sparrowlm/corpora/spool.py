"""Cleaned text waiting on disk between reading and packing, in small segments.

A corpus larger than memory is read once; what is kept goes to ``text.bin`` (UTF-8, nothing
between the segments) and ``segments.bin`` (one record per segment). Segments end at paragraphs
where possible, so that a held-out part can begin at any of them. A small corpus must still be
divisible and a large one must not need much memory, so the segments grow with the corpus.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError

SEGMENT_DTYPE = np.dtype(
    [("num_bytes", "<u4"), ("num_characters", "<u4"), ("key", "<u8"), ("is_start", "u1")]
)
Segments = np.ndarray[Any, np.dtype[Any]]
TEXT_FILE = "text.bin"
SEGMENTS_FILE = "segments.bin"
_RECORDS_AT_ONCE = 4096
_BLOCK_BYTES = 1 << 20
# (up to this many characters of the corpus, largest segment): about 20 bytes in memory a segment.
_SEGMENT_SIZES = ((1 << 16, 128), (1 << 24, 1024), (1 << 62, 8192))
_LAST_CHARACTERS = 64
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
            end = _sentence_end(text, position, position + size)
        yield text[position:end]
        position = end
    if position < len(text):
        yield text[position:]


def _sentence_end(text: str, start: int, stop: int) -> int:
    """Return where the last sentence (or word) between start and stop ends; stop if none does."""
    for first in (max(stop - _LAST_CHARACTERS, start + 1), start + 1):
        ends = [found.end() for found in _SENTENCE_END.finditer(text, first, stop)]
        if ends:
            return ends[-1]
    return stop


class SpoolWriter:
    """Writes the two files of a spool; use as a context manager.

    Args:
        directory: an existing directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._records: list[tuple[int, int, int, bool]] = []
        self._num_bytes = 0
        self._num_records = 0
        self.num_characters = 0
        self.num_documents = 0

    def __enter__(self) -> SpoolWriter:
        """Open the files, throwing away what a killed run left."""
        with self._clear_errors():
            self._directory.mkdir(parents=True, exist_ok=True)
            self._text_file = (self._directory / TEXT_FILE).open("wb", buffering=1 << 18)
            self._records_file = (self._directory / SEGMENTS_FILE).open("wb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, make it durable and close the files."""
        with self._clear_errors(), self._text_file, self._records_file:
            if kind is None:
                self._flush()
                os.fsync(self._text_file.fileno())
                os.fsync(self._records_file.fileno())

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise atomic.resource_error(error, self._directory) from error

    def write(self, text: str, key: int, is_start: bool) -> None:
        """Add one piece of a document.

        Args:
            text: the cleaned text, without lone surrogates.
            key: 64-bit hash that decides about the split; equal for equal documents.
            is_start: whether a new document begins with this piece.
        """
        size = next(size for until, size in _SEGMENT_SIZES if self.num_characters < until)
        data = text.encode("utf-8")
        self.num_documents += is_start
        if len(text) <= size:
            self._records.append((len(data), len(text), key, is_start))
        else:
            for segment in cut_segments(text, size):
                num_bytes = len(segment.encode("utf-8"))
                self._records.append((num_bytes, len(segment), key, is_start))
                is_start = False
        with self._clear_errors():
            self._text_file.write(data)
            if len(self._records) >= _RECORDS_AT_ONCE:
                self._flush()
        self._num_bytes += len(data)
        self.num_characters += len(text)

    def _flush(self) -> None:
        self._records_file.write(np.array(self._records, dtype=SEGMENT_DTYPE).tobytes())
        self._num_records += len(self._records)
        self._records.clear()

    def mark(self) -> tuple[int, int, int, int]:
        """Return the present end, for take_back."""
        num_records = self._num_records + len(self._records)
        return self._num_bytes, num_records, self.num_characters, self.num_documents

    def take_back(self, mark: tuple[int, int, int, int]) -> None:
        """Forget everything written after mark."""
        with self._clear_errors():
            self._flush()
            self._num_bytes, self._num_records, self.num_characters, self.num_documents = mark
            for file, end in (
                (self._text_file, self._num_bytes),
                (self._records_file, self._num_records * SEGMENT_DTYPE.itemsize),
            ):
                file.flush()
                file.seek(end)
                file.truncate()


def spool_digest(directory: Path) -> str:
    """Return the checksum of both files of a spool.

    Raises:
        DamagedFileError: a file is missing or cannot be read.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name in (TEXT_FILE, SEGMENTS_FILE):
        path = directory / name
        try:
            with path.open("rb") as handle:
                while block := handle.read(_BLOCK_BYTES):
                    digest.update(block)
        except OSError as error:
            reason = error.strerror or error
            raise DamagedFileError("foundation.file-damaged", path=path, reason=reason) from error
    return digest.hexdigest()


def read_segments(directory: Path) -> Segments:
    """Map segments.bin into memory.

    Raises:
        DamagedFileError: the file is not a whole number of records, or the text is too short.
    """
    path = directory / SEGMENTS_FILE
    size = path.stat().st_size if path.exists() else -1
    if size < 0 or size % SEGMENT_DTYPE.itemsize:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=f"{size} bytes")
    if size == 0:
        return np.zeros(0, dtype=SEGMENT_DTYPE)
    segments: Segments = np.memmap(path, dtype=SEGMENT_DTYPE, mode="r")
    expected = int(segments["num_bytes"].sum(dtype=np.int64))
    if (directory / TEXT_FILE).stat().st_size != expected:
        raise DamagedFileError("foundation.file-damaged", path=path, reason="length of text.bin")
    return segments


def read_texts(directory: Path, runs: Iterable[tuple[int, int]]) -> Iterator[str]:
    """Read the text of byte ranges of text.bin, in order.

    Args:
        directory: the spool.
        runs: (first byte, number of bytes) of each text.
    """
    with (directory / TEXT_FILE).open("rb") as handle:
        for start, length in runs:
            handle.seek(start)
            yield handle.read(length).decode("utf-8")
