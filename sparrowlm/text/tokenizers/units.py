"""Recurring words encoded once: the library is asked only for what was not seen before.

A text is cut into units (mostly words with the space before them) at places where the tokenizer
always starts a new piece, so that the ids of the units in a row are the ids of the text. Running
text repeats its words: nine of ten look-ups are answered by a dictionary. Where the units are long
(Chinese, which has no spaces) nothing repeats, and the library gets the text in large pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.text.tokenizers.codec import CutBatches, encode_with_library
from sparrowlm.text.tokenizers.cutting import WINDOW_CHARACTERS

_ASCII_NO_LETTER = r"[\x00-@\[-`{-\x7f]"
# Byte pairs (Qwen2's expression): a run of letters ends a piece whatever follows it, and no piece
# holds a space behind a character that is no white space. First a word, then anything else up to
# the next such place.
BYTE_PAIR_UNITS = re.compile(
    rf" *+[A-Za-z]++(?={_ASCII_NO_LETTER}|\Z)"
    rf"| *+(?:[^ ]|(?<=\s) )+?(?:(?<=[A-Za-z])(?={_ASCII_NO_LETTER})|(?<=\S)(?= )|\Z)"
    r"| ++"
)
# Words: every space and line end starts a piece.
WORD_UNITS = re.compile(r"[ \n]?[^ \n]++|[ \n]")
_LONGEST_AVERAGE_UNIT = 16
_LONGEST_KEPT_UNIT = 32
_MOST_KEPT = 1 << 17
_SAMPLE_CHARACTERS = 4096
_UNITS_AT_ONCE = 1 << 14


class UnitEncoder:
    """Encodes texts with a tokenizer of the tokenizers library and a memory of units.

    Args:
        tokenizer: a tokenizers.Tokenizer.
        units: finds the units of a text; joined they are the text.
        cut: cuts a long text into pieces that can be encoded apart.
    """

    def __init__(
        self,
        tokenizer: Any,  # noqa: ANN401 - tokenizers has no types
        units: re.Pattern[str],
        cut: Callable[[str], Iterator[str]],
    ) -> None:
        self._tokenizer = tokenizer
        self._units = units
        self._cut = cut
        self._kept: dict[str, tuple[int, ...]] = {}

    def encode_batch(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " tokens"]]:
        """Return the ids of every text."""
        is_long = [not self._repeats(text) for text in texts]
        long_texts = [text for text, flag in zip(texts, is_long, strict=True) if flag]
        batches = CutBatches(long_texts, self._cut)
        long_ids = iter(encode_with_library(self._tokenizer, batches, len(long_texts)))
        return [
            next(long_ids) if flag else self._from_units(text)
            for text, flag in zip(texts, is_long, strict=True)
        ]

    def _repeats(self, text: str) -> bool:
        """Whether the units of text are short enough to recur, judged by its beginning."""
        sample = text[:_SAMPLE_CHARACTERS]
        return len(sample) < _LONGEST_AVERAGE_UNIT * (sample.count(" ") + 1)

    def _from_units(self, text: str) -> Int32[np.ndarray, " tokens"]:
        units: list[str] = self._units.findall(text)
        ids: list[tuple[int, ...] | None] = list(map(self._kept.get, units))
        if None in ids:
            new = list(dict.fromkeys(u for u, known in zip(units, ids, strict=True) if not known))
            found = dict(zip(new, self._encoded(new), strict=True))
            if len(self._kept) < _MOST_KEPT:
                self._kept |= {u: i for u, i in found.items() if len(u) <= _LONGEST_KEPT_UNIT}
            ids = [
                found[u] if known is None else known for u, known in zip(units, ids, strict=True)
            ]
        return np.fromiter(chain.from_iterable(i for i in ids if i), dtype=np.int32)

    def _encoded(self, units: list[str]) -> Iterator[tuple[int, ...]]:
        for start in range(0, len(units), _UNITS_AT_ONCE):
            some = units[start : start + _UNITS_AT_ONCE]
            if max(map(len, some)) <= WINDOW_CHARACTERS:
                encodings = self._tokenizer.encode_batch_fast(some, add_special_tokens=False)
                yield from (tuple(encoding.ids) for encoding in encodings)
            else:
                arrays = encode_with_library(
                    self._tokenizer, CutBatches(some, self._cut), len(some)
                )
                yield from (tuple(array.tolist()) for array in arrays)
