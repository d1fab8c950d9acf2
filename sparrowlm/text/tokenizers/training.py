"""Which tokenizer, how large: every number derived from the corpus, with its rule.

Vocabulary of a corpus of C characters (of the sample that the tokenizer sees):

    character   every character seen at least n times; n = 1 below 200,000 characters, 2 below
                5 million, 3 below 50 million, else 5; at most 16,384 characters
    bpe         4 * sqrt(C), rounded to a multiple of 64, at least 512 and at most 32,768:
                1,280 for 100 kB of English, 4,032 for 1 MB, 12,672 for 10 MB
    word        every word seen at least n times; n = 1 below 20,000 characters, else 2; at most
                16 * sqrt(C), at least 2,048 and at most 65,000

All stay below 65,536, so that two bytes hold an id.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, get_args

import numpy as np

from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.segmentation import HAN, WordSegmenter
from sparrowlm.text.tokenizers import byte_pair, word
from sparrowlm.text.tokenizers.character import CharacterCodec, choose_characters
from sparrowlm.text.tokenizers.codec import TokenCodec
from sparrowlm.text.tokenizers.uncased import UncasedCodec, uncased

TokenizerKind = Literal["character", "bpe", "word"]
TOKENIZER_KINDS: tuple[str, ...] = get_args(TokenizerKind)
# As many texts of a sample say which script it is in.
SAMPLE_TEXTS = 1000
_SAMPLE_CHARACTERS, _HAN_SHARE = 200_000, 0.2
_MOST_CHARACTERS_FOR_WORDS = 4_000_000
_HAN_CHARACTER = re.compile(f"[{HAN}]")
_BASE_IDS = 257
_LARGEST_VOCABULARY = 1 << 20


def derived_vocabulary_size(kind: TokenizerKind, num_characters: int) -> int:
    """Return the largest vocabulary (ids in all) that the rules above allow.

    >>> derived_vocabulary_size("bpe", 1_000_000)
    4032
    """
    root = math.sqrt(num_characters)
    if kind == "character":
        return _BASE_IDS + 16_384
    if kind == "bpe":
        return 64 * round(min(max(4 * root, 512), 32_768) / 64 + 0.49)
    return int(min(max(16 * root, 2_048), 65_000))


def derived_minimum_count(kind: TokenizerKind, num_characters: int) -> int:
    """Return how often a character or word must occur to get its own id."""
    if kind == "word":
        return 1 if num_characters < 20_000 else 2
    limits = (200_000, 5_000_000, 50_000_000)
    return (1, 2, 3, 5)[sum(num_characters >= limit for limit in limits)]


def kind_for_reading(texts: Iterable[str], num_characters: int) -> TokenizerKind:
    """Choose for a model that understands text: characters where it is mostly Chinese, else words.

    A small vocabulary has room for the words of one subject, not for those of a language: of much
    text, byte pairs cut rare words into pieces where words would fall into letters.

    Args:
        texts: a sample; Han characters are "mostly" from a fifth of what is no white space.
        num_characters: of all text.
    """
    sample = "".join(text for text in texts)[:_SAMPLE_CHARACTERS]
    num_han = len(_HAN_CHARACTER.findall(sample))
    num_signs = sum(not sign.isspace() for sign in sample)
    if num_han >= _HAN_SHARE * max(num_signs, 1):
        return "character"
    return "word" if num_characters <= _MOST_CHARACTERS_FOR_WORDS else "bpe"


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """Count every character of texts."""
    totals = np.zeros(0x110000, dtype=np.int64)
    for text in texts:
        codes = np.frombuffer(text.encode("utf-32-le", errors="ignore"), dtype="<u4")
        counts = np.bincount(codes) if len(codes) else np.zeros(0, dtype=np.int64)
        totals[: len(counts)] += counts
    return Counter({chr(code): int(totals[code]) for code in np.flatnonzero(totals)})


def train_tokenizer(
    kind: TokenizerKind,
    texts: Callable[[], Iterable[str]],
    num_characters: int,
    vocabulary_size: int | None = None,
    user_words: Iterable[str] = (),
    *,
    is_uncased: bool = False,
) -> TokenCodec:
    """Learn a tokenizer from texts.

    Args:
        kind: "character", "bpe" or "word".
        texts: gives the sample anew at every call, in pieces.
        num_characters: length of the sample.
        vocabulary_size: ids in all; None derives it. At least 257 (separator and bytes).
        user_words: words that must be tokens of their own (word tokenizer only).
        is_uncased: read words and byte pairs in lower case, see uncased.py; not characters.

    Raises:
        SettingError: the vocabulary size is out of range.
    """
    if vocabulary_size is not None and not _BASE_IDS <= vocabulary_size <= _LARGEST_VOCABULARY:
        raise SettingError("text.vocabulary-size", received=vocabulary_size)
    if is_uncased and kind != "character":
        return _uncased(kind, texts, num_characters, vocabulary_size, user_words)
    size = vocabulary_size or derived_vocabulary_size(kind, num_characters)
    minimum_count = derived_minimum_count(kind, num_characters)
    if kind == "bpe":
        return byte_pair.train_byte_pairs(texts(), size)
    if kind == "character":
        counts = count_characters(texts())
        return CharacterCodec(choose_characters(counts, minimum_count, size - _BASE_IDS))
    segmenter = WordSegmenter(user_words)
    counts = word.count_words(texts(), segmenter)
    chosen = word.choose_words(counts, minimum_count, size - _BASE_IDS, segmenter.user_words)
    return word.build_word_codec(chosen)


def _uncased(
    kind: TokenizerKind, texts: Callable[[], Iterable[str]], num_characters: int,
    vocabulary_size: int | None, user_words: Iterable[str],
) -> TokenCodec:  # fmt: skip
    def lower() -> Iterable[str]:
        return map(uncased, texts())

    words = [one.lower() for one in user_words]
    inner = train_tokenizer(kind, lower, num_characters, vocabulary_size, words)
    assert isinstance(inner, (word.WordCodec, byte_pair.BytePairCodec))  # noqa: S101 - see kind
    return UncasedCodec(inner)
