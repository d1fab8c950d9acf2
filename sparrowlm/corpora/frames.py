"""Pieces on their way to a worker and back: a length, plain JSON, and the texts as UTF-8.

    u4    bytes of the JSON
    u8    bytes of the texts
    JSON  to the worker: [[bytes, is_start, is_html], …]
          back: {"pieces": [[bytes, is_start, digest, long_lines, raw characters, bands], …],
                 "repairs": {name: number}}
    the texts, one after the other

All numbers little-endian.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from sparrowlm.corpora.documents import Piece

_LENGTHS = struct.Struct("<IQ")


@runtime_checkable
class BytesReader(Protocol):
    """The part of a binary file that reads."""

    def read(self, size: int, /) -> bytes:
        """Return up to size bytes."""
        ...


@runtime_checkable
class BytesWriter(Protocol):
    """The part of a binary file that writes."""

    def write(self, data: bytes, /) -> int:
        """Take bytes."""
        ...

    def flush(self) -> None:
        """Pass on what was written."""
        ...


class Refined(NamedTuple):
    """A piece ready to be kept.

    Args:
        text: the cleaned text; may be empty.
        is_start: whether a document begins here.
        digest: 64-bit digest of the text without outer white space.
        long_lines: (start, end, digest) of every long line, when there is more than one line.
        num_raw_characters: length before cleaning.
        bands: digests for the search of near duplicates; empty for short texts.
    """

    text: str
    is_start: bool
    digest: int
    long_lines: list[tuple[int, int, int]]
    num_raw_characters: int
    bands: list[int]


def write_frame(file: BytesWriter, value: Any, texts: bytes) -> None:  # noqa: ANN401 - JSON value
    """Write one frame and flush."""
    description = json.dumps(value, separators=(",", ":")).encode("ascii")
    file.write(_LENGTHS.pack(len(description), len(texts)))
    file.write(description)
    file.write(texts)
    file.flush()


def read_frame(file: BytesReader) -> tuple[Any, bytes] | None:
    """Read one frame; None when the stream ends."""
    lengths = file.read(_LENGTHS.size)
    if len(lengths) < _LENGTHS.size:
        return None
    description_length, texts_length = _LENGTHS.unpack(lengths)
    description, texts = file.read(description_length), file.read(texts_length)
    if len(texts) < texts_length or len(description) < description_length:
        return None
    return json.loads(description), texts


def pieces_to_frame(pieces: Sequence[Piece]) -> tuple[Any, bytes]:
    """Describe pieces for a worker."""
    texts = [piece.text.encode("utf-8", "surrogatepass") for piece in pieces]
    value = [
        [len(text), piece.is_start, piece.is_html]
        for text, piece in zip(texts, pieces, strict=True)
    ]
    return value, b"".join(texts)


def pieces_from_frame(value: Any, texts: bytes) -> list[Piece]:  # noqa: ANN401 - JSON value
    """Rebuild the pieces of pieces_to_frame."""
    pieces = []
    position = 0
    for length, is_start, is_html in value:
        data = texts[position : position + length]
        pieces.append(Piece(data.decode("utf-8", "surrogatepass"), is_start, is_html))
        position += length
    return pieces


def refined_to_frame(refined: Sequence[Refined], repairs: Mapping[str, int]) -> tuple[Any, bytes]:
    """Describe the result of a worker."""
    texts = [piece.text.encode("utf-8") for piece in refined]
    pieces = [[len(text), *piece[1:]] for text, piece in zip(texts, refined, strict=True)]
    return {"pieces": pieces, "repairs": dict(repairs)}, b"".join(texts)


def refined_from_frame(value: Any, texts: bytes) -> tuple[list[Refined], Counter[str]]:  # noqa: ANN401
    """Rebuild the result of refined_to_frame."""
    refined = []
    position = 0
    for length, *rest in value["pieces"]:
        refined.append(Refined(texts[position : position + length].decode("utf-8"), *rest))
        position += length
    return refined, Counter(value["repairs"])
