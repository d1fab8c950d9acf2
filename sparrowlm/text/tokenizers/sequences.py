"""Texts as sequences for an encoder: a separator, then the ids, no longer than it can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparrowlm.text.tokenizers.codec import SEPARATOR_ID, TokenCodec

Ids = np.ndarray[Any, np.dtype[np.int32]]
_SEPARATOR = np.array([SEPARATOR_ID], dtype=np.int32)


def sequences_of(codec: TokenCodec, texts: Sequence[str], most_tokens: int) -> list[Ids]:
    """Encode whole texts; of one that is too long the middle is left out.

    What a text is about stands at its beginning, the verdict often at its end.

    Args:
        codec: the tokenizer.
        texts: any strings; half characters are read as U+FFFD.
        most_tokens: ids per sequence, the separator included, >= 2.
    """
    room = most_tokens - 1
    # Nobody needs a megabyte encoded to keep its two ends: a token is a character at least,
    # unless it is one byte of it.
    encoded = codec.encode_batch([_ends(whole(text), room) for text in texts])
    return [np.concatenate([_SEPARATOR, _middle_left_out(ids, room)]) for ids in encoded]


def whole(text: str) -> str:
    """Replace half characters (lone surrogates), which no encoding can carry, by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _middle_left_out(ids: Ids, room: int) -> Ids:
    if len(ids) <= room:
        return ids
    return np.concatenate([ids[: room - room // 2], ids[len(ids) - room // 2 :]])


def _ends(text: str, room: int) -> str:
    longest = 64 * room
    return text if len(text) <= longest else text[: longest // 2] + text[-(longest // 2) :]
