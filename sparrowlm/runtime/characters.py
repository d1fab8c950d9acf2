"""Which tokens may follow so that the bytes stay UTF-8: no sample ever shows a broken sign.

A token may be a single byte of a character. Where a character is open only its continuation is
allowed; where none is open, nothing that could only stand inside one.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool, Int64
from sparrowlm.foundation.native_part import native_part
from sparrowlm.text.tokenizers import TokenCodec

Mask = np.ndarray[Any, np.dtype[np.bool_]]

# The ranges of the byte that may come next, in table 3-7 of the Unicode Standard, and how many
# continuation bytes are still to come after it.
_OPENING: dict[range, tuple[int, range]] = {
    range(0xC2, 0xE0): (1, range(0x80, 0xC0)),
    range(0xE0, 0xE1): (2, range(0xA0, 0xC0)),
    range(0xE1, 0xED): (2, range(0x80, 0xC0)),
    range(0xED, 0xEE): (2, range(0x80, 0xA0)),
    range(0xEE, 0xF0): (2, range(0x80, 0xC0)),
    range(0xF0, 0xF1): (3, range(0x90, 0xC0)),
    range(0xF1, 0xF4): (3, range(0x80, 0xC0)),
    range(0xF4, 0xF5): (3, range(0x80, 0x90)),
}
_CONTINUATION = range(0x80, 0xC0)


class WholeCharacters:
    """The bytes so far, as far as they matter for what may follow.

    Args:
        codec: gives the bytes of every token.
    """

    def __init__(self, codec: TokenCodec) -> None:
        self._codec = codec
        self._pieces = [codec.token_bytes(token_id) for token_id in range(codec.vocab_size)]
        self._lengths_V = np.array([len(piece) for piece in self._pieces])
        self._masks: dict[bytes, Mask] = {}
        self._texts = np.array([_is_text(piece) for piece in self._pieces])
        self._fragments = np.flatnonzero(~self._texts)

    def allowed(self, open_bytes: bytes) -> Bool[np.ndarray, " vocab"]:
        """Return which ids may follow.

        Args:
            open_bytes: the beginning of an unfinished character; b"" where none is open.
        """
        if open_bytes not in self._masks:
            mask = self._texts.copy() if not open_bytes else np.zeros(len(self._texts), np.bool_)
            for token_id in self._fragments:
                mask[token_id] = unfinished(open_bytes + self._pieces[token_id]) is not None
            self._masks[open_bytes] = mask
        return self._masks[open_bytes]

    def after(self, open_bytes: bytes, token_id: int) -> bytes:
        """Return the unfinished character after one more allowed id."""
        return unfinished(open_bytes + self._pieces[token_id]) or b""

    @property
    def lengths_V(self) -> Int64[np.ndarray, " vocab"]:
        """How many bytes each token stands for."""
        return self._lengths_V

    def beginning_with(self, start: bytes) -> Bool[np.ndarray, " vocab"]:
        """Return which tokens begin with some bytes and may stand behind whole characters."""
        pieces, ids_V = self._in_order
        first = bisect_left(pieces, start)
        # No piece holds the byte FF: everything that begins with `start` stands before this.
        end = bisect_left(pieces, start + b"\xff")
        mask: Mask = np.zeros(len(self._pieces), dtype=np.bool_)
        mask[ids_V[first:end]] = True
        mask &= self.allowed(b"")
        return mask

    @cached_property
    def _in_order(self) -> tuple[list[bytes], Int64[np.ndarray, " vocab"]]:
        """All tokens' bytes in order, and whose they are."""
        order = sorted(range(len(self._pieces)), key=self._pieces.__getitem__)
        return [self._pieces[i] for i in order], np.array(order, dtype=np.int64)

    @cached_property
    def tree(self) -> dict[int, Any]:
        """All tokens by their bytes: byte -> what may follow; below 0: ids that end here."""
        root: dict[int, Any] = {}
        for token_id, piece in enumerate(self._pieces):
            node = root
            for byte in piece:
                node = node.setdefault(byte, {})
            if piece:
                node.setdefault(-1, []).append(token_id)
        return root

    @cached_property
    def compiled_tree(self) -> Any | None:  # noqa: ANN401 - of the compiled part
        """The same for compiled guides; None where nothing is compiled."""
        native = native_part()
        return None if native is None else native.TokenTree(self._pieces)

    def piece(self, token_id: int) -> bytes:
        """Return the bytes of one token."""
        return self._pieces[token_id]


def _is_text(piece: bytes) -> bool:
    try:
        piece.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def unfinished(data: bytes) -> bytes | None:
    r"""Return the beginning of a character that data ends with.

    Returns:
        b"" when data ends with a whole character, None when it can never become UTF-8.

    >>> unfinished("é".encode()), unfinished(b"a\xe4\xbd"), unfinished(b"\xff")
    (b'', b'\xe4\xbd', None)
    """
    start = num_missing = 0
    expected = _CONTINUATION
    for place, byte in enumerate(data):
        if num_missing:
            if byte not in expected:
                return None
            num_missing, expected = num_missing - 1, _CONTINUATION
        elif byte >= 0x80:
            found = next((state for lead, state in _OPENING.items() if byte in lead), None)
            if found is None:
                return None
            start, (num_missing, expected) = place, found
    return data[start:] if num_missing else b""
