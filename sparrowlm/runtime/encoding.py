"""What an encoder does by itself: fill gaps in a text, and turn texts into vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.runtime.encoder_engine import EncoderEngine
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.text.tokenizers import SEPARATOR_ID, TokenCodec
from sparrowlm.text.tokenizers.sequences import sequences_of, whole

GAP = "[MASK]"
_BATCH_TEXTS = 1024

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class Filling(NamedTuple):
    """What may stand in a gap.

    Attributes:
        piece: one token's text; a broken character shows as U+FFFD.
        probability: 0 to 1.
    """

    piece: str
    probability: float


@dataclass(frozen=True)
class TextEncoder:
    """An encoder and its tokenizer.

    Attributes:
        engine: ids in, states out.
        codec: text to ids and back.
    """

    engine: EncoderEngine
    codec: TokenCodec

    def fill(self, text: str, k: int = 5) -> list[list[Filling]]:
        """Guess what stands in every gap.

        Args:
            text: with at least one "[MASK]"; each hides one token, a character or a word.
            k: guesses per gap, >= 1.

        Returns:
            For every gap the k likeliest, best first; each gap by itself.

        Raises:
            SettingError: k is below 1.
            DataError: there is no gap, or the text is longer than the model can read.
        """
        if k < 1:
            raise SettingError("runtime.setting-range", name="k", received=k, allowed=">= 1")
        ids_T, gaps = self._with_gaps(whole(text))
        context = self.engine.shape.context_tokens
        if not gaps:
            raise DataError("runtime.no-gap", gap=GAP, received=text[:60])
        if len(ids_T) > context:
            raise DataError("runtime.text-too-long", received=len(ids_T), most=context)
        states_TD = self.engine.states(ids_T[None], np.array([len(ids_T)]))[0]
        logs_GV = log_softmax(self.engine.next_logits(states_TD[gaps]))
        logs_GV[:, SEPARATOR_ID] = -np.inf
        return [self._best(row_V, k) for row_V in logs_GV]

    def vectors(self, texts: Sequence[str]) -> Float32[np.ndarray, "texts width"]:
        """Turn texts into vectors of length one; the nearer, the more alike.

        Args:
            texts: any strings; of a long one the two ends are read.
        """
        width = self.engine.shape.width
        found: list[Matrix] = [np.zeros((0, width), dtype=np.float32)]
        for start in range(0, len(texts), _BATCH_TEXTS):
            part = texts[start : start + _BATCH_TEXTS]
            sequences = sequences_of(self.codec, part, self.engine.shape.context_tokens)
            found.append(self.engine.pooled(sequences)[:, :width])
        vectors_BD = np.concatenate(found)
        lengths_B1 = np.linalg.norm(vectors_BD, axis=1, keepdims=True)
        scaled_BD: Matrix = vectors_BD / np.maximum(lengths_B1, 1e-12)
        return scaled_BD

    def _with_gaps(self, text: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[int]]:
        """Return the ids, the separator in front and in every gap, and where the gaps are."""
        ids, gaps = [SEPARATOR_ID], []
        pieces = text.split(GAP)
        for number, piece in enumerate(pieces):
            if number:
                gaps.append(len(ids))
                ids.append(SEPARATOR_ID)
            # A word is one id with the space before it, so the gap stands for both.
            is_before_gap = number + 1 < len(pieces) and self.codec.kind != "character"
            ids += self.codec.encode(piece.removesuffix(" ") if is_before_gap else piece)
        return np.array(ids, dtype=np.int64), gaps

    def _best(self, logs_V: Matrix, k: int) -> list[Filling]:
        order = np.argsort(-logs_V, kind="stable")[:k]
        return [
            Filling(self.codec.decode([token_id]), float(np.exp(logs_V[token_id])))
            for token_id in order.tolist()
        ]
