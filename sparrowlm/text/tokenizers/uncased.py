"""A tokenizer that does not care about case, nor whether a word is the first one.

"Water", "water" and " water" are one word to somebody who wants to understand a text, and three to
a tokenizer that must give it back letter by letter. A model that only understands reads it as one:
in lower case, a first word behind a space like every other one. Its vocabulary holds more words,
and each is seen more often. What was capitalised is lost for good: decoding gives lower case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.text.tokenizers.codec import TokenCodec
from sparrowlm.text.tokenizers.files import save_tokenizer

_LEADING_SPACE = "^[ \t\r\n\u00a0\u3000]+"
_LEADING = re.compile(_LEADING_SPACE)
# As transformers' AutoTokenizer does it.
NORMALIZER: dict[str, Any] = {
    "type": "Sequence",
    "normalizers": [
        {"type": "Lowercase"},
        {"type": "Prepend", "prepend": " "},
        {"type": "Replace", "pattern": {"Regex": _LEADING_SPACE}, "content": " "},
    ],
}


@runtime_checkable
class Described(TokenCodec, Protocol):
    """A codec that can say what its tokenizer.json holds."""

    description: dict[str, Any]


class UncasedCodec:
    """Reads lower case with another codec.

    Args:
        inner: learnt from texts as uncased() returns them.
    """

    def __init__(self, inner: Described) -> None:
        self.inner = inner
        self.kind = inner.kind

    @property
    def vocab_size(self) -> int:
        """Number of ids."""
        return self.inner.vocab_size

    @property
    def separator_id(self) -> int:
        """Id of ``<|document|>``: always 0."""
        return self.inner.separator_id

    def encode(self, text: str) -> list[int]:
        """Return the ids of text."""
        ids: list[int] = self.encode_batch([text])[0].tolist()
        return ids

    def encode_batch(self, texts: Sequence[str]) -> list[Int32[np.ndarray, " tokens"]]:
        """Return the ids of every text."""
        return self.inner.encode_batch([uncased(text) for text in texts])

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids in lower case; a first word keeps the space before it."""
        return self.inner.decode(ids)

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes of one token, b"" for the separator."""
        return self.inner.token_bytes(token_id)

    def save(self, directory: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json into directory."""
        save_tokenizer(directory, self.kind, {**self.inner.description, "normalizer": NORMALIZER})


def uncased(text: str) -> str:
    """Return a text in lower case, behind one space.

    >>> uncased("Water is wet."), uncased("水"), uncased(" Ja, ΝΑΙ")
    (' water is wet.', ' 水', ' ja, ναι')
    """
    # Letter by letter, as the normaliser of the tokenizers library: no final sigma.
    lower = text.replace("Σ", "σ").lower()
    return _LEADING.sub(" ", f" {lower}") if lower else ""
