"""Counting model, recent text and network as one engine: p = sum over k of w_k p_k.

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
from sparrowlm.models.recent_text import RecentText, score_by_recent
from sparrowlm.runtime.engines import (
    NeuralEngine,
    ScoresInPieces,
    log_probabilities,
    log_softmax,
    nats,
)
from sparrowlm.runtime.ngram_engine import NgramCache, NgramEngine
from sparrowlm.runtime.sampling import Draw

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Losses = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class MixtureCache:
    """The experts' caches.

    Attributes:
        ngram: the counting model's.
        neural: the network's.
        recent: what every row has read and drafted.
    """

    ngram: NgramCache
    neural: Any
    recent: list[RecentText]


class MixtureEngine(ScoresInPieces):
    """Runs a mixture.

    Args:
        ngram: every order of it is an expert; the recent text is the next.
        neural: the last expert; same vocabulary.
        gate: their weights, position by position.
    """

    def __init__(self, ngram: NgramEngine, neural: NeuralEngine[Any], gate: Gate) -> None:
        self.ngram = ngram
        self.neural = neural
        self.gate = gate

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.neural.vocab_size

    def start(self) -> MixtureCache:
        """Return a cache of one row that has seen nothing."""
        return MixtureCache(self.ngram.start(), self.neural.start(), [RecentText()])

    def branch(self, cache: MixtureCache, rows: Sequence[int]) -> MixtureCache:
        """Return a cache whose row i continues row rows[i]."""
        return MixtureCache(
            self.ngram.branch(cache.ngram, rows),
            self.neural.branch(cache.neural, rows),
            [cache.recent[row] for row in rows],
        )

    def step(
        self, ids_T: Int64[np.ndarray, " time"], cache: MixtureCache, *, is_last_only: bool = False
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step."""
        logits_TV = self.neural.step(ids_T, cache.neural, is_last_only=is_last_only)
        view = self.ngram.view(ids_T, cache.ngram, is_last_only=is_last_only)
        pieces = [ids_T] if is_last_only else np.split(ids_T, range(1, len(ids_T)))
        recent = []
        for piece_T in pieces:
            cache.recent = [cache.recent[0].read(piece_T)]
            recent += cache.recent
        return self._mixed(view, recent, logits_TV)

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: MixtureCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row: a draft, see RecentText."""
        logits_BV = self.neural.step_rows(ids_B, cache.neural)
        view = self.ngram.view_rows(ids_B, cache.ngram)
        pairs = zip(cache.recent, ids_B.tolist(), strict=True)
        cache.recent = [recent.draft(token_id) for recent, token_id in pairs]
        return self._mixed(view, cache.recent, logits_BV)

    def step_together(
        self, ids_B: Int64[np.ndarray, " batch"], caches: Sequence[MixtureCache]
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to each of several caches; see Engine.step_together."""
        logits_BV = self.neural.step_together(ids_B, [cache.neural for cache in caches])
        view = self.ngram.view_each(ids_B, [cache.ngram for cache in caches])
        mixed = []
        for place, cache in enumerate(caches):
            cache.recent = [cache.recent[0].read(ids_B[place : place + 1])]
            row = slice(place, place + 1)
            # A row at a time: products of more rows are rounded differently.
            mixed.append(self._mixed(view.rows(row), cache.recent, logits_BV[row]))
        return np.concatenate(mixed)

    def draw_each(
        self, logits_BV: Float32[np.ndarray, "batch vocab"], wishes: Sequence[Draw]
    ) -> list[int]:
        """Draw one id for each row of scores; see Engine.draw_each."""
        return self.neural.draw_each(logits_BV, wishes)

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
            mixed_T = (self.gate.weights(features_TF) * experts_TK).sum(axis=1)
            yield {
                "ngram": nats(experts_TK[:, self.ngram.model.order - 1]),
                "neural": nats(experts_TK[:, -1]),
                "mixture": nats(mixed_T),
            }

    def _expert_views(self, ids_T: Int[np.ndarray, " time"]) -> Iterator[tuple[Matrix, Matrix]]:
        """Yield what each expert gave to the ids that came, and the gate's features."""
        neural = _Rows((logs_TV,) for logs_TV in self.neural.predictions(ids_T))
        recent = _Rows(score_by_recent(ids_T, self.vocab_size))
        counted = _Rows(
            (s.probabilities_TN, s.context_counts_TN, s.num_continuations_TN)
            for s in self.ngram.scores(ids_T)
        )
        done = 1
        while count := min(rows.num_ready() for rows in (neural, recent, counted)):
            (logs_TV,) = neural.take(count)
            recent_T, recent_TF = recent.take(count)
            ngram_TN, counts_TN, continuations_TN = counted.take(count)
            neural_T = np.exp(logs_TV[np.arange(count), ids_T[done : done + count]])
            done += count
            yield (
                np.concatenate([ngram_TN, recent_T[:, None], neural_T[:, None]], axis=1),
                gate_features(counts_TN, continuations_TN, recent_TF, logs_TV),
            )

    def _mixed(self, view: NgramPredictions, recent: list[RecentText], logits_BV: Matrix) -> Matrix:
        logs_BV = log_softmax(logits_BV)
        known = [text.predict(self.vocab_size) for text in recent]
        recent_BV, recent_BF = (np.stack(parts) for parts in zip(*known, strict=True))
        features_BF = gate_features(
            view.context_counts_BN, view.num_continuations_BN, recent_BF, logs_BV
        )
        weights_BK = self.gate.weights(features_BF)
        mixed_BV = np.einsum("bn,bnv->bv", weights_BK[:, :-2], view.probabilities_BNV)
        mixed_BV += weights_BK[:, -2:-1] * recent_BV
        mixed_BV += weights_BK[:, -1:] * np.exp(logs_BV)
        return log_probabilities(mixed_BV)


class _Rows:
    """Rows that come in pieces, handed out in pieces of another size.

    Args:
        pieces: tuples of arrays with equally many rows.
    """

    def __init__(self, pieces: Iterator[tuple[Matrix, ...]]) -> None:
        self._pieces = pieces
        self._ready: tuple[Matrix, ...] = ()

    def num_ready(self) -> int:
        """Return how many rows can be taken now; 0 at the end."""
        while not self._ready or len(self._ready[0]) == 0:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._ready = piece
        return len(self._ready[0])

    def take(self, count: int) -> tuple[Matrix, ...]:
        """Hand out the next count rows, at most num_ready()."""
        taken = tuple(part[:count] for part in self._ready)
        self._ready = tuple(part[count:] for part in self._ready)
        return taken
