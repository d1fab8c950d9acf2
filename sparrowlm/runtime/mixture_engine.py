"""The counting model and the network as one engine: p = sum over k of w_k p_k.

Shape letters: B rows, T positions, V vocabulary, N orders, K experts, F features of the gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.models.mixture import Gate, gate_features
from sparrowlm.models.ngram import NgramPredictions
from sparrowlm.runtime.engines import (
    NeuralEngine,
    ScoresInPieces,
    log_probabilities,
    log_softmax,
    nats,
)
from sparrowlm.runtime.ngram_engine import NgramCache, NgramEngine

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Losses = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class MixtureCache:
    """Both experts' caches."""

    ngram: NgramCache
    neural: Any


class MixtureEngine(ScoresInPieces):
    """Runs a mixture.

    Args:
        ngram: every order of it is an expert.
        neural: the last expert; same vocabulary.
        gate: their weights, position by position.
    """

    def __init__(self, ngram: NgramEngine, neural: NeuralEngine[Any], gate: Gate) -> None:
        self.ngram = ngram
        self.neural = neural
        self._gate = gate

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.neural.vocab_size

    def start(self) -> MixtureCache:
        """Return a cache of one row that has seen nothing."""
        return MixtureCache(self.ngram.start(), self.neural.start())

    def branch(self, cache: MixtureCache, rows: Sequence[int]) -> MixtureCache:
        """Return a cache whose row i continues row rows[i]."""
        return MixtureCache(
            self.ngram.branch(cache.ngram, rows), self.neural.branch(cache.neural, rows)
        )

    def step(
        self, ids_T: Int64[np.ndarray, " time"], cache: MixtureCache, *, is_last_only: bool = False
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step."""
        logits_TV = self.neural.step(ids_T, cache.neural, is_last_only=is_last_only)
        view = self.ngram.view(ids_T, cache.ngram, is_last_only=is_last_only)
        return self._mixed(view, logits_TV)

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: MixtureCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row."""
        logits_BV = self.neural.step_rows(ids_B, cache.neural)
        return self._mixed(self.ngram.view_rows(ids_B, cache.ngram), logits_BV)

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float64[np.ndarray, " _"]]:
        """Score a text; see Engine.surprisal_pieces."""
        for piece in self._pieces_by_part(ids_T):
            yield piece["mixture"]

    def surprisals_by_part(self, ids_T: Int[np.ndarray, " time"]) -> dict[str, Losses]:
        """Score a text with the n-gram alone, the network alone, and both, in one reading.

        Returns:
            "ngram", "neural" and "mixture": nats for each of ids_T[1:].
        """
        pieces = list(self._pieces_by_part(ids_T))
        return {
            part: np.concatenate([np.zeros(0), *(piece[part] for piece in pieces)])
            for part in ("ngram", "neural", "mixture")
        }

    def _pieces_by_part(self, ids_T: Int[np.ndarray, " time"]) -> Iterator[dict[str, Losses]]:
        for experts_TK, features_TF in self._expert_views(ids_T):
            mixed_T = (self._gate.weights(features_TF) * experts_TK).sum(axis=1)
            yield {
                "ngram": nats(experts_TK[:, -2]),
                "neural": nats(experts_TK[:, -1]),
                "mixture": nats(mixed_T),
            }

    def _expert_views(self, ids_T: Int[np.ndarray, " time"]) -> Iterator[tuple[Matrix, Matrix]]:
        """Yield what each expert gave to the ids that came, and the gate's features."""
        pieces = iter(self.neural.predictions(ids_T))
        logs_TV = np.zeros((0, self.vocab_size), dtype=np.float32)
        done = 0
        for scores in self.ngram.scores(ids_T):
            first, total = 0, len(scores.probabilities_TN)
            while first < total:
                if len(logs_TV) == 0:
                    logs_TV = next(pieces)
                count = min(len(logs_TV), total - first)
                rows = slice(first, first + count)
                wanted_T = ids_T[1 + done : 1 + done + count]
                neural_T = np.exp(logs_TV[np.arange(count), wanted_T])
                experts_TK = np.concatenate(
                    [scores.probabilities_TN[rows], neural_T[:, None]], axis=1
                )
                features_TF = gate_features(
                    scores.context_counts_TN[rows],
                    scores.num_continuations_TN[rows],
                    logs_TV[:count],
                )
                yield experts_TK, features_TF
                logs_TV, first, done = logs_TV[count:], first + count, done + count

    def _mixed(self, view: NgramPredictions, logits_BV: Matrix) -> Matrix:
        logs_BV = log_softmax(logits_BV)
        features_BF = gate_features(view.context_counts_BN, view.num_continuations_BN, logs_BV)
        weights_BK = self._gate.weights(features_BF)
        counted_BV = np.einsum("bn,bnv->bv", weights_BK[:, :-1], view.probabilities_BNV)
        return log_probabilities(counted_BV + weights_BK[:, -1:] * np.exp(logs_BV))
