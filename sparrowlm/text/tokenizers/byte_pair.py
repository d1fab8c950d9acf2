r"""Byte-level byte-pair encoding with Qwen2's way of splitting, so that GGUF's "qwen2" is true.

No normaliser: what goes in comes out. Tokens are limited in length, because the expression takes
a whole Chinese clause as one word and the merges would otherwise learn clauses by heart.

Source: Sennrich, Haddow and Birch 2016, "Neural machine translation of rare words with subword
units", arXiv:1508.07909; bytes as alphabet: Radford et al. 2019, "Language models are
unsupervised multitask learners", section 2.2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.text.tokenizers.codec import (
    SEPARATOR,
    SEPARATOR_ID,
    ByteTable,
    checked_utf8,
    quiet_forks,
)
from sparrowlm.text.tokenizers.cutting import cut_for_byte_pairs
from sparrowlm.text.tokenizers.files import save_tokenizer
from sparrowlm.text.tokenizers.units import BYTE_PAIR_UNITS, UnitEncoder

QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# 16 bytes: five Chinese characters, or a long English word with its space.
MAXIMUM_TOKEN_BYTES = 16


def byte_alphabet() -> dict[str, int]:
    """Return the printable sign that stands for every byte in byte-level vocabularies.

    Source: GPT-2's convention: printable Latin-1 signs stand for themselves, the other bytes take
    the code points from 256 on in order.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(256 + rank): byte for rank, byte in enumerate(others)}


def train_byte_pairs(texts: Iterable[str], vocabulary_size: int) -> BytePairCodec:
    """Learn the merges.

    Args:
        texts: the sample, in pieces of moderate length.
        vocabulary_size: ids in all, separator and 256 bytes included; at least 257. A small
            sample can end with fewer, when no pair is left that occurs twice.
    """
    from tokenizers import Tokenizer, models, trainers

    quiet_forks()
    tokenizer = _as_qwen2(Tokenizer(models.BPE()))
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        min_frequency=2,
        special_tokens=[SEPARATOR],
        initial_alphabet=sorted(byte_alphabet()),
        max_token_length=MAXIMUM_TOKEN_BYTES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return BytePairCodec(tokenizer.to_str().encode("utf-8"))


def _as_qwen2(tokenizer: Any) -> Any:  # noqa: ANN401 - tokenizers has no types
    """Let a tokenizer cut and spell as Qwen2's; returns it."""
    from tokenizers import Regex, decoders, pre_tokenizers

    split = pre_tokenizers.Split(Regex(QWEN2_PATTERN), "isolated")
    bytes_as_signs = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_as_signs])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def rebuilt_byte_pairs(names: Sequence[str], merges: Sequence[str]) -> BytePairCodec:
    """Make a codec from its tokens and merges.

    Args:
        names: of all tokens in the alphabet of byte_alphabet, the separator's own first.
        merges: the two parts of each with a space between, first learnt first. Those of the
            separator do nothing: it stands in no text.

    Raises:
        ValueError: they do not fit each other.
    """
    from tokenizers import Tokenizer, models

    vocabulary = {name: token_id for token_id, name in enumerate(names)}
    split = (merge.split(" ") for merge in merges)
    pairs = [(first, second) for first, second in split if first != names[0]]
    try:
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=pairs))
    except Exception as error:  # the library raises no other
        raise ValueError(error) from error
    _as_qwen2(tokenizer).add_special_tokens([SEPARATOR])
    return BytePairCodec(tokenizer.to_str().encode("utf-8"))


class BytePairCodec(ByteTable):
    """Byte-level BPE.

    Args:
        content: the content of tokenizer.json.
    """

    kind = "bpe"

    def __init__(self, content: bytes) -> None:
        from tokenizers import Tokenizer

        quiet_forks()
        self.description: dict[str, Any] = json.loads(content)
        vocabulary: dict[str, int] = self.description["model"]["vocab"]
        alphabet = byte_alphabet()
        pieces = [b""] * len(vocabulary)
        for name, token_id in vocabulary.items():
            if token_id != SEPARATOR_ID:
                pieces[token_id] = bytes(alphabet[sign] for sign in name)
        super().__init__(pieces)
        tokenizer = Tokenizer.from_buffer(content)
        tokenizer.encode_special_tokens = True  # "<|document|>" in a text is text
        self._encoder = UnitEncoder(tokenizer, BYTE_PAIR_UNITS, cut_for_byte_pairs)

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
