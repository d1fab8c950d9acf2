"""Parts of words: which input rows make up the vector of an id.

Source: Bojanowski et al. 2017, "Enriching word vectors with subword information", section 3.2.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.models.word_vectors.settings import WordVectorSettings

Rows = np.ndarray[Any, np.dtype[np.uint32]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Parts:
    """Input rows per id: the id's own first, then one for each of its parts.

    Args:
        starts: where the rows of each id begin, and the end; uint32, shape (V + 1,).
        rows: row numbers; row i below V belongs to id i, the others to hashed parts.
        num_rows: rows of the input matrix.
    """

    starts: Rows
    rows: Rows
    num_rows: int

    def composed(self, inputs: Matrix) -> Matrix:
        """Return the vector of every id: the mean of its rows."""
        num_ids = len(self.starts) - 1
        if len(self.rows) == num_ids:
            return inputs[:num_ids].copy()
        sums = np.add.reduceat(inputs[self.rows], self.starts[:-1].astype(np.int64), axis=0)
        return (sums / np.diff(self.starts)[:, None]).astype(np.float32)


def parts_of_ids(
    vocab_size: int, settings: WordVectorSettings, token_bytes: Sequence[bytes] | None
) -> Parts:
    """List the input rows of every id.

    Args:
        vocab_size: V.
        settings: subword_buckets 0 gives every id its own row and nothing else.
        token_bytes: UTF-8 bytes of every id; id 0, the separator, has no parts.
    """
    lists: list[list[int]] = [[i] for i in range(vocab_size)]
    if settings.subword_buckets and token_bytes is not None:
        for i in range(1, vocab_size):
            lists[i] += [vocab_size + b for b in _buckets(token_bytes[i], settings)]
    starts = np.zeros(vocab_size + 1, dtype=np.uint32)
    np.cumsum([len(rows) for rows in lists], out=starts[1:])
    rows = np.array([row for one in lists for row in one], dtype=np.uint32)
    return Parts(starts, rows, vocab_size + settings.subword_buckets)


def _buckets(token: bytes, settings: WordVectorSettings) -> list[int]:
    # Pieces of byte-level tokens need not be whole characters; the marks tell ends from middles.
    word = f"<{token.decode('utf-8', 'surrogateescape')}>"
    found = []
    for length in range(settings.shortest_subword, settings.longest_subword + 1):
        for start in range(len(word) - length + 1):
            part = word[start : start + length]
            if part not in ("<", ">"):
                code = zlib.crc32(part.encode("utf-8", "surrogateescape"))
                found.append(code % settings.subword_buckets)
    return found
