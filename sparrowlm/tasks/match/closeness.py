"""How near two texts are, in a few numbers that look the same from either side.

    of single characters, of characters and pairs of them, of words, each weighed by rarity:
        cosine, shares in common, the rarest thing that only one has
    of the letters in their order: ratio of lengths, longest common subsequence, equal beginning,
        equal end
    of what turns a meaning over: a negation, a number, a Latin word on one side only

Signs of punctuation are no part of a meaning, nor is the size of a text: both tell the classes of a
collection apart that was made in two ways, and nothing of the next one.

Shape letters: B pairs, J numbers per pair, N n-grams.

Source: Hyyrö 2004, "Bit-parallel LCS-length computation revisited" (the subsequence).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, UInt32, UInt64
from sparrowlm.models.sparse_linear import Vocabulary
from sparrowlm.text.ngram_features import (
    FeatureCounts,
    NgramFeatures,
    NgramFeatureSettings,
    folded_codes,
)
from sparrowlm.text.segmentation import HAN, WordSegmenter

VIEWS = (
    NgramFeatureSettings(most_characters=1, most_words=0),
    NgramFeatureSettings(most_characters=2, most_words=0),
    NgramFeatureSettings(most_characters=0, most_words=1),
)
NUM_OF_VIEW, NUM_OF_ORDER = 5, 8
NUM_CLOSENESS = NUM_OF_VIEW * len(VIEWS) + NUM_OF_ORDER
# The order of letters is looked at this far; the n-grams see all of a text.
_MOST_ORDERED = 256
_NEGATION = re.compile(r"[不没无未别非勿莫]|\b(?:not|no|never|none|without|cannot)\b|n['’]t\b")
_PUNCTUATION = re.compile(r"""[？?！!。，,；;：:、…~～“”‘’"（）()]+|\.(?!\d)""")
_NUMBER = re.compile(rf"\d+|[^\W\d_{HAN}]+")

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Keys = np.ndarray[Any, np.dtype[np.uint64]]


class SharedNgrams(NamedTuple):
    """N-grams of pairs of texts, as (number of the pair, key) in one number each.

    Attributes:
        both_N: of both texts.
        first_N: of the first alone.
        second_N: of the second alone.
        squares: of B pairs each: squared lengths of the two texts' vectors, and their product.
    """

    both_N: UInt64[np.ndarray, " both"]
    first_N: UInt64[np.ndarray, " first"]
    second_N: UInt64[np.ndarray, " second"]
    squares: tuple[Numbers, Numbers, Numbers]


def shared_ngrams(counts: FeatureCounts, idf: Vocabulary) -> SharedNgrams:
    """Say which n-grams two texts share.

    Args:
        counts: of B first texts, then of their B seconds.
        idf: rarity of n-grams.
    """
    num_pairs = counts.num_rows // 2
    border = int(np.searchsorted(counts.rows_N, num_pairs))
    values_N = (1 + np.log(counts.counts_N)) * rarity(idf, counts.keys_N)
    rows_N = counts.rows_N % num_pairs if num_pairs else counts.rows_N
    both_N = (rows_N.astype(np.uint64) << np.uint64(32)) | counts.keys_N
    first, second = both_N[:border], both_N[border:]
    shared, at_first, at_second = np.intersect1d(
        first, second, assume_unique=True, return_indices=True
    )
    products = values_N[:border][at_first] * values_N[border:][at_second]
    squares: Any = (
        np.bincount(rows_N[:border], values_N[:border] ** 2, num_pairs),
        np.bincount(rows_N[border:], values_N[border:] ** 2, num_pairs),
        np.bincount(pair_of(shared), products, num_pairs),
    )
    return SharedNgrams(
        shared,
        np.setdiff1d(first, shared, assume_unique=True),
        np.setdiff1d(second, shared, assume_unique=True),
        squares,
    )


def pair_of(numbers_N: Keys) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the number of the pair that every n-gram belongs to."""
    return (numbers_N >> np.uint64(32)).astype(np.int64)


def rarity(idf: Vocabulary, keys_N: UInt32[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Return the inverse document frequency of n-grams, of unknown ones the largest there is."""
    if not len(idf.keys_F):
        return np.ones(len(keys_N))
    places_N = np.minimum(np.searchsorted(idf.keys_F, keys_N), len(idf.keys_F) - 1)
    is_known_N = idf.keys_F[places_N] == keys_N
    return np.where(is_known_N, idf.idf_F[places_N], idf.idf_F.max()).astype(np.float64)


def views_of(segmenter: WordSegmenter) -> tuple[NgramFeatures, ...]:
    """Return what cuts texts into the n-grams of every view."""
    return tuple(NgramFeatures(view, segmenter) for view in VIEWS)


def view_closeness(shared: SharedNgrams, idf: Vocabulary, num_pairs: int) -> list[Numbers]:
    """Return five numbers per pair of one view; rarities count from 0 here."""
    weights = [
        rarity(idf, part.astype(np.uint32)) - 1
        for part in (shared.both_N, shared.first_N, shared.second_N)
    ]
    rows = [pair_of(part) for part in (shared.both_N, shared.first_N, shared.second_N)]
    common, first, second = (
        np.bincount(row, weight, num_pairs) for row, weight in zip(rows, weights, strict=True)
    )
    num_common, num_first, num_second = (np.bincount(row, minlength=num_pairs) for row in rows)
    rarest_B = np.zeros(num_pairs)
    for row, weight in zip(rows[1:], weights[1:], strict=True):
        np.maximum.at(rarest_B, row, weight)
    less, more = np.minimum(first, second), np.maximum(first, second)
    total = np.maximum(2 * num_common + num_first + num_second, 1)
    return [
        cosines(shared),
        common / np.maximum(common + less, 1e-9),
        common / np.maximum(common + more, 1e-9),
        2 * num_common / total,
        rarest_B,
    ]


def cosines(shared: SharedNgrams) -> Float64[np.ndarray, " pairs"]:
    """Return the cosine of the two texts' vectors, 0.0 where one is empty."""
    first, second, product = shared.squares
    return product / np.maximum(np.sqrt(first * second), 1e-12)


def order_closeness(first: str, second: str) -> list[float]:
    """Return eight numbers about letters in their order, and about what turns a meaning over."""
    a, b = folded_text(first), folded_text(second)
    numbers = set(_NUMBER.findall(a)) ^ set(_NUMBER.findall(b))
    has_negations = bool(_NEGATION.search(a)) != bool(_NEGATION.search(b))
    ratio = min(len(first), len(second)) / max(len(first), len(second), 1)
    a, b = a[:_MOST_ORDERED], b[:_MOST_ORDERED]
    shorter = max(min(len(a), len(b)), 1)
    common = common_subsequence(a, b)
    return [
        ratio,
        common / shorter,
        2 * common / max(len(a) + len(b), 1),
        _equal_beginning(a, b) / shorter,
        _equal_beginning(a[::-1], b[::-1]) / shorter,
        float(has_negations),
        float(bool(numbers)),
        float(len(numbers)),
    ]


def without_punctuation(text: str) -> str:
    """Return a text with spaces for signs that only divide or end sentences.

    >>> without_punctuation("版本1.5能用吗？？")
    '版本1.5能用吗'
    """
    return _PUNCTUATION.sub(" ", text).strip()


def folded_text(text: str) -> str:
    """Return a text in lower case, full-width letters made narrow, as n-grams see it."""
    return folded_codes(text).tobytes().decode("utf-32-le")


def common_subsequence(first: str, second: str) -> int:
    """Return the length of the longest common subsequence.

    >>> common_subsequence("怎么还款", "怎样提前还款")
    3
    """
    masks: dict[str, int] = {}
    for place, letter in enumerate(first):
        masks[letter] = masks.get(letter, 0) | (1 << place)
    every = (1 << len(first)) - 1
    row = every
    for letter in second:
        hits = row & masks.get(letter, 0)
        row = ((row + hits) | (row - hits)) & every
    return len(first) - row.bit_count()


def _equal_beginning(first: str, second: str) -> int:
    for place, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            return place
    return min(len(first), len(second))


def closeness(
    views: Sequence[SharedNgrams],
    idfs: Sequence[Vocabulary],
    firsts: Sequence[str],
    seconds: Sequence[str],
) -> Float32[np.ndarray, "pairs numbers"]:
    """Return all numbers of pairs.

    Args:
        views: of every view, which n-grams are shared.
        idfs: of every view.
        firsts: the first texts.
        seconds: the second ones.
    """
    columns: list[Numbers] = []
    for shared, idf in zip(views, idfs, strict=True):
        columns += view_closeness(shared, idf, len(firsts))
    ordered = [order_closeness(a, b) for a, b in zip(firsts, seconds, strict=True)]
    ordered_BJ = np.array(ordered, dtype=np.float64).reshape(len(firsts), NUM_OF_ORDER)
    return np.concatenate([np.array(columns).T, ordered_BJ], axis=1).astype(np.float32)
