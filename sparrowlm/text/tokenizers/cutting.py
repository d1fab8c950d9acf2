"""Long texts cut where the tokenizer would cut anyway, so that the ids stay the same.

A text of 100 MB in one line must not reach the tokenizers library as one piece: it would keep
every offset of it in memory, and a pre-token of 100 MB makes byte-pair merging explode. The cuts
stand at places where the pre-tokenizer always starts a new piece. Only where a whole window has no
such place (a million letters without a space) the cut is forced: the round trip stays exact, the
ids around that one place may differ from those of an uncut run. Forced cuts happen at
FORCED_CHARACTERS, far beyond any word or clause of a language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

WINDOW_CHARACTERS = 1 << 16
FORCED_CHARACTERS = 1 << 14

# Byte-pair (Qwen2's expression): a run of letters always ends a piece, whatever follows. Only
# letters that every version of Unicode knows are used.
_AFTER_LETTERS = re.compile(r"(?<=[A-Za-z\u4e00-\u9fa5])(?=[ \n,.，。、；：！？])")
# Word: every white-space character starts a piece.
_BEFORE_SPACE = re.compile(r"(?<=[^\s])(?=[ \n])")


def cut_for_byte_pairs(text: str) -> Iterator[str]:
    """Cut text into pieces of at most WINDOW_CHARACTERS, at ends of letter runs."""
    return _cut(text, _AFTER_LETTERS)


def cut_for_words(text: str) -> Iterator[str]:
    """Cut text into pieces of at most WINDOW_CHARACTERS, in front of white space."""
    return _cut(text, _BEFORE_SPACE)


def _cut(text: str, safe: re.Pattern[str]) -> Iterator[str]:
    position = 0
    while len(text) - position > WINDOW_CHARACTERS:
        end = _last_safe(text, position, safe) or position + FORCED_CHARACTERS
        yield text[position:end]
        position = end
    if position < len(text) or not text:
        yield text[position:]


def _last_safe(text: str, position: int, safe: re.Pattern[str]) -> int | None:
    """Find the last safe place of the window, looking at growing tails of it."""
    end = position + WINDOW_CHARACTERS
    tail = 256
    while tail <= WINDOW_CHARACTERS:
        places = [found.start() for found in safe.finditer(text, end - tail, end)]
        # A pattern sees no character at or behind `end`, so a place there is never reported.
        if places and places[-1] > position:
            return places[-1]
        tail *= 4
    return None
