"""From the spool to token files: the sample for the tokenizer, then the ids of both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from sparrowlm.corpora.settings import PreparationSettings, choose_tokenizer
from sparrowlm.corpora.splitting import Split
from sparrowlm.corpora.spool import Segments, read_texts
from sparrowlm.corpora.statistics import SplitStatistics
from sparrowlm.corpora.token_files import Ids, TokenSplit, write_tokens
from sparrowlm.foundation.progress import Progress
from sparrowlm.text.segmentation import WordSegmenter, read_user_words
from sparrowlm.text.tokenizers import (
    SAMPLE_TEXTS,
    TokenCodec,
    derived_vocabulary_size,
    kind_for_reading,
    train_tokenizer,
)

RUN_BYTES = 1 << 19
_BATCH_CHARACTERS = 1 << 19
_BATCH_TEXTS = 1 << 14
_FERTILITY_CHARACTERS = 200_000
_FREQUENT_TOKENS = 20
_NUM_BYTES = 256


class SideTexts:
    """The text of one side of a split.

    Args:
        directory: the spool.
        segments: its records.
        split: the side of every segment.
        side: "train" or "held_out".
    """

    def __init__(self, directory: Path, segments: Segments, split: Split, side: str) -> None:
        self._directory = directory
        self._segments = segments
        self._split = split
        self._side = side

    @property
    def num_characters(self) -> int:
        """Characters of this side."""
        wanted = self._split.wanted(self._side)
        return int(self._segments["num_characters"][wanted].sum(dtype=np.int64))

    @property
    def num_bytes(self) -> int:
        """Bytes of UTF-8 of this side."""
        wanted = self._split.wanted(self._side)
        return int(self._segments["num_bytes"][wanted].sum(dtype=np.int64))

    def texts(self, every: int = 1) -> Iterator[tuple[str, bool]]:
        """Yield (text, whether a document starts) in order.

        Args:
            every: only every n-th run of about one MiB, or document if shorter.
        """
        all_runs = self._split.runs(self._segments, self._side, RUN_BYTES)
        runs = (run for number, run in enumerate(all_runs) if number % every == 0)
        first: list[bool] = []

        def places() -> Iterator[tuple[int, int]]:
            for start, length, begins in runs:
                first.append(begins)
                yield start, length

        for text in read_texts(self._directory, places()):
            yield text, first.pop()


def user_words(settings: PreparationSettings) -> list[str]:
    """Return the user's words: the dictionary first, then the single ones."""
    words = list(settings.user_words)
    if settings.user_dictionary is not None:
        words = read_user_words(settings.user_dictionary) + words
    return words


def learn_tokenizer(train: SideTexts, settings: PreparationSettings) -> TokenCodec:
    """Learn the tokenizer from the training side, or from an even sample of it."""
    num_characters = train.num_characters
    every = max(-(-num_characters // settings.tokenizer_sample_characters), 1)

    def sample() -> Iterator[str]:
        return (text for text, _ in train.texts(every))

    if settings.tokenizer == "auto" and settings.purpose == "understanding":
        kind = kind_for_reading(islice(sample(), SAMPLE_TEXTS), num_characters)
    else:
        kind = choose_tokenizer(settings.tokenizer, num_characters)
    sampled = num_characters if every <= 1 else sum(len(text) for text in sample())
    size = settings.vocabulary_size
    if settings.most_ids is not None:
        size = min(size or derived_vocabulary_size(kind, sampled), settings.most_ids)
    is_uncased = settings.purpose == "understanding"
    words = user_words(settings)
    return train_tokenizer(kind, sample, sampled, size, words, is_uncased=is_uncased)


def pack_side(
    path: Path, side: SideTexts, codec: TokenCodec, fingerprint: bytes, progress: Progress
) -> None:
    """Encode one side into a token file.

    Args:
        path: the file to replace.
        side: the texts.
        codec: the tokenizer.
        fingerprint: 16 bytes.
        progress: told about every megabyte.

    Raises:
        ResourceError: disk full or not writable.
    """
    batches = _encoded(side, codec, progress)
    write_tokens(path, batches, codec.vocab_size, codec.separator_id, fingerprint)


def _encoded(
    side: SideTexts, codec: TokenCodec, progress: Progress
) -> Iterator[tuple[Ids, bool, int]]:
    texts: list[str] = []
    starts: list[bool] = []
    filled = reported = 0
    for text, begins in side.texts():
        texts.append(text)
        starts.append(begins)
        filled += len(text)
        if filled >= _BATCH_CHARACTERS or len(texts) >= _BATCH_TEXTS:
            yield from _encoded_batch(texts, starts, codec)
            megabytes = sum(len(t.encode("utf-8")) for t in texts) + reported
            progress.advance(megabytes // 1_000_000)
            reported = megabytes % 1_000_000
            texts, starts, filled = [], [], 0
    yield from _encoded_batch(texts, starts, codec)


def _encoded_batch(
    texts: list[str], starts: list[bool], codec: TokenCodec
) -> Iterator[tuple[Ids, bool, int]]:
    if texts:
        ids = codec.encode_batch(texts)
        yield from zip(ids, starts, (len(text) for text in texts), strict=True)


def side_statistics(split: TokenSplit, codec: TokenCodec) -> tuple[SplitStatistics, Counter[int]]:
    """Count tokens of a side.

    Returns:
        The statistics and the occurrences of every id.
    """
    totals = np.zeros(codec.vocab_size, dtype=np.int64)
    for start in range(0, len(split.ids), RUN_BYTES):
        block = np.asarray(split.ids[start : start + RUN_BYTES], dtype=np.int64)
        totals += np.bincount(block, minlength=codec.vocab_size)
    counts: Counter[int] = Counter({int(i): int(totals[i]) for i in np.flatnonzero(totals)})
    # In the BPE tokenizer the ids of single bytes are also ordinary letters: nothing falls back.
    falls_back = codec.kind != "bpe"
    num_byte_tokens = int(totals[1 : 1 + _NUM_BYTES].sum()) if falls_back else 0
    statistics = SplitStatistics(
        num_documents=split.num_documents,
        num_characters=split.num_characters,
        num_tokens=len(split.ids),
        num_byte_tokens=num_byte_tokens,
    )
    return statistics, counts


def frequent_tokens(counts: Counter[int], codec: TokenCodec) -> tuple[tuple[str, int], ...]:
    """Return the commonest tokens as text."""
    counts = Counter({i: number for i, number in counts.items() if i != codec.separator_id})
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_FREQUENT_TOKENS]
    return tuple(
        (codec.token_bytes(i).decode("utf-8", errors="replace"), number) for i, number in ranked
    )


def tokens_per_word(train: SideTexts, codec: TokenCodec, settings: PreparationSettings) -> float:
    """Return how many tokens a word takes (fertility), on the first part of the training side."""
    sample: list[str] = []
    filled = 0
    for text, _ in train.texts():
        sample.append(text[: _FERTILITY_CHARACTERS - filled])
        filled += len(sample[-1])
        if filled >= _FERTILITY_CHARACTERS:
            break
    segmenter = WordSegmenter(user_words(settings))
    words = sum(any(c.isalnum() for c in word) for text in sample for word in segmenter.words(text))
    tokens = sum(len(ids) for ids in codec.encode_batch(sample))
    return tokens / words if words else 0.0
