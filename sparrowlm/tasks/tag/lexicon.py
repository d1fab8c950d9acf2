"""What rjieba's dictionary and its own cutting know about every character of a text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Lengths = np.ndarray[Any, np.dtype[np.int64]]

# Place of a character in a word.
BEGIN, MIDDLE, END, SINGLE = 1, 2, 3, 4
_LONGEST = 7
_FIRST_HAN, _LAST_HAN, _PLANE_2 = 0x3400, 0x9FFF, 0x20000
_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Cut:
    """A text cut into words.

    Args:
        lengths: characters of each word.
        tags: number of each word's part of speech, 0 where none was asked for.
    """

    lengths: Lengths
    tags: Lengths

    def places(self) -> Bytes:
        """Return BEGIN, MIDDLE, END or SINGLE of every character."""
        size = int(self.lengths.sum())
        places = np.full(size, MIDDLE, dtype=np.uint8)
        ends = np.cumsum(self.lengths)
        places[ends - 1] = END
        starts = ends - self.lengths
        places[starts] = np.where(self.lengths == 1, SINGLE, BEGIN)
        return places


@cache
def _rjieba() -> Any:  # noqa: ANN401 - rjieba has no types
    import rjieba

    return rjieba


_TAG_NUMBERS: dict[str, int] = {}
_WORD_TAGS: dict[str, int] = {}
_MOST_WORD_TAGS = 400_000


def tag_of_word(word: str) -> int:
    """Return the number of a dictionary word's part of speech; 0 where rjieba would cut it."""
    if word not in _WORD_TAGS:
        if len(_WORD_TAGS) >= _MOST_WORD_TAGS:
            _WORD_TAGS.clear()
        tagged = _rjieba().tag(word)
        _WORD_TAGS[word] = tag_number(tagged[0][1]) if len(tagged) == 1 else 0
    return _WORD_TAGS[word]


def tag_number(tag: str) -> int:
    """Return a number that is the same in every process."""
    if tag not in _TAG_NUMBERS:
        _TAG_NUMBERS[tag] = int.from_bytes(tag.encode()[:6], "little") + 1
    return _TAG_NUMBERS[tag]


def cut(text: str, with_tags: bool) -> Cut:
    """Cut a text into words.

    Args:
        text: any text.
        with_tags: also name parts of speech (half as fast).
    """
    readable = _SURROGATES.sub("\ufffd", text)
    if with_tags:
        tagged = _rjieba().tag(readable)
        words = [word for word, _ in tagged]
        tags = np.array([tag_number(tag) for _, tag in tagged], dtype=np.int64)
    else:
        words = _rjieba().cut(readable)
        tags = np.zeros(len(words), dtype=np.int64)
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    if int(lengths.sum()) != len(text):
        # Not met so far; labels must not depend on another package's promise.
        return Cut(np.ones(len(text), np.int64), np.zeros(len(text), np.int64))
    return Cut(lengths, tags)


def dictionary_lengths(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return how long the dictionary's words are that begin, end and lie around each character.

    Returns:
        [characters, 3], 1 where there is no word of two characters or more, at most 7.
    """
    found = np.ones((len(text), 3), dtype=np.uint8)
    _mark(found, *dictionary_words(_SURROGATES.sub("\ufffd", text)))
    return found


def dictionary_words(text: str) -> tuple[Lengths, Lengths]:
    """Return where the dictionary's words begin, single characters among them, and their lengths.

    Args:
        text: without half characters (lone surrogates).
    """
    starts, lengths, place = [], [], 0
    for piece in _pieces(text):
        some, their = _words(_one_line(piece))
        starts.append(some + place)
        lengths.append(their)
        place += len(piece)
    nothing = np.zeros(0, dtype=np.int64)
    return np.concatenate([nothing, *starts]), np.concatenate([nothing, *lengths])


def _pieces(text: str) -> list[str]:
    """Return the text whole where its words can be placed, else its lines."""
    if _words(_one_line(text))[0].size or "\n" not in text.strip("\n"):
        return [text]
    return text.splitlines(keepends=True)


def _one_line(text: str) -> str:
    """Return the text without line breaks, which rjieba would take into words of letters."""
    return text.replace("\n", " ")


def _mark(found: np.ndarray[Any, np.dtype[np.uint8]], starts: Lengths, lengths: Lengths) -> None:
    for length in np.unique(lengths[lengths > 1]).tolist():
        first = starts[lengths == length]
        shown = min(length, _LONGEST)
        found[first, 0] = shown
        found[first + length - 1, 1] = shown
        for inside in range(1, length - 1):
            found[first + inside, 2] = shown


@cache
def _is_dropped(character: str) -> bool:
    """Whether rjieba, asked for all words, says nothing about a character."""
    return not _rjieba().cut_all(character)


@lru_cache(maxsize=2)
def _words(text: str) -> tuple[Lengths, Lengths]:
    """Find where all words of the dictionary stand, and how long they are; nothing on a failure.

    Those that begin at one place come shortest first. A word of one character, or of none that is
    Han, moves on to the next place.
    """
    words = _rjieba().cut_all(text)
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    codes = np.frombuffer("".join(words).encode("utf-32-le"), dtype="<u4")
    firsts = codes[np.cumsum(lengths) - lengths] if len(words) else codes
    characters = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    dropped = [code for code in np.unique(characters).tolist() if _is_dropped(chr(code))]
    kept = np.flatnonzero(~np.isin(characters, dropped))
    # The few words that begin with a dropped character have no head to be placed by.
    is_placed = ~np.isin(firsts, dropped)
    lengths, firsts = lengths[is_placed], firsts[is_placed]
    is_han = ((firsts >= _FIRST_HAN) & (firsts <= _LAST_HAN)) | (firsts >= _PLANE_2)
    is_head = (lengths == 1) | ~is_han
    ends = np.cumsum(np.where(is_head, lengths, 0))
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(lengths) == 0 or int(ends[-1]) != len(kept) or not is_head[0]:
        return nothing
    places = (ends - lengths)[is_head]
    if not np.array_equal(firsts[is_head], characters[kept[places]]):
        return nothing
    # A longer word begins where the head before it began.
    return kept[places[np.cumsum(is_head) - 1]], lengths
