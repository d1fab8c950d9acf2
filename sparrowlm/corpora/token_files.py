r"""Token ids on disk: a checked header, the ids, where the documents start.

    offset 0    "SPARROW-IDS\n" (12 bytes)
    12          version (u4), bytes per id (u4: 2 or 4), vocabulary size (u4)
    24          number of ids, of documents, of characters (3 × u8)
    48          fingerprint of inputs and settings (16 bytes)
    64          BLAKE2b-128 of bytes 0–63 and of everything from byte 96 on (16 bytes)
    80          zeros (16 bytes)
    96          ids, zero bytes up to a multiple of 8, document starts (u8 each)

All numbers little-endian.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError

_MAGIC = b"SPARROW-IDS\n"
_VERSION = 1
_HEADER = struct.Struct("<12s3I3Q16s")
_CHECKSUM_OFFSET = 64
_PAYLOAD_OFFSET = 96
_PIECE_BYTES = 1 << 22

Ids = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class TokenSplit:
    """One side of a corpus: train or held-out.

    Args:
        ids: shape (tokens,), uint16 or uint32, memory-mapped; every document is the separator and
            its tokens, and one more separator closes the last document.
        document_starts: shape (documents,), int64: where each document's separator stands.
        num_characters: characters of the text behind the ids.
        num_documents: number of documents.
    """

    ids: Ids
    document_starts: np.ndarray[Any, np.dtype[np.int64]]
    num_characters: int
    num_documents: int


def write_tokens(
    path: Path,
    batches: Iterable[tuple[Ids, bool, int]],
    vocab_size: int,
    separator_id: int,
    fingerprint: bytes,
) -> None:
    """Write ids to path, atomically and in constant memory (8 bytes per document).

    Args:
        path: the file to replace.
        batches: (ids of a piece, whether a document starts with it, characters of the piece).
        vocab_size: decides between two and four bytes per id.
        separator_id: put in front of every document and behind the last.
        fingerprint: 16 bytes that name inputs and settings.

    Raises:
        ResourceError: disk full or not writable.
    """
    dtype = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
    separator = np.array([separator_id], dtype=dtype).tobytes()
    starts = array("Q")
    num_tokens = num_characters = 0
    with atomic.replaced(path) as temporary, temporary.open("wb+") as handle:
        handle.write(bytes(_PAYLOAD_OFFSET))
        for ids, is_start, characters in batches:
            if is_start:
                starts.append(num_tokens)
                handle.write(separator)
                num_tokens += 1
            handle.write(ids.astype(dtype).tobytes())
            num_tokens += len(ids)
            num_characters += characters
        if starts:
            handle.write(separator)
            num_tokens += 1
        handle.write(bytes(-num_tokens * dtype.itemsize % 8))
        handle.write(np.array(starts, dtype="<u8").tobytes())
        sizes = (dtype.itemsize, vocab_size, num_tokens, len(starts), num_characters)
        header = _HEADER.pack(_MAGIC, _VERSION, *sizes, fingerprint)
        handle.seek(_PAYLOAD_OFFSET)
        digest = hashlib.blake2b(header, digest_size=16)
        while piece := handle.read(_PIECE_BYTES):
            digest.update(piece)
        handle.seek(0)
        handle.write(header)
        handle.seek(_CHECKSUM_OFFSET)
        handle.write(digest.digest())


def read_tokens(path: Path, fingerprint: bytes | None = None) -> TokenSplit:
    """Map a token file into memory, after checking all of it.

    Args:
        path: a file of write_tokens.
        fingerprint: when given, the file must carry it.

    Raises:
        DamagedFileError: missing, truncated, changed, or of another corpus.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as handle:
            head = handle.read(_PAYLOAD_OFFSET)
            fields = _checked_header(path, head, size, fingerprint)
            digest = hashlib.blake2b(head[: _HEADER.size], digest_size=16)
            while piece := handle.read(_PIECE_BYTES):
                digest.update(piece)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DamagedFileError("foundation.file-damaged", path=path, reason=reason) from error
    if digest.digest() != head[_CHECKSUM_OFFSET : _CHECKSUM_OFFSET + 16]:
        raise DamagedFileError("foundation.file-damaged", path=path, reason="checksum differs")
    return _mapped(path, *fields)


def _checked_header(
    path: Path, head: bytes, size: int, fingerprint: bytes | None
) -> tuple[int, int, int, int]:
    def refuse(reason: str) -> DamagedFileError:
        return DamagedFileError("foundation.file-damaged", path=path, reason=reason)

    if len(head) < _PAYLOAD_OFFSET:
        raise refuse("header too short")
    magic, version, width, _, tokens, documents, characters, mark = _HEADER.unpack(
        head[: _HEADER.size]
    )
    if any(head[_CHECKSUM_OFFSET + 16 : _PAYLOAD_OFFSET]):
        raise refuse("unknown fields in the header")
    if magic != _MAGIC or version != _VERSION or width not in (2, 4):
        raise refuse("not a token file of this version")
    if fingerprint is not None and mark != fingerprint:
        raise refuse("belongs to another corpus")
    if size != _PAYLOAD_OFFSET + tokens * width + (-tokens * width % 8) + 8 * documents:
        raise refuse(f"{size} bytes")
    return width, tokens, documents, characters


def _mapped(path: Path, width: int, tokens: int, documents: int, characters: int) -> TokenSplit:
    dtype = np.dtype("<u2" if width == 2 else "<u4")
    if tokens == 0:
        empty = np.zeros(0, dtype=dtype)
        return TokenSplit(empty, np.zeros(0, dtype=np.int64), characters, documents)
    ids = np.memmap(path, dtype=dtype, mode="r", offset=_PAYLOAD_OFFSET, shape=(tokens,))
    offset = _PAYLOAD_OFFSET + tokens * width + (-tokens * width % 8)
    starts = np.memmap(path, dtype="<i8", mode="r", offset=offset, shape=(documents,))
    return TokenSplit(ids, np.asarray(starts, dtype=np.int64), characters, documents)
