"""The door that every tokenizer goes through, and what all of them share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.foundation.errors import DataError

SEPARATOR = "<|document|>"
SEPARATOR_ID = 0
# Characters given to the tokenizer at once: bounds its working memory (about 100 bytes a token).
BATCH_CHARACTERS = 1 << 20


@runtime_checkable
class TokenCodec(Protocol):
    """Text to ids and back, without loss."""

    kind: str

    @property
    def vocab_size(self) -> int:
        """Number of ids; ids run from 0 to vocab_size - 1."""

    @property
    def separator_id(self) -> int:
        """Id of ``<|document|>``, which starts and ends every document."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of text; never a special id, whatever the text says."""

    def encode_batch(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " tokens"]]:
        """Return the ids of every text."""

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; special ids are skipped, broken bytes become U+FFFD."""

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes that the token stands for, b"" for the separator."""

    def save(self, directory: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json."""


class ByteTable:
    """Decoding shared by all codecs: a table from id to bytes.

    Args:
        pieces: bytes of every token; the separator's are b"".
    """

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return len(self._pieces)

    @property
    def separator_id(self) -> int:
        """Id of ``<|document|>``: always 0."""
        return SEPARATOR_ID

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes of one token, b"" for the separator.

        Raises:
            DataError: the id is outside the vocabulary.
        """
        if not 0 <= token_id < len(self._pieces):
            raise DataError("text.unknown-id", received=token_id, vocab_size=self.vocab_size)
        return self._pieces[token_id]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids; special ids vanish, broken bytes become U+FFFD.

        Raises:
            DataError: an id is outside the vocabulary.
        """
        array = np.asarray(ids, dtype=np.int64)
        if array.size and not 0 <= array.min() <= array.max() < len(self._pieces):
            outside = array[(array < 0) | (array >= len(self._pieces))][0]
            self.token_bytes(int(outside))  # raises the clear error
        data = b"".join(map(self._pieces.__getitem__, array.tolist()))
        return data.decode("utf-8", errors="replace")


def byte_token_name(byte: int) -> str:
    """Return the name that Hugging Face gives a byte token: ``<0x0A>``."""
    return f"<0x{byte:02X}>"


def checked_utf8(text: str) -> bytes:
    """Encode text as UTF-8.

    Raises:
        DataError: text holds half a surrogate pair, which is no character.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = f"U+{ord(text[error.start]):04X}"
        raise DataError("text.lone-surrogate", received=code, position=error.start) from error


@cache
def quiet_forks() -> None:
    """Keep the tokenizers library from printing a warning when the process forks later."""
    name = "TOKENIZERS_PARALLELISM"
    if name in os.environ:
        return
    os.register_at_fork(
        before=lambda: os.environ.__setitem__(name, "false"),
        after_in_parent=lambda: os.environ.__delitem__(name),
    )


class CutBatches:
    """Texts cut into pieces and gathered into batches of bounded size.

    Args:
        texts: what to encode.
        cut: cuts one text into pieces that can be encoded apart.
    """

    def __init__(self, texts: Sequence[str], cut: Any) -> None:  # noqa: ANN401
        self._texts = texts
        self._cut = cut

    def __iter__(self) -> Iterator[tuple[list[int], list[str]]]:
        """Yield (number of the text each piece belongs to, the pieces)."""
        owners: list[int] = []
        pieces: list[str] = []
        filled = 0
        for owner, text in enumerate(self._texts):
            for piece in self._cut(text):
                owners.append(owner)
                pieces.append(piece)
                filled += len(piece)
                if filled >= BATCH_CHARACTERS:
                    yield owners, pieces
                    owners, pieces, filled = [], [], 0
        if pieces:
            yield owners, pieces


def encode_with_library(
    tokenizer: Any,  # noqa: ANN401 - tokenizers has no types
    batches: Iterable[tuple[list[int], list[str]]],
    num_texts: int,
) -> list[Int32[np.ndarray, " tokens"]]:
    """Encode batches of pieces with the tokenizers library and join them per text.

    Args:
        tokenizer: a tokenizers.Tokenizer.
        batches: see CutBatches.
        num_texts: number of texts behind the pieces.

    Returns:
        One array of ids per text.
    """
    parts: list[list[np.ndarray[Any, np.dtype[np.int32]]]] = [[] for _ in range(num_texts)]
    for owners, pieces in batches:
        encodings = tokenizer.encode_batch_fast(pieces, add_special_tokens=False)
        for owner, encoding in zip(owners, encodings, strict=True):
            parts[owner].append(np.asarray(encoding.ids, dtype=np.int32))
    empty = np.zeros(0, dtype=np.int32)
    return [np.concatenate(some) if some else empty for some in parts]
