"""A network run by the compiled engine, straight from the bytes of a GGUF file.

Shape letters: B rows, T positions, V vocabulary.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.foundation.errors import DependencyError, ModelError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.engines import ScoresInPieces, log_softmax, target_surprisals
from sparrowlm.runtime.sampling import Draw, compiled_wish
from sparrowlm.runtime.windows import SCORING_WINDOW, window_places

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Ids = np.ndarray[Any, np.dtype[np.int32]]
_ROWS_AT_ONCE, _LANES = 64, 16


@dataclass
class NativeCache:
    """What has been read.

    Attributes:
        sessions: one for each row.
        ahead: of the only row: reads ids that will probably come together with the one that came.
    """

    sessions: list[Any]
    ahead: Any = None

    def settled(self) -> list[Any]:
        """Return the sessions without what was only guessed."""
        if self.ahead is not None:
            self.ahead.settle()
        return self.sessions


class CompiledEngine(ScoresInPieces):
    """What all compiled networks share; the same numbers with any kernels and number of threads.

    Args:
        content: the bytes of a GGUF file; kept.
        kernels: name of an instruction set, see kernel_names; "" takes the fastest.
        num_threads: 0 for as many as read an id faster, measured here and now.

    Raises:
        DependencyError: the compiled part was not built or is switched off.
        ValueError: the file cannot be used; the sentence says why.
    """

    def __init__(self, content: Bytes, kernels: str = "", num_threads: int = 0) -> None:
        native = native_part()
        if native is None:
            raise DependencyError("runtime.no-native")
        self._decoder = native.Decoder(content, kernels, num_threads, _ROWS_AT_ONCE)
        if self._decoder.self_test() == "failed":
            raise ValueError("this machine computes other numbers than the file's maker did")

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return int(self._decoder.vocab_size)

    @property
    def native(self) -> Any:  # noqa: ANN401 - of the compiled part
        """The decoder of the compiled part."""
        return self._decoder

    @property
    def kernels(self) -> str:
        """Name of the instruction set that runs."""
        return str(self._decoder.kernels)

    @property
    def num_threads(self) -> int:
        """Number of threads that share the work."""
        return int(self._decoder.num_threads)

    def start(self) -> NativeCache:
        """Return a cache of one row that has seen nothing."""
        return NativeCache([self._decoder.start()])

    def branch(self, cache: NativeCache, rows: Sequence[int]) -> NativeCache:
        """Return a cache whose row i continues row rows[i]."""
        sessions = cache.settled()
        return NativeCache([self._decoder.branch(sessions[row]) for row in rows])

    def save(self, cache: NativeCache) -> bytes:
        """Return what a cache of one row has read, for restore in this or another process."""
        saved: bytes = self._decoder.save(cache.settled()[0])
        return saved

    def restore(self, saved: bytes) -> NativeCache:
        """Return a cache of one row that has read what was saved.

        Raises:
            ModelError: damaged, or saved with another model.
        """
        try:
            return NativeCache([self._decoder.restore(saved)])
        except ValueError as error:
            raise ModelError("runtime.state-unusable", reason=error) from error

    def step(
        self, ids_T: Int64[np.ndarray, " time"], cache: NativeCache, *, is_last_only: bool = False
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step. Id by id, those that come are guessed."""
        logits_TV: Matrix
        if len(ids_T) == 1:
            if cache.ahead is None:
                cache.ahead = self._decoder.look_ahead(cache.sessions[0])
            logits_TV = self._decoder.read_ahead(cache.ahead, int(ids_T[0]))
            return logits_TV
        logits_TV = self._decoder.read(
            cache.settled()[0], np.ascontiguousarray(ids_T, dtype=np.int32), is_last_only
        )
        return logits_TV

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: NativeCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row."""
        return self._read_one_each(ids_B, cache.settled())

    def step_together(
        self, ids_B: Int64[np.ndarray, " batch"], caches: Sequence[NativeCache]
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to each of several caches; see Engine.step_together."""
        if len(caches) == 1:
            return self.step(ids_B, caches[0], is_last_only=True)
        return self._read_one_each(ids_B, [cache.settled()[0] for cache in caches])

    def draw_each(
        self, logits_BV: Float32[np.ndarray, "batch vocab"], wishes: Sequence[Draw]
    ) -> list[int]:
        """Draw one id for each row of scores; see Engine.draw_each."""
        compiled = [compiled_wish(wish, self.vocab_size) for wish in wishes]
        return list(self._decoder.draw_each(logits_BV, compiled))

    def _read_one_each(self, ids_B: Int64[np.ndarray, " batch"], sessions: list[Any]) -> Matrix:
        ids = np.ascontiguousarray(ids_B, dtype=np.int32)
        pieces = [
            self._decoder.read_one_each(
                sessions[first : first + _ROWS_AT_ONCE], ids[first : first + _ROWS_AT_ONCE]
            )
            for first in range(0, len(ids), _ROWS_AT_ONCE)
        ]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float64[np.ndarray, " _"]]:
        """Score a text; see Engine.surprisal_pieces."""
        return target_surprisals(self.predictions(ids_T), ids_T)

    @abstractmethod
    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
        """Yield log-probabilities of what follows each of ids_T[:-1], in order."""

    def _read_on(self, session: Any, inputs_T: Ids) -> Iterator[Matrix]:  # noqa: ANN401
        """Yield log-probabilities after each id, while a session reads on."""
        for first in range(0, len(inputs_T), _ROWS_AT_ONCE):
            piece_T = inputs_T[first : first + _ROWS_AT_ONCE]
            yield log_softmax(self._decoder.read(session, piece_T, False))


class NativeEngine(CompiledEngine):
    """Runs a decoder that is a Transformer.

    Args:
        content: the bytes of a GGUF file; kept.
        context_tokens: of the model.
        kernels: see CompiledEngine.
        num_threads: see CompiledEngine.

    Attributes:
        context_tokens: what it sees at once.

    Raises:
        DependencyError: the compiled part was not built or is switched off.
        ValueError: the file cannot be used; the sentence says why.
    """

    def __init__(
        self, content: Bytes, context_tokens: int, kernels: str = "", num_threads: int = 0
    ) -> None:
        super().__init__(content, kernels, num_threads)
        self.context_tokens = context_tokens

    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
        """Yield log-probabilities of what follows each of ids_T[:-1], in order."""
        inputs_T = np.ascontiguousarray(ids_T[:-1], dtype=np.int32)
        return self._read_on(self._decoder.start(), inputs_T)


class NativeRecurrentEngine(CompiledEngine):
    """Runs a recurrent network; see CompiledEngine."""

    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
        """Yield log-probabilities of what follows each of ids_T[:-1], in order.

        Read in the windows of RecurrentEngine, so that both give a text the same score.
        """
        inputs_T = np.ascontiguousarray(ids_T[:-1], dtype=np.int32)
        for begin, fresh, end in window_places(len(inputs_T), SCORING_WINDOW):
            session = self._decoder.start()
            if fresh > begin:
                self._decoder.read(session, inputs_T[begin:fresh], True)
            yield from self._read_on(session, inputs_T[fresh:end])


def has_lanes_for(shape: TransformerShape) -> bool:
    """Say whether the compiled engine runs networks of these widths."""
    return shape.width % _LANES == 0 and shape.head_width % _LANES == 0


def kernel_names() -> list[str]:
    """Return the names of the instruction sets that this machine can run, fastest first."""
    native = native_part()
    return [] if native is None else list(native.kernel_names())
