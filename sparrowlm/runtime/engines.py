"""The door of everything that runs a model: feed ids, get the scores of what follows.

Shape letters: B rows, T positions, V vocabulary, N orders of an n-gram, K experts of a mixture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.runtime.sampling import Draw, draw_id

CacheT = TypeVar("CacheT")

_SMALLEST_PROBABILITY = 1e-30


@runtime_checkable
class Engine(Protocol[CacheT]):
    """Runs one model; never sees text.

    A cache remembers what has been fed. It holds one row after ``start`` and any number after
    ``branch``; only ``step_rows`` accepts several rows.
    """

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        ...

    def start(self) -> CacheT:
        """Return a cache of one row that has seen nothing."""
        ...

    def step(
        self, ids_T: Int64[np.ndarray, " time"], cache: CacheT, *, is_last_only: bool = False
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to a cache of one row, which is changed in place.

        Args:
            ids_T: at least one id.
            cache: of one row.
            is_last_only: compute the last row alone, which is all that generation needs.

        Returns:
            logits_TV: row t scores what follows ids_T[t]; one row when is_last_only.
        """
        ...

    def branch(self, cache: CacheT, rows: Sequence[int]) -> CacheT:
        """Return a new cache whose row i continues row rows[i]; the old one stays as it is."""
        ...

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: CacheT
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row of a cache, in place, and return logits_BV."""
        ...

    def step_together(
        self, ids_B: Int64[np.ndarray, " batch"], caches: Sequence[CacheT]
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to each of several caches of one row, in place.

        Returns:
            logits_BV: every row has the bits that step gives for its cache alone.
        """
        ...

    def draw_each(
        self, logits_BV: Float32[np.ndarray, "batch vocab"], wishes: Sequence[Draw]
    ) -> list[int]:
        """Draw one id for each row of scores: those that draw_id gives."""
        ...

    def surprisals(self, ids_T: Int[np.ndarray, " time"]) -> Float64[np.ndarray, " targets"]:
        """Score a text.

        Args:
            ids_T: the separator and the text; longer than memory's worth of logits is fine.

        Returns:
            -ln p(ids_T[t] | ids_T[:t]) in nats for t = 1, 2, ...: one value fewer than ids.
        """
        ...

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterable[Float64[np.ndarray, " targets"]]:
        """Yield what surprisals returns piece by piece, so that it need not fit into memory."""
        ...


@runtime_checkable
class NeuralEngine(Engine[CacheT], Protocol[CacheT]):
    """An engine that can also hand out whole distributions over a text, piece by piece."""

    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterable[Float32[np.ndarray, "rows vocab"]]:
        """Yield natural logarithms of probabilities, in order, one row for each of ids_T[1:]."""
        ...


def log_softmax(logits_TV: Float32[np.ndarray, "rows vocab"]) -> Float32[np.ndarray, "rows vocab"]:
    """Turn logits into natural logarithms of probabilities."""
    shifted_TV = logits_TV - logits_TV.max(axis=-1, keepdims=True)
    total_T1 = np.exp(shifted_TV).sum(axis=-1, keepdims=True)
    logs_TV: np.ndarray[Any, np.dtype[np.float32]] = shifted_TV - np.log(total_T1)
    return logs_TV


class ScoresInPieces(ABC):
    """What all engines share: a whole score from its pieces, separate texts one by one."""

    @abstractmethod
    def step(
        self,
        ids_T: Int64[np.ndarray, " time"],
        cache: Any,  # noqa: ANN401 - the engine's own
        *,
        is_last_only: bool = False,
    ) -> Float32[np.ndarray, "rows vocab"]:
        """See Engine.step."""

    @abstractmethod
    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterable[Float64[np.ndarray, " targets"]]:
        """See Engine.surprisal_pieces."""

    def surprisals(self, ids_T: Int[np.ndarray, " time"]) -> Float64[np.ndarray, " targets"]:
        """Score a text; see Engine.surprisals."""
        return np.concatenate([np.zeros(0), *self.surprisal_pieces(ids_T)])

    def draw_each(
        self, logits_BV: Float32[np.ndarray, "batch vocab"], wishes: Sequence[Draw]
    ) -> list[int]:
        """Draw one id for each row of scores; see Engine.draw_each."""
        return [draw_id(logits_V, wish) for logits_V, wish in zip(logits_BV, wishes, strict=True)]

    def step_together(
        self, ids_B: Int64[np.ndarray, " batch"], caches: Sequence[Any]
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to each of several caches; see Engine.step_together."""
        rows = [
            self.step(ids_B[place : place + 1], cache, is_last_only=True)
            for place, cache in enumerate(caches)
        ]
        return np.concatenate(rows)


def target_surprisals(
    pieces: Iterable[Float32[np.ndarray, "_ vocab"]], ids_T: Int[np.ndarray, " time"]
) -> Iterator[Float64[np.ndarray, " _"]]:
    """Pick from distributions, piece by piece, what was given to the ids that came."""
    done = 1
    for logs_TV in pieces:
        wanted_T = ids_T[done : done + len(logs_TV)]
        yield -logs_TV[np.arange(len(logs_TV)), wanted_T].astype(np.float64)
        done += len(logs_TV)


def nats(probabilities_T: Float32[np.ndarray, " time"]) -> Float64[np.ndarray, " time"]:
    """Return -ln p, rounding errors at 0 kept finite."""
    clipped_T = np.maximum(probabilities_T.astype(np.float64), _SMALLEST_PROBABILITY)
    losses_T: np.ndarray[Any, np.dtype[np.float64]] = -np.log(clipped_T)
    return losses_T


def log_probabilities(
    probabilities: Float32[np.ndarray, "*shape"],
) -> Float32[np.ndarray, "*shape"]:
    """Return natural logarithms, rounding errors at 0 kept finite."""
    logs: np.ndarray[Any, np.dtype[np.float32]] = np.log(
        np.maximum(probabilities, np.float32(_SMALLEST_PROBABILITY))
    )
    return logs
