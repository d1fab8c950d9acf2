"""Tokens back to a text: Chinese without spaces, words in Latin script with one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

_WIDE_RANGES = (
    (0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFE4F), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF),
    (0x2018, 0x201F), (0x2026, 0x2026), (0x2014, 0x2014),
)  # fmt: skip
# In data cut into characters even Latin words and numbers stand letter by letter.
_CHARACTER_SHARE = 0.9


@lru_cache(maxsize=65536)
def is_wide(character: str) -> bool:
    """Say whether a character is of a script without spaces between words, or its punctuation.

    >>> is_wide("中"), is_wide("，"), is_wide("a")
    (True, True, False)
    """
    code = ord(character)
    return any(low <= code <= high for low, high in _WIDE_RANGES)


def is_cut_into_characters(tokens: Iterable[str]) -> bool:
    """Say whether tokens are the single characters of a text in Chinese (or Japanese)."""
    found = list(tokens)
    singles = sum(len(token) == 1 for token in found)
    wide = any(is_wide(token[0]) for token in found if token)
    return wide and singles >= _CHARACTER_SHARE * len(found)


def join_tokens(
    tokens: Sequence[str], of_characters: bool
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Join tokens and say where each one stands.

    Args:
        tokens: none of them empty.
        of_characters: the data are cut into characters: a space stands only between two longer
            tokens in Latin script.

    Returns:
        The text and (start, end) of every token in it.

    >>> join_tokens(["我", "爱", "New", "York"], False)
    ('我爱New York', ((0, 1), (1, 2), (2, 5), (6, 10)))
    """
    parts: list[str] = []
    borders: list[tuple[int, int]] = []
    end = 0
    before = ""
    for token in tokens:
        is_tight = of_characters and (len(before) == 1 or len(token) == 1)
        if before and not is_tight and not is_wide(before[-1]) and not is_wide(token[0]):
            parts.append(" ")
            end += 1
        parts.append(token)
        borders.append((end, end + len(token)))
        end += len(token)
        before = token
    return "".join(parts), tuple(borders)


def cut_tokens(cell: str, num_tokens: int) -> list[str]:
    """Cut a cell at its spaces; where that is not num_tokens, spaces may be tokens themselves."""
    tokens = cell.split()
    if len(tokens) == num_tokens:
        return tokens
    exact = [token or " " for token in cell.split(" ")]
    return exact if len(exact) == num_tokens else tokens


def align_tokens(text: str, tokens: Sequence[str]) -> tuple[tuple[int, int], ...] | None:
    """Find tokens one after another in the text they were cut from.

    Args:
        text: the original text.
        tokens: in order.

    Returns:
        (start, end) of every token; None when the text is not made of them and white space.
    """
    borders: list[tuple[int, int]] = []
    end = 0
    for token in tokens:
        while end < len(text) and text[end].isspace() and not text.startswith(token, end):
            end += 1
        if not token or not text.startswith(token, end):
            return None
        borders.append((end, end + len(token)))
        end += len(token)
    return None if text[end:].strip() else tuple(borders)
