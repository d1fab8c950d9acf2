"""One id per character; whatever is not in the vocabulary becomes its UTF-8 bytes.

Ids: 0 the separator, 1–256 the bytes 00–FF, then the characters. Encoding is one look-up in a
table over all code points, so it runs at memory speed; the Hugging Face file beside it describes
the same mapping as a byte-pair model without pairs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.text.tokenizers.codec import SEPARATOR, ByteTable, byte_token_name, checked_utf8
from sparrowlm.text.tokenizers.files import added_tokens, save_tokenizer

_FIRST_BYTE_ID = 1
_FIRST_CHARACTER_ID = _FIRST_BYTE_ID + 256
_CODE_POINTS = 0x110000


def choose_characters(counts: Mapping[str, int], minimum_count: int, cap: int) -> list[str]:
    """Pick the vocabulary: frequent enough, most frequent first when the cap binds.

    Args:
        counts: occurrences of every character.
        minimum_count: characters seen less often become bytes.
        cap: largest number of characters kept.

    Returns:
        The characters in code-point order.
    """
    frequent = [c for c, count in counts.items() if count >= minimum_count]
    frequent.sort(key=lambda c: (-counts[c], c))
    return sorted(frequent[: max(cap, 0)])


class CharacterCodec(ByteTable):
    """Characters with byte fallback.

    Args:
        characters: the vocabulary, each a single character, without repetition.
    """

    kind = "character"

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        pieces = [b"", *(bytes([byte]) for byte in range(256))]
        super().__init__(pieces + [checked_utf8(c) for c in self.characters])
        self._table = np.full(_CODE_POINTS, -1, dtype=np.int32)
        codes = [ord(c) for c in self.characters]
        self._table[codes] = np.arange(_FIRST_CHARACTER_ID, _FIRST_CHARACTER_ID + len(codes))

    def encode(self, text: str) -> list[int]:
        """Return one id per known character and one per byte of an unknown one."""
        ids: list[int] = self._encode_array(text).tolist()
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " tokens"]]:
        """Return the ids of every text as arrays."""
        return [self._encode_array(text) for text in texts]

    def _encode_array(self, text: str) -> Int32[np.ndarray, " tokens"]:
        try:
            codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        except UnicodeEncodeError:
            codes = np.frombuffer(checked_utf8(text), dtype=np.uint8)  # raises the clear error
        ids: np.ndarray[Any, np.dtype[np.int32]] = self._table[codes]
        unknown = ids < 0
        if not unknown.any():
            return ids
        lengths = 1 + (codes >= 0x80).astype(np.int64) + (codes >= 0x800) + (codes >= 0x10000)
        lengths[~unknown] = 1
        result = np.empty(int(lengths.sum()), dtype=np.int32)
        is_byte = np.repeat(unknown, lengths)
        result[~is_byte] = ids[~unknown]
        spelled = codes[unknown].astype("<u4").tobytes().decode("utf-32-le").encode("utf-8")
        result[is_byte] = np.frombuffer(spelled, dtype=np.uint8).astype(np.int32) + _FIRST_BYTE_ID
        return result

    def save(self, directory: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json into directory."""
        names = [SEPARATOR, *(byte_token_name(byte) for byte in range(256)), *self.characters]
        save_tokenizer(directory, self.kind, _description(names))


def from_description(description: Mapping[str, Any]) -> CharacterCodec:
    """Rebuild the codec from the content of tokenizer.json."""
    vocabulary: dict[str, int] = description["model"]["vocab"]
    names = sorted(vocabulary, key=vocabulary.__getitem__)
    return CharacterCodec(names[_FIRST_CHARACTER_ID:])


def _description(names: list[str]) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added_tokens(),
        "normalizer": None,
        # Pieces of 64 characters keep the library's memory small; ids do not depend on the cuts.
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]{1,64}"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {name: token_id for token_id, name in enumerate(names)},
            "merges": [],
        },
    }
