"""The counting model as an engine; its logits are natural logarithms of probabilities.

Shape letters: B rows, T positions, V vocabulary, N orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.runtime.engines import ScoresInPieces, log_probabilities, nats

if TYPE_CHECKING:
    from sparrowlm.models.ngram import NgramModel, NgramPredictions, NgramScores

_SEPARATOR = 0
# Text scored at once, beside the context in front of it.
_SCORED_AT_ONCE = 1 << 18


@dataclass
class NgramCache:
    """The ids that still matter, one list per row.

    Attributes:
        contexts: at most order - 1 ids each; a separator is always the first of its list.
    """

    contexts: list[list[int]]


class NgramEngine(ScoresInPieces):
    """Runs a counting model.

    Args:
        model: see models/ngram.
    """

    def __init__(self, model: NgramModel) -> None:
        self.model = model

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.model.vocab_size

    def start(self) -> NgramCache:
        """Return a cache of one row that has seen nothing."""
        return NgramCache([[]])

    def branch(self, cache: NgramCache, rows: Sequence[int]) -> NgramCache:
        """Return a cache whose row i continues row rows[i]."""
        return NgramCache([list(cache.contexts[row]) for row in rows])

    def step(
        self, ids_T: Int64[np.ndarray, " time"], cache: NgramCache, *, is_last_only: bool = False
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step."""
        view = self.view(ids_T, cache, is_last_only=is_last_only)
        return log_probabilities(view.probabilities_BNV[:, -1])

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: NgramCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row."""
        return log_probabilities(self.view_rows(ids_B, cache).probabilities_BNV[:, -1])

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float64[np.ndarray, " _"]]:
        """Score a text at the speed of the counting model's own scorer."""
        for scores in self.scores(ids_T):
            yield nats(scores.probabilities_TN[:, -1])

    def scores(self, ids_T: Int[np.ndarray, " time"]) -> Iterator[NgramScores]:
        """Score a long text in bounded memory.

        Yields:
            NgramScores, rows in order, together one for each of ids_T[1:].
        """
        from sparrowlm.models.ngram import NgramScores

        reach = max(self.model.order - 1, 1)
        for first in range(1, len(ids_T), _SCORED_AT_ONCE):
            end = min(first + _SCORED_AT_ONCE, len(ids_T))
            before = max(first - reach, 0)
            scores = self.model.score(ids_T[before:end])
            skipped = first - before
            yield NgramScores(
                probabilities_TN=scores.probabilities_TN[skipped:],
                context_counts_TN=scores.context_counts_TN[skipped:],
                num_continuations_TN=scores.num_continuations_TN[skipped:],
            )

    def view(
        self, ids_T: Int64[np.ndarray, " time"], cache: NgramCache, *, is_last_only: bool
    ) -> NgramPredictions:
        """Feed ids to one row and return what is known after each, or after the last."""
        contexts = []
        if is_last_only:  # no more than the last ids can matter
            ids_T = ids_T[-max(self.model.order - 1, 1) :]
        for token_id in ids_T.tolist():
            cache.contexts[0] = self._extended(cache.contexts[0], token_id)
            contexts.append(cache.contexts[0])
        return self._view(contexts[-1:] if is_last_only else contexts)

    def view_rows(self, ids_B: Int64[np.ndarray, " batch"], cache: NgramCache) -> NgramPredictions:
        """Feed one id to every row and return what is known then."""
        pairs = zip(cache.contexts, ids_B.tolist(), strict=True)
        cache.contexts = [self._extended(context, token_id) for context, token_id in pairs]
        return self._view(cache.contexts)

    def step_together(
        self, ids_B: Int64[np.ndarray, " batch"], caches: Sequence[NgramCache]
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to each of several caches; see Engine.step_together."""
        return log_probabilities(self.view_each(ids_B, caches).probabilities_BNV[:, -1])

    def view_each(
        self, ids_B: Int64[np.ndarray, " batch"], caches: Sequence[NgramCache]
    ) -> NgramPredictions:
        """Feed one id to each of several caches of one row and return what is known then."""
        for cache, token_id in zip(caches, ids_B.tolist(), strict=True):
            cache.contexts[0] = self._extended(cache.contexts[0], token_id)
        return self._view([cache.contexts[0] for cache in caches])

    def _extended(self, context: list[int], token_id: int) -> list[int]:
        if token_id == _SEPARATOR:
            return [_SEPARATOR]
        # Order 1 still keeps one id: the model itself decides what it looks at.
        return [*context, token_id][-max(self.model.order - 1, 1) :]

    def _view(self, contexts: list[list[int]]) -> NgramPredictions:
        return self.model.predict_each([np.array(ids, dtype=np.int64) for ids in contexts])
