"""Text -> units: what a label is given to.

A CJK character, a punctuation mark or any other sign is a unit of its own; so is a run of letters
and a run of digits. White space is none. Borders of given tokens are respected: a token without CJK
characters stays whole.

>>> [units.text[a:b] for units in [units_of(["我爱iPhone 15, ok?"])]
...     for a, b in zip(units.begins, units.ends)]
['我', '爱', 'iPhone', '15', ',', 'ok', '?']
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.text.width import narrowed

Offsets = np.ndarray[Any, np.dtype[np.int64]]
Codes = np.ndarray[Any, np.dtype[np.uint32]]
Kinds = np.ndarray[Any, np.dtype[np.uint8]]
Tokens = Sequence[tuple[int, int]]

# Kinds of characters; letters and digits form runs.
SPACE, HAN, KANA, HANGUL, UPPER, LOWER, DIGIT, PUNCTUATION, SYMBOL, NUMERAL = range(10)
_UNKNOWN = 255
_KINDS = np.full(0x110000, _UNKNOWN, dtype=np.uint8)
_KIND_OF_CATEGORY = {"Lu": UPPER, "Lt": UPPER, "L": LOWER, "M": LOWER, "N": DIGIT, "P": PUNCTUATION}
_NUMERALS = frozenset("〇零一二三四五六七八九十百千万亿两")
_CJK = np.zeros(256, dtype=np.bool_)
_CJK[[HAN, KANA, HANGUL, NUMERAL]] = True
# 0 no unit, 1 a unit by itself, 2 letters, 3 digits
_RUN = np.ones(256, dtype=np.uint8)
_RUN[SPACE], _RUN[UPPER], _RUN[LOWER], _RUN[DIGIT] = 0, 2, 2, 3

_SOFT_LIMIT_UNITS = 256
_HARD_LIMIT_UNITS = 512
_SENTENCE_ENDS = frozenset("。！？!?；;…")
_SEPARATOR = "\n"


@dataclass(frozen=True)
class Units:
    """The units of several texts, one behind the other.

    Args:
        text: the texts, joined by line breaks.
        read: the same as models read it: full-width letters and digits as ordinary ones.
        codes: code points of what is read.
        kinds: the kind of every character.
        begins, ends: characters of text that each unit spans, [N].
        chains: where each chain of labels starts, and N at the end.
        text_starts: where each text starts in text.
        unit_starts: the first unit of each text, and N at the end.
    """

    text: str
    read: str
    codes: Codes
    kinds: Kinds
    begins: Offsets
    ends: Offsets
    chains: Offsets
    text_starts: Offsets
    unit_starts: Offsets

    def __len__(self) -> int:
        return len(self.begins)

    def places_in_texts(self) -> Offsets:
        """Return the how-manieth unit of its text each unit is, from 0."""
        places: Offsets = np.arange(len(self)) - np.repeat(
            self.unit_starts[:-1], np.diff(self.unit_starts)
        )
        return places


def kinds_of(codes: Codes) -> Kinds:
    """Return the kind of every character."""
    kinds = _KINDS[codes]
    if (kinds == _UNKNOWN).any():
        for code in np.unique(codes[kinds == _UNKNOWN]):
            _KINDS[code] = _kind(int(code))
        kinds = _KINDS[codes]
    return kinds


def is_cjk(kinds: Kinds) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Say of every kind whether it is CJK."""
    found: np.ndarray[Any, np.dtype[np.bool_]] = _CJK[kinds]
    return found


def _kind(code: int) -> int:
    character = chr(code)
    if character.isspace():
        return SPACE
    if character in _NUMERALS:
        return NUMERAL
    for kind, is_of_kind in ((HAN, _is_han), (KANA, _is_kana), (HANGUL, _is_hangul)):
        if is_of_kind(code):
            return kind
    category = unicodedata.category(character)
    return _KIND_OF_CATEGORY.get(category, _KIND_OF_CATEGORY.get(category[0], SYMBOL))


def _is_kana(code: int) -> bool:
    return 0x3041 <= code <= 0x30FF or 0x31F0 <= code <= 0x31FF


def _is_hangul(code: int) -> bool:
    return 0xAC00 <= code <= 0xD7A3 or 0x1100 <= code <= 0x11FF or 0x3130 <= code <= 0x318F


def _is_han(code: int) -> bool:
    return (
        0x3400 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0x20000 <= code <= 0x3FFFD
        or code in (0x3005, 0x3007)
    )


def codes_of(text: str) -> Codes:
    """Return the code points of any text, single surrogates included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32)


def units_of(
    texts: Sequence[str], tokens: Sequence[Tokens] | None = None, *, joins_runs: bool = True
) -> Units:
    """Cut texts into units.

    Args:
        texts: any texts.
        tokens: per text the (start, end) of its tokens; none where empty.
        joins_runs: False makes every letter and digit outside given tokens a unit.
    """
    text = _SEPARATOR.join(texts)
    read = narrowed(text)
    codes = codes_of(read)
    kinds = kinds_of(codes)
    lengths = np.array([len(one) + 1 for one in texts], dtype=np.int64)
    text_starts = np.concatenate([[0], np.cumsum(lengths)])[:-1].astype(np.int64)
    is_begin, is_inside = _unit_borders(kinds, joins_runs)
    if tokens is not None:
        for start, length, some in zip(text_starts, lengths, tokens, strict=True):
            if some:
                _respect(kinds, is_begin, is_inside, int(start), int(length) - 1, some)
    begins = np.flatnonzero(is_begin).astype(np.int64)
    ends = _ends(begins, is_inside)
    unit_starts = np.append(np.searchsorted(begins, text_starts), len(begins)).astype(np.int64)
    chains = _chains(codes, ends, unit_starts)
    return Units(text, read, codes, kinds, begins, ends, chains, text_starts, unit_starts)


def _unit_borders(
    kinds: Kinds, joins_runs: bool
) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], np.ndarray[Any, np.dtype[np.bool_]]]:
    runs = _RUN[kinds]
    is_inside = runs > 0
    is_begin = is_inside.copy()
    if joins_runs and len(kinds):
        is_begin[1:] &= (runs[1:] < 2) | (runs[1:] != runs[:-1])
    return is_begin, is_inside


def _respect(
    kinds: Kinds,
    is_begin: np.ndarray[Any, np.dtype[np.bool_]],
    is_inside: np.ndarray[Any, np.dtype[np.bool_]],
    offset: int,
    length: int,
    tokens: Tokens,
) -> None:
    """Begin a unit at every token; one without CJK characters is one unit, spaces included."""
    for token_start, token_end in tokens:
        start, end = max(0, token_start), min(token_end, length)
        if start >= end:
            continue
        here = slice(offset + start, offset + end)
        if not _CJK[kinds[here]].any():
            is_begin[here] = False
            is_inside[here] = True
            is_begin[here.start] = True
        elif is_inside[here.start]:
            is_begin[here.start] = True
        if end < length and is_inside[here.stop]:
            is_begin[here.stop] = True


def _ends(begins: Offsets, is_inside: np.ndarray[Any, np.dtype[np.bool_]]) -> Offsets:
    """A unit ends where the next begins, without the white space between."""
    size = len(is_inside)
    places = np.where(is_inside, np.arange(1, size + 1), 0)
    last = np.maximum.accumulate(places) if size else places
    limits = np.append(begins[1:], size)[: len(begins)]
    return last[limits - 1].astype(np.int64) if len(begins) else begins


def _chains(codes: Codes, ends: Offsets, unit_starts: Offsets) -> Offsets:
    """A text is one chain; a long one is cut at sentence ends, or anywhere where there are none."""
    bounds: list[int] = [0]
    for first, last in zip(unit_starts[:-1].tolist(), unit_starts[1:].tolist(), strict=True):
        position = first
        while last - position > _SOFT_LIMIT_UNITS:
            position = _cut(codes, ends, position, last)
            if position < last:
                bounds.append(position)
        if last > bounds[-1]:
            bounds.append(last)
    return np.array(bounds, dtype=np.int64)


def _cut(codes: Codes, ends: Offsets, first: int, last: int) -> int:
    for position in range(first + _SOFT_LIMIT_UNITS, min(first + _HARD_LIMIT_UNITS, last)):
        if chr(codes[ends[position - 1] - 1]) in _SENTENCE_ENDS:
            return position
    return min(first + _HARD_LIMIT_UNITS, last)


def spans_to_units(units: Units, spans: Sequence[Sequence[Span]]) -> list[tuple[int, int, str]]:
    """Return (first unit, unit after the last, label) of all spans.

    Args:
        units: see units_of.
        spans: those of every text; a border inside a unit takes the whole unit in, and a span
            without any unit (of white space) is left out.
    """
    every = placed_spans(units, spans)
    starts, ends = (np.array([one[k] for one in every], dtype=np.int64) for k in (0, 1))
    firsts = np.searchsorted(units.ends, starts, side="right").tolist()
    stops = np.searchsorted(units.begins, ends, side="left").tolist()
    return [
        (first, stop, span.label)
        for first, stop, span in zip(firsts, stops, every, strict=True)
        if first < stop
    ]


def placed_spans(units: Units, spans: Sequence[Sequence[Span]]) -> list[Span]:
    """Return all spans with their places in the joined text."""
    return [
        Span(start + span.start, start + span.end, span.label)
        for start, some in zip(units.text_starts.tolist(), spans, strict=True)
        for span in some
    ]
