"""A linear model over what two texts share, what only one has, and what stands for what.

    n-grams in both              each a feature
    n-grams in one alone         each a feature: the words whose presence changes the meaning
    a sign of one, a sign of     each pair a feature, whichever way round: what may stand for what
      the other, both unshared   (怎 for 如), and what may not (花 for 借)
    how near the two are         numbers cut into bins, each bin a feature

A sign is a Han character or a whole word of another script. Every kind of feature has values whose
squares add up to one (the bins to a fixed length), so none drowns the others. All features look the
same from either side: score(a, b) = score(b, a).

Shape letters: B pairs, N features of some pairs, F features of the model, J numbers, E borders.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64, UInt32
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.mapped_bytes import FileSource, path_of
from sparrowlm.models.array_file import file_bytes, read_arrays, write_arrays
from sparrowlm.models.sparse_linear import SparseLinear, SparseRows, Vocabulary
from sparrowlm.tasks.match.closeness import (
    NUM_CLOSENESS,
    VIEWS,
    closeness,
    cosines,
    folded_text,
    pair_of,
    shared_ngrams,
    views_of,
    without_punctuation,
)
from sparrowlm.text.segmentation import HAN, WordSegmenter

KIND = "pair-features"
NUM_BORDERS = 9
_BOTH, _ONE, _CROSS, _BIN = range(4)
_BIN_VALUE = np.float32(0.15)
_MOST_SIGNS = 24
_SIGNS = re.compile(rf"[{HAN}]|[^\W_{HAN}]+")

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Hashes = np.ndarray[Any, np.dtype[np.uint32]]


class PairRows(NamedTuple):
    """Features of pairs, before the model says which of them it knows.

    Attributes:
        rows_N: number of the pair, ascending.
        keys_N: of the feature.
        kinds_N: 0 to 3.
        num_rows: B.
    """

    rows_N: Int64[np.ndarray, " features"]
    keys_N: UInt32[np.ndarray, " features"]
    kinds_N: Int64[np.ndarray, " features"]
    num_rows: int

    def known(self, vocabulary: Vocabulary) -> SparseRows:
        """Look features up and give each its value; unknown ones vanish."""
        if not len(vocabulary.keys_F):
            empty = np.zeros(0, dtype=np.int64)
            return SparseRows(empty, empty, empty.astype(np.float32), self.num_rows)
        last = len(vocabulary.keys_F) - 1
        columns_N = np.minimum(np.searchsorted(vocabulary.keys_F, self.keys_N), last)
        keep = vocabulary.keys_F[columns_N] == self.keys_N
        rows, kinds = self.rows_N[keep], self.kinds_N[keep]
        blocks = 4 * rows + kinds
        values = 1 / np.sqrt(np.bincount(blocks, minlength=4 * self.num_rows)[blocks])
        values = np.where(kinds == _BIN, _BIN_VALUE, values).astype(np.float32)
        return SparseRows(rows, columns_N[keep], values, self.num_rows)


@dataclass(frozen=True)
class PairMeasures:
    """What is measured of pairs before anything is learnt from their labels.

    Attributes:
        shared: of every view, see closeness.shared_ngrams.
        numbers_BJ: how near the two texts are.
        signs: of every pair, (pair, sign of one, sign of the other) below each other.
    """

    shared: tuple[Any, ...]
    numbers_BJ: Float32[np.ndarray, "pairs numbers"]
    signs: Int64[np.ndarray, "signs 3"]

    def cosine(self) -> Float32[np.ndarray, " pairs"]:
        """Return the TF-IDF cosine: characters and pairs of them, and words, to equal parts."""
        both_B: Matrix = (0.5 * (cosines(self.shared[1]) + cosines(self.shared[2]))).astype(
            np.float32
        )
        return both_B

    def rows(self, borders_JE: Float32[np.ndarray, "numbers borders"]) -> PairRows:
        """Return the features.

        Args:
            borders_JE: where the bins of every number end, ascending.
        """
        num_pairs = len(self.numbers_BJ)
        parts = []
        for shared in self.shared[1:]:
            parts.append((shared.both_N, _BOTH))
            parts.append((np.concatenate([shared.first_N, shared.second_N]), _ONE))
        found = [(pair_of(part), _keyed(part.astype(np.uint32), k), k) for part, k in parts]
        found.append((self.signs[:, 0], _cross_keys(self.signs), _CROSS))
        bins_BJ = (self.numbers_BJ[:, :, None] >= borders_JE).sum(axis=2)
        codes = bins_BJ + (NUM_BORDERS + 1) * np.arange(NUM_CLOSENESS)
        owners = np.repeat(np.arange(num_pairs), NUM_CLOSENESS)
        found.append((owners, _keyed(codes.ravel().astype(np.uint32), _BIN), _BIN))
        rows = np.concatenate([part[0] for part in found]).astype(np.int64)
        keys = np.concatenate([part[1] for part in found])
        kinds = np.repeat(np.arange(len(found)), [len(part[0]) for part in found])
        kinds = np.array([part[2] for part in found], dtype=np.int64)[kinds]
        order = np.lexsort((keys, rows))
        return PairRows(rows[order], keys[order], kinds[order], num_pairs)


class PairFeatures:
    """Measures pairs.

    Args:
        idfs: rarity of the n-grams of every view.
        borders_JE: of the bins; None before they are known.
        segmenter: cuts words.
    """

    def __init__(
        self,
        idfs: tuple[Vocabulary, ...],
        borders_JE: Float32[np.ndarray, "numbers borders"] | None,
        segmenter: WordSegmenter,
    ) -> None:
        self.idfs = idfs
        self.borders_JE = borders_JE
        self._views = views_of(segmenter)

    def measures(self, firsts: Sequence[str], seconds: Sequence[str]) -> PairMeasures:
        """Measure pairs.

        Args:
            firsts: any strings.
            seconds: as many.
        """
        firsts, seconds = (
            [without_punctuation(text) for text in texts] for texts in (firsts, seconds)
        )
        both = [*firsts, *seconds]
        shared = tuple(
            shared_ngrams(view.counts(both), idf)
            for view, idf in zip(self._views, self.idfs, strict=True)
        )
        numbers_BJ = closeness(shared, self.idfs, firsts, seconds)
        return PairMeasures(shared, numbers_BJ, _unshared_signs(firsts, seconds))

    def save(self, path: Path) -> None:
        """Write rarities and borders.

        Raises:
            ResourceError: disk full or not writable.
        """
        write_arrays(path, KIND, {}, self._arrays())

    def size_bytes(self) -> int:
        """Return the length of the file."""
        return file_bytes(KIND, {}, self._arrays())

    @staticmethod
    def load(source: FileSource, segmenter: WordSegmenter) -> PairFeatures:
        """Read rarities and borders.

        Raises:
            DamagedFileError: the file fails its checks.
        """
        arrays: Mapping[str, Any] = read_arrays(source, KIND).arrays
        try:
            idfs = tuple(
                Vocabulary(arrays[f"keys{n}"], arrays[f"idf{n}"].astype(np.float32))
                for n in range(len(VIEWS))
            )
            return PairFeatures(idfs, arrays["borders"], segmenter)
        except KeyError as error:
            raise DamagedFileError(
                "foundation.file-damaged", path=path_of(source), reason=error
            ) from error

    def _arrays(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        assert self.borders_JE is not None  # noqa: S101 - training found them
        arrays: dict[str, np.ndarray[Any, np.dtype[Any]]] = {"borders": self.borders_JE}
        for number, idf in enumerate(self.idfs):
            arrays[f"keys{number}"] = idf.keys_F
            arrays[f"idf{number}"] = idf.idf_F.astype(np.float16)
        return arrays


@dataclass(frozen=True)
class Comparison:
    """The linear model and what it looks at.

    Attributes:
        features: with borders.
        model: one column; above 0 the two more likely mean the same.
    """

    features: PairFeatures
    model: SparseLinear

    def scores(self, measures: PairMeasures) -> Float32[np.ndarray, " pairs"]:
        """Return the score of every pair."""
        assert self.features.borders_JE is not None  # noqa: S101 - training found them
        rows = measures.rows(self.features.borders_JE).known(self.model.vocabulary)
        return self.model.scores(rows)[:, 0]


def signs_of(text: str) -> set[str]:
    """Return the Han characters and the words of other scripts.

    >>> sorted(signs_of("用AS3画图"))
    ['as3', '图', '用', '画']
    """
    return set(_SIGNS.findall(folded_text(text)))


def _unshared_signs(
    firsts: Sequence[str], seconds: Sequence[str]
) -> np.ndarray[Any, np.dtype[np.int64]]:
    found: list[tuple[int, int, int]] = []
    for row, (first, second) in enumerate(zip(firsts, seconds, strict=True)):
        a, b = signs_of(first), signs_of(second)
        left = [_number(sign) for sign in sorted(a - b)[:_MOST_SIGNS]]
        right = [_number(sign) for sign in sorted(b - a)[:_MOST_SIGNS]]
        found += [(row, x, y) for x in left for y in right]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def _number(sign: str) -> int:
    return ord(sign) if len(sign) == 1 else zlib.crc32(sign.encode("utf-8", "surrogatepass"))


def _cross_keys(signs: Int64[np.ndarray, "signs 3"]) -> Hashes:
    """Return one key for two signs, whichever way round."""
    low, high = signs[:, 1:].min(axis=1, initial=1 << 32), signs[:, 1:].max(axis=1, initial=0)
    return _keyed(low.astype(np.uint32) * np.uint32(0x2C1B3C6D) ^ high.astype(np.uint32), _CROSS)


def _keyed(keys_N: Hashes, kind: int) -> Hashes:
    """Spread the keys of a kind over all 32 bits, one to one.

    Source: Appleby 2011, MurmurHash3 (the finaliser).
    """
    mixed = keys_N + np.uint32((0x9E3779B1 * (kind + 1)) & 0xFFFFFFFF)
    mixed = (mixed ^ (mixed >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    mixed = (mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    spread: Hashes = mixed ^ (mixed >> np.uint32(16))
    return spread
