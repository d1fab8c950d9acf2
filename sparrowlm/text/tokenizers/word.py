"""Words of the corpus, cut where the whole is most probable; characters and bytes below them.

The words are counted with our segmentation, so the user's dictionary rules; a word after a space
carries the space with it (" world"). Encoding looks for the cut with the highest product of word
probabilities (Viterbi over all known words, as in a maximum-probability word graph). A character
that is in no word and not in the vocabulary becomes its UTF-8 bytes.

Source: Kudo 2018, "Subword regularization", arXiv:1804.10959, section 3.2 (unigram model).
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.text.segmentation import HAN, WordSegmenter
from sparrowlm.text.tokenizers.codec import (
    SEPARATOR,
    ByteTable,
    byte_token_name,
    checked_utf8,
    quiet_forks,
)
from sparrowlm.text.tokenizers.cutting import cut_for_words
from sparrowlm.text.tokenizers.files import added_tokens, save_tokenizer
from sparrowlm.text.tokenizers.units import WORD_UNITS, UnitEncoder

# A piece is a run without white space, with at most one space in front. "<" stands alone, so that
# the names "<0x41>" and "<|document|>" in the vocabulary can never match a text that spells them.
WORD_PATTERN = r"<| ?[^\s<]{1,512}|\s"
LONGEST_WORD_CHARACTERS = 24
_FIRST_WORD_ID = 257
# Above every sum of log-probabilities that a word could be compared with.
_USER_BONUS_PER_CHARACTER = 100.0
_USABLE = re.compile(r" ?[^\s<]+")
_LONG_NUMBER = re.compile(r" ?[0-9.,:%-]{5,}")
_HAS_HAN = re.compile(f"[{HAN}]")


def count_words(texts: Iterable[str], segmenter: WordSegmenter) -> Counter[str]:
    """Count the words of texts; a word behind a single space is counted with the space."""
    counts: Counter[str] = Counter()
    for text in texts:
        after_space = False
        words: list[str] = []
        for word in segmenter.words(text):
            if word == " ":
                if after_space:
                    words.append(" ")
                after_space = True
                continue
            if after_space and word.isspace():
                words += [" ", word]
            else:
                words.append(" " + word if after_space else word)
            after_space = False
        counts.update(words)
    return counts


def choose_words(
    counts: Mapping[str, int], minimum_count: int, cap: int, user_words: Sequence[str] = ()
) -> list[tuple[str, float]]:
    """Pick words and give each its log-probability in nats.

    Args:
        counts: occurrences of every word, see count_words.
        minimum_count: words of two and more characters seen less often are left out.
        cap: largest number of words, single characters included.
        user_words: always in, before all others.

    Returns:
        (word, score), most frequent first; all single characters of the counted words are in as
        far as the cap allows.
    """
    total = sum(counts.values()) or 1
    characters: Counter[str] = Counter()
    for word, count in counts.items():
        for character in word:
            characters[character] += count
    scores = {word: _user_score(word, counts, total) for word in user_words if _is_usable(word)}
    ranked = [
        (count, word) for word, count in counts.items() if _is_word(word, count, minimum_count)
    ]
    ranked += [(count, c) for c, count in characters.items() if c != "<" and c not in counts]
    ranked.append((characters.get("<", 0) or 1, "<"))
    for _count, word in sorted(ranked, key=lambda pair: (-pair[0], pair[1])):
        if len(scores) >= cap:
            break
        # A character that was never a word of its own is worth less than any word.
        occurrences = counts.get(word, 0) or 0.1
        scores.setdefault(word, math.log(occurrences / total))
    return list(scores.items())


def _is_usable(word: str) -> bool:
    return _USABLE.fullmatch(word) is not None and len(word) <= LONGEST_WORD_CHARACTERS


def _is_word(word: str, count: int, minimum_count: int) -> bool:
    if word == "<" or (len(word) == 1):
        return word != "<"
    return count >= minimum_count and _is_usable(word) and not _LONG_NUMBER.fullmatch(word)


def _user_score(word: str, counts: Mapping[str, int], total: int) -> float:
    if _HAS_HAN.search(word):
        return _USER_BONUS_PER_CHARACTER * len(word)
    # A word of an alphabet must not win inside longer words, so it is only as good as a word.
    return math.log(max(counts.get(word, 0), 1) / total)


class WordCodec(ByteTable):
    """Words with character and byte fallback.

    Args:
        content: the content of tokenizer.json.
    """

    kind = "word"

    def __init__(self, content: bytes) -> None:
        from tokenizers import Tokenizer

        quiet_forks()
        self.description: dict[str, Any] = json.loads(content)
        names: list[str] = [name for name, _ in self.description["model"]["vocab"]]
        pieces = [b"", *(bytes([byte]) for byte in range(256))]
        super().__init__(pieces + [name.encode("utf-8") for name in names[_FIRST_WORD_ID:]])
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.encode_special_tokens = True  # "<|document|>" in a text is text
        self._encoder = UnitEncoder(tokenizer, WORD_UNITS, cut_for_words)

    def encode(self, text: str) -> list[int]:
        """Return the ids of text."""
        ids: list[int] = self.encode_batch([text])[0].tolist()
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " tokens"]]:
        """Return the ids of every text as arrays, encoded in parallel."""
        for text in texts:
            checked_utf8(text)
        return self._encoder.encode_batch(texts)

    def save(self, directory: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json into directory."""
        save_tokenizer(directory, self.kind, self.description)


def build_word_codec(words: Sequence[tuple[str, float]]) -> WordCodec:
    """Make the codec from words and their log-probabilities (nats)."""
    vocabulary: list[tuple[str, float]] = [(SEPARATOR, 0.0)]
    vocabulary += [(byte_token_name(byte), 0.0) for byte in range(256)]
    vocabulary += words
    description = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens(),
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": WORD_PATTERN},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}],
        },
        "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": True, "vocab": vocabulary},
    }
    return WordCodec(json.dumps(description, ensure_ascii=False).encode("utf-8"))
