"""Texts with gaps, and what an encoder guesses in them: what a compressed encoder is judged by.

Source: Devlin et al. 2019, arXiv:1810.04805, section 3.1 (masked ids).

Shape letters: M gaps, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.runtime.encoder_engine import EncoderEngine
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.text.tokenizers import SEPARATOR_ID, TokenCodec

# One id in so many is hidden, as in training.
_EVERY = 6

Ids = np.ndarray[Any, np.dtype[np.int32]]
Shares = np.ndarray[Any, np.dtype[np.float64]]
Places = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Gaps:
    """Sequences in which some ids are hidden.

    Attributes:
        sequences: ids, the separator in front and in every gap.
        places: where the gaps of each sequence are.
        hidden: the ids that stood there.
    """

    sequences: Sequence[Ids]
    places: Sequence[Places]
    hidden: Sequence[Ids]

    def log_probabilities(self, engine: EncoderEngine) -> list[Shares]:
        """Return natural logarithms of what an encoder guesses, [gaps, vocab] each."""
        found: list[Any] = [None] * len(self.sequences)
        for batch in engine.encode(self.sequences):
            for row, states_TD in zip(batch.rows_B.tolist(), batch.states_BTD, strict=True):
                logits_MV = engine.next_logits(states_TD[self.places[row]])
                found[row] = log_softmax(logits_MV).astype(np.float64)
        return found

    def nats(self, engine: EncoderEngine) -> Float64[np.ndarray, " sequences"]:
        """Return what the hidden ids cost, summed up for every sequence."""
        guesses = self.log_probabilities(engine)
        sums = [
            -logs_MV[np.arange(len(ids_M)), ids_M].sum()
            for logs_MV, ids_M in zip(guesses, self.hidden, strict=True)
        ]
        return np.array(sums, dtype=np.float64)


def gaps_in(codec: TokenCodec, texts: Sequence[str], most_tokens: int, most_gaps: int) -> Gaps:
    """Hide one id in six.

    Args:
        codec: the tokenizer.
        texts: at least one id in all.
        most_tokens: ids per sequence, the separator included, >= 2.
        most_gaps: of all sequences, about.
    """
    sequences: list[Ids] = []
    places: list[Places] = []
    hidden: list[Ids] = []
    left = most_gaps
    for ids in codec.encode_batch(texts):
        for start in range(0, len(ids), most_tokens - 1):
            piece = np.concatenate([[SEPARATOR_ID], ids[start : start + most_tokens - 1]])
            gaps = np.arange(1 + (len(piece) - 2) % _EVERY, len(piece), _EVERY)
            if left <= 0:
                return Gaps(sequences, places, hidden)
            left -= len(gaps)
            hidden.append(piece[gaps].astype(np.int32))
            piece[gaps] = SEPARATOR_ID
            sequences.append(piece.astype(np.int32))
            places.append(gaps.astype(np.int64))
    return Gaps(sequences, places, hidden)
