"""All dictionary words of a text as columns: which word and which part of speech lie where.

rjieba cuts a text in one way; a name that its cut misses is often still in its dictionary. For
every character: the longest word that begins here, that ends here, that lies around it, their parts
of speech, and which kinds of names hold it where.

Source: Ma et al. 2020, "Simplify the usage of lexicon in Chinese NER", arXiv:1908.05969 (words by
the place of the character in them).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.hashing import Hashes, RunHashes, mixed
from sparrowlm.tasks.tag.lexicon import dictionary_words, tag_number, tag_of_word

COLUMNS = (
    "word_begins",
    "word_ends",
    "word_inside",
    "tag_begins",
    "tag_ends",
    "tag_inside",
    "name_places",
)
_NAME_TAGS = ("nr", "ns", "nt", "nz")
_PLACES_PER_TAG = 3
_TAG_SALT, _NAME_SALT = 30, 31
_SURROGATES = re.compile("[\ud800-\udfff]")


class _Words(NamedTuple):
    """The words of two characters or more, shorter ones first."""

    starts: np.ndarray[Any, np.dtype[np.int64]]
    lengths: np.ndarray[Any, np.dtype[np.int64]]
    tags: np.ndarray[Any, np.dtype[np.int64]]


def lattice_columns(text: str, runs: RunHashes) -> dict[str, Hashes]:
    """Return every column, one number per character, 0 where there is no word.

    Args:
        text: any text.
        runs: hashes of its characters.
    """
    words = _words(text)
    hashes = runs.of(words.starts, words.starts + words.lengths)
    codes = _coded(_TAG_SALT, words.tags * 8 + np.minimum(words.lengths, 5))
    found = {name: np.zeros(len(text), dtype=np.uint64) for name in COLUMNS}
    ends = words.starts + words.lengths - 1
    for kind, values in (("word", hashes), ("tag", codes)):
        # Longer words are written later, over shorter ones.
        found[f"{kind}_begins"][words.starts] = values
        found[f"{kind}_ends"][ends] = values
        for places, numbers in _inner(words):
            found[f"{kind}_inside"][places] = values[numbers]
    found["name_places"] = _name_places(words, len(text))
    return found


def _words(text: str) -> _Words:
    readable = _SURROGATES.sub("\ufffd", text)
    starts, lengths = dictionary_words(readable)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] >= 2]
    starts, lengths = starts[order], lengths[order]
    ends = starts + lengths
    tags = [tag_of_word(readable[a:b]) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    return _Words(starts, lengths, np.array(tags, dtype=np.int64))


def _inner(words: _Words) -> list[tuple[Any, Any]]:
    """Return (places inside words, numbers of the words), shorter words first."""
    found = []
    # Only lengths that there are: a line of letters may be one word of thousands.
    for length in np.unique(words.lengths[words.lengths > 2]).tolist():
        numbers = np.flatnonzero(words.lengths == length)
        found += [(words.starts[numbers] + inside, numbers) for inside in range(1, length - 1)]
    return found


def _name_places(words: _Words, size: int) -> Hashes:
    """Return which kinds of names begin, go on and end at every character, as a set of bits."""
    bits = np.zeros(size, dtype=np.int64)
    kinds = np.full(len(words.tags), -1, dtype=np.int64)
    for kind, tag in enumerate(_name_numbers()):
        kinds[words.tags == tag] = kind
    is_name = kinds >= 0
    shifts = np.maximum(kinds, 0) * _PLACES_PER_TAG
    ends = words.starts + words.lengths - 1
    np.bitwise_or.at(bits, words.starts[is_name], 1 << shifts[is_name])
    np.bitwise_or.at(bits, ends[is_name], 4 << shifts[is_name])
    for places, numbers in _inner(words):
        chosen = is_name[numbers]
        np.bitwise_or.at(bits, places[chosen], 2 << shifts[numbers[chosen]])
    return np.where(bits > 0, _coded(_NAME_SALT, bits), np.uint64(0))


@cache
def _name_numbers() -> tuple[int, ...]:
    return tuple(tag_number(tag) for tag in _NAME_TAGS)


def _coded(number: int, values: Any) -> Hashes:  # noqa: ANN401
    return mixed(np.asarray(values, dtype=np.int64).astype(np.uint64) + np.uint64(number << 56))
