"""Word vectors as a language model: the words around vote for the next one.

Negative sampling teaches u(w) . v(c) = ln p(w | c) - ln (k q(w)), with q the distribution that
the noise was drawn from; so p(w | context) is proportional to q(w) exp(u(w) . mean v(context)).

Shape letters: B rows, T positions, V vocabulary, D width.

Source: Mikolov et al. 2013, arXiv:1310.4546, section 2.2; what it converges to: Levy and Goldberg
2014, "Neural word embedding as implicit matrix factorization", section 3.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.runtime.engines import ScoresInPieces, log_softmax, target_surprisals
from sparrowlm.runtime.threads import one_thread_per_product

_SEPARATOR = 0

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass
class VectorsCache:
    """The last ids of every row; a separator empties the row."""

    contexts: list[list[int]]


class VectorsEngine(ScoresInPieces):
    """Predicts from the mean vector of the last ids, as WordVectors.forward does.

    Args:
        vectors: see models/word_vectors.
    """

    def __init__(self, vectors: WordVectors) -> None:
        self.vectors = vectors

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.vectors.vocab_size

    def start(self) -> VectorsCache:
        """Return a cache of one row that has seen nothing."""
        return VectorsCache([[]])

    def branch(self, cache: VectorsCache, rows: Sequence[int]) -> VectorsCache:
        """Return a cache whose row i continues row rows[i]."""
        return VectorsCache([list(cache.contexts[row]) for row in rows])

    def step(
        self, ids_T: Int64[np.ndarray, " time"], cache: VectorsCache, *, is_last_only: bool = False
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step."""
        contexts = []
        if is_last_only:  # no more than the last ids can matter
            ids_T = ids_T[-self.vectors.window :]
        for token_id in ids_T.tolist():
            cache.contexts[0] = self._extended(cache.contexts[0], token_id)
            contexts.append(cache.contexts[0])
        return self._logits(contexts[-1:] if is_last_only else contexts)

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: VectorsCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row."""
        pairs = zip(cache.contexts, ids_B.tolist(), strict=True)
        cache.contexts = [self._extended(context, token_id) for context, token_id in pairs]
        return self._logits(cache.contexts)

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float64[np.ndarray, " _"]]:
        """Score a text; see Engine.surprisal_pieces."""
        return target_surprisals(self.predictions(ids_T), ids_T)

    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
        """Yield log-probabilities of what follows each of ids_T[:-1], in order."""
        cache = self.start()
        at_once = max(4_000_000 // self.vocab_size, 1)
        for first in range(0, len(ids_T) - 1, at_once):
            piece_T = ids_T[first : min(first + at_once, len(ids_T) - 1)]
            yield log_softmax(self.step(piece_T.astype(np.int64), cache))

    def _extended(self, context: list[int], token_id: int) -> list[int]:
        return [] if token_id == _SEPARATOR else [*context, token_id][-self.vectors.window :]

    def _logits(self, contexts: list[list[int]]) -> Matrix:
        width = self.vectors.vectors_VD.shape[1]
        means_BD = np.zeros((len(contexts), width), dtype=np.float32)
        for row, context in enumerate(contexts):
            if context:
                means_BD[row] = self.vectors.vectors_VD[context].mean(axis=0)
        with one_thread_per_product():
            logits_BV: Matrix = means_BD @ self.vectors.output_VD.T + self.vectors.log_noise_V
        return logits_BV
