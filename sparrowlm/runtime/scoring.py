"""How surprised a model is by a text: nats and bits per character, perplexity per token."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import DataError
from sparrowlm.runtime.engines import Engine
from sparrowlm.text.tokenizers import TokenCodec

BITS_PER_NAT = 1.0 / math.log(2.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A model's verdict on a text; fewer bits are better.

    Attributes:
        num_characters: Unicode code points of the text.
        num_tokens: ids of the text; the separator in front is given, not predicted.
        total_nats: sum of -ln p over the ids.
    """

    num_characters: int
    num_tokens: int
    total_nats: float

    @property
    def nats_per_character(self) -> float:
        """Mean loss per character, natural logarithm."""
        return self.total_nats / self.num_characters

    @property
    def bits_per_character(self) -> float:
        """Mean loss per character, logarithm to base 2."""
        return self.nats_per_character * BITS_PER_NAT

    @property
    def perplexity_per_token(self) -> float:
        """Exponential of the mean loss per token; infinite where a float cannot hold it."""
        nats = self.total_nats / max(self.num_tokens, 1)
        return math.exp(nats) if nats < 700 else math.inf


def document_ids(codec: TokenCodec, text: str) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return the separator and the ids of a text."""
    encoded = codec.encode_batch([text])[0]
    return np.concatenate([np.array([codec.separator_id], dtype=np.int32), encoded])


def score_text(engine: Engine[Any], codec: TokenCodec, text: str) -> Score:
    """Score one document.

    Args:
        engine: the model.
        codec: its tokenizer.
        text: at least one character; memory beyond the ids stays bounded, however long.

    Raises:
        DataError: the text is empty.
    """
    if not text:
        raise DataError("runtime.nothing-to-score")
    ids_T = document_ids(codec, text)
    return Score(
        num_characters=len(text),
        num_tokens=len(ids_T) - 1,
        total_nats=sum(float(piece_T.sum()) for piece_T in engine.surprisal_pieces(ids_T)),
    )
