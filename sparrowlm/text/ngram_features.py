"""Texts as bags of character and word n-grams, every n-gram a 32-bit key.

Nothing is stored but keys: an n-gram is a substring, and its key is a hash of that substring, so
any text can be looked up in a model that never kept a string. All texts of a batch are hashed at
once (see foundation/hashing.py).

Texts are folded before: lower case, full-width letters and digits made narrow. Character n-grams
never reach over white space; its place is taken by one boundary sign on either side of a word, as
in ``analyzer="char_wb"`` of scikit-learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64, UInt32
from sparrowlm.foundation.hashing import GOLDEN, Hashes, Places, RunHashes, mixed
from sparrowlm.foundation.native_part import native_part
from sparrowlm.text.segmentation import WordSegmenter

Codes = np.ndarray[Any, np.dtype[np.uint32]]

WORD_BIT = np.uint32(1 << 31)
_BOUNDARY = 0x20
_REPLACEMENT = 0xFFFD
_BASE = pow(GOLDEN, -1, 1 << 64)
_PAIR = np.uint64(0xD6E8FEB86659FD93)
_CASED = (range(0x41, 0x590), range(0x10A0, 0x1400), range(0x1C80, 0x2190), range(0xFF01, 0xFF5F))


@dataclass(frozen=True, kw_only=True, slots=True)
class NgramFeatureSettings:
    """Which n-grams a text is made of.

    Attributes:
        most_characters: longest character n-gram, >= 0 (0: none).
        most_words: longest word n-gram, 0 to 2.
    """

    most_characters: int = 4
    most_words: int = 2

    def as_json(self) -> dict[str, int]:
        """Return the settings as JSON values."""
        return asdict(self)


class Occurrences(NamedTuple):
    """Every n-gram of some texts, in no promised order.

    Attributes:
        rows_N: number of the text.
        keys_N: key of the n-gram; the highest bit is set for word n-grams.
        starts_N: where it begins in the text, in characters.
        ends_N: where it ends.
    """

    rows_N: Int64[np.ndarray, " occurrences"]
    keys_N: UInt32[np.ndarray, " occurrences"]
    starts_N: Int64[np.ndarray, " occurrences"]
    ends_N: Int64[np.ndarray, " occurrences"]


class FeatureCounts(NamedTuple):
    """The distinct n-grams of some texts, text after text, keys ascending.

    Attributes:
        rows_N: number of the text, ascending.
        keys_N: key of the n-gram.
        counts_N: how often it occurs there.
        num_rows: number of texts.
    """

    rows_N: Int64[np.ndarray, " features"]
    keys_N: UInt32[np.ndarray, " features"]
    counts_N: Float32[np.ndarray, " features"]
    num_rows: int

    def part(self, rows: Int64[np.ndarray, " some"]) -> FeatureCounts:
        """Return the n-grams of some texts, in the order given."""
        borders = np.searchsorted(self.rows_N, np.arange(self.num_rows + 1))
        lengths = borders[rows + 1] - borders[rows]
        firsts = np.repeat(borders[rows] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
        chosen = firsts + np.arange(len(firsts))
        numbers = np.repeat(np.arange(len(rows)), lengths)
        return FeatureCounts(numbers, self.keys_N[chosen], self.counts_N[chosen], len(rows))


class NgramFeatures:
    """Turns texts into n-gram keys.

    Args:
        settings: which n-grams.
        segmenter: cuts words; None for the built-in one without user words.
    """

    def __init__(
        self,
        settings: NgramFeatureSettings | None = None,
        segmenter: WordSegmenter | None = None,
    ) -> None:
        self.settings = settings or NgramFeatureSettings()
        self._segmenter = segmenter or WordSegmenter()

    @staticmethod
    def from_json(values: Mapping[str, Any], segmenter: WordSegmenter) -> NgramFeatures:
        """Rebuild from NgramFeatureSettings.as_json."""
        return NgramFeatures(NgramFeatureSettings(**values), segmenter)

    def counts(self, texts: Sequence[str]) -> FeatureCounts:
        """Count the n-grams of every text.

        Args:
            texts: any strings.
        """
        native = native_part()
        if native is not None:
            return self._native_counts(native, texts)
        found = self.occurrences(texts)
        both_N = (found.rows_N.astype(np.uint64) << np.uint64(32)) | found.keys_N
        both_N.sort()
        is_first_N = np.ones(len(both_N), dtype=bool)
        np.not_equal(both_N[1:], both_N[:-1], out=is_first_N[1:])
        starts = np.flatnonzero(is_first_N)
        counts = np.diff(starts, append=len(both_N)).astype(np.float32)
        distinct = both_N[starts]
        rows = (distinct >> np.uint64(32)).astype(np.int64)
        return FeatureCounts(rows, distinct.astype(np.uint32), counts, len(texts))

    def _native_counts(
        self,
        native: Any,  # noqa: ANN401 - compiled code without types
        texts: Sequence[str],
    ) -> FeatureCounts:
        folded = [folded_codes(text) for text in texts]
        words = [self._words(codes) for codes in folded] if self.settings.most_words else []
        rows, keys, counts = native.ngram_features(
            codes=np.concatenate([*folded, np.zeros(0, dtype=np.uint32)]),
            text_lengths=np.array([len(codes) for codes in folded], dtype=np.int64),
            word_lengths=np.array([len(word) for some in words for word in some], dtype=np.int64),
            num_words=np.array([len(some) for some in words] or [0] * len(texts), dtype=np.int64),
            white=_is_white(),
            most_characters=self.settings.most_characters,
            most_words=self.settings.most_words,
        )
        # The compiled part calls its 64 bits "long long", which NumPy takes for another type.
        return FeatureCounts(rows.view(np.int64), keys, counts, len(texts))

    def _words(self, folded: Codes) -> list[str]:
        return self._segmenter.words(folded.tobytes().decode("utf-32-le"))

    def occurrences(self, texts: Sequence[str]) -> Occurrences:
        """Find every n-gram of every text, with its place.

        Args:
            texts: any strings; half characters count as U+FFFD.
        """
        folded = [folded_codes(text) for text in texts]
        parts = [_character_ngrams(folded, self.settings.most_characters)]
        if self.settings.most_words:
            parts.append(self._word_ngrams(folded))
        return Occurrences(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def _word_ngrams(self, folded: Sequence[Codes]) -> Occurrences:
        lengths, owners, spaces = [0], [], []
        for row, codes in enumerate(folded):
            words = self._words(codes)
            lengths += map(len, words)
            owners += [row] * len(words)
            spaces += [word.isspace() for word in words]
        borders = np.cumsum(np.array(lengths, dtype=np.int64))
        keep = ~np.array(spaces, dtype=bool)
        starts, ends = borders[:-1][keep], borders[1:][keep]
        rows = np.array(owners, dtype=np.int64)[keep]
        codes = np.concatenate([*folded, np.zeros(0, dtype=np.uint32)])
        hashes = _substrings(codes).of(starts, ends)
        first_of_row = np.cumsum([0, *map(len, folded)], dtype=np.int64)
        parts = [(rows, hashes, starts, ends)]
        if self.settings.most_words > 1:
            same = rows[1:] == rows[:-1]
            pairs = hashes[:-1] * _PAIR + hashes[1:]
            parts.append((rows[1:][same], pairs[same], starts[:-1][same], ends[1:][same]))
        rows, hashes, starts, ends = (np.concatenate(some) for some in zip(*parts, strict=True))
        keys = _keys(hashes) | WORD_BIT
        return Occurrences(rows, keys, starts - first_of_row[rows], ends - first_of_row[rows])


def folded_codes(text: str) -> UInt32[np.ndarray, " characters"]:
    """Return the code points of a text as features see them: one for every character.

    >>> folded_codes("Ａ1É").tobytes().decode("utf-32-le")
    'a1é'
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    is_half = (codes >= 0xD800) & (codes <= 0xDFFF)
    if is_half.any():
        codes = np.where(is_half, _REPLACEMENT, codes).astype(np.uint32)
    table = _folding()
    return np.where(codes < len(table), table[np.minimum(codes, len(table) - 1)], codes)


@cache
def _folding() -> Codes:
    table = np.arange(0x10000, dtype=np.uint32)
    for code in (code for part in _CASED for code in part):
        narrow = code - 0xFEE0 if code >= 0xFF01 else code
        lower = chr(narrow).lower()
        table[code] = ord(lower) if len(lower) == 1 else narrow
    return table


@cache
def _white_space() -> Codes:
    return np.flatnonzero(_is_white()).astype(np.uint32)


@cache
def _is_white() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.array([chr(code).isspace() for code in range(0x3001)], dtype=np.uint8)


def _character_ngrams(folded: Sequence[Codes], most: int) -> Occurrences:
    """Find the character n-grams of 1 to most signs, boundary signs included, alone excluded."""
    codes, rows, places = _with_boundaries(folded)
    is_boundary = codes == _BOUNDARY
    substrings = _substrings(codes)
    found = []
    # A substring may begin or end with a boundary but not hold one inside.
    num_boundaries = np.concatenate([[0], np.cumsum(is_boundary)])
    for order in range(1, most + 1):
        firsts = np.arange(max(len(codes) - order + 1, 0), dtype=np.int64)
        lasts = firsts + order - 1
        if order == 1:
            inside = is_boundary.astype(np.int64)
        else:
            inside = num_boundaries[lasts] - num_boundaries[firsts + 1]
            if order == 2:
                inside = inside + (is_boundary[firsts] & is_boundary[lasts])
        firsts = firsts[inside == 0]
        ends = firsts + order
        starts_in_text = places[firsts] + is_boundary[firsts]
        ends_in_text = places[ends - 1] + ~is_boundary[ends - 1]
        keys = _keys(substrings.of(firsts, ends)) & ~WORD_BIT
        found.append((rows[firsts], keys, starts_in_text, ends_in_text))
    if not found:
        empty = np.zeros(0, dtype=np.int64)
        return Occurrences(empty, empty.astype(np.uint32), empty, empty)
    return Occurrences(*(np.concatenate(arrays) for arrays in zip(*found, strict=True)))


def _with_boundaries(folded: Sequence[Codes]) -> tuple[Codes, Places, Places]:
    """Join texts, a boundary before, after, and for every run of white space.

    Returns:
        Codes; the text of each; its place there (a boundary has the place of what it replaces,
        the one before a text -1).
    """
    edge = np.array([_BOUNDARY], dtype=np.uint32)
    lengths = np.array([len(codes) + 2 for codes in folded], dtype=np.int64)
    codes = np.concatenate([part for text in folded for part in (edge, text, edge)] or [edge[:0]])
    rows = np.repeat(np.arange(len(folded)), lengths)
    firsts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    places = np.arange(len(codes)) - firsts[rows] - 1
    is_space = np.isin(codes, _white_space())
    codes = np.where(is_space, np.uint32(_BOUNDARY), codes)
    is_repeated = np.zeros(len(codes), dtype=bool)
    is_repeated[1:] = is_space[1:] & is_space[:-1] & (rows[1:] == rows[:-1])
    keep = ~is_repeated
    return codes[keep], rows[keep], places[keep]


def _substrings(codes: Codes) -> RunHashes:
    return RunHashes(mixed(codes), _BASE)


def _keys(hashes: Hashes) -> UInt32[np.ndarray, " n"]:
    return (mixed(hashes) >> np.uint64(32)).astype(np.uint32)
