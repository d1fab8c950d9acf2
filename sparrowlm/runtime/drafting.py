"""A small model guesses what a large one will write; the large one reads several guesses at once.

Ids are always drawn from the large model's own scores, by the random numbers they would have been
drawn with: a guess that comes true only spares a reading. Rows read together have the bits of rows
read alone, so every text is the one that the large model writes without help, to the last bit,
whatever way ids are drawn.

Whether guessing pays is tried and not computed: some ids alone, some with guesses, and whatever is
faster goes on. A trial ends as soon as it has lost the time of a few ids, and after each that was
lost it takes twice as long until the next. How many ids are guessed follows from what guesses and
readings took and how often guesses came true.

Source: Leviathan, Kalman, Matias 2023, arXiv:2211.17192, sections 2 and 3 (there a guess is
accepted by a rule about two distributions; here by being what was drawn).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.foundation.errors import ModelError
from sparrowlm.runtime.engines import Engine, ScoresInPieces
from sparrowlm.runtime.native_engine import NativeCache, NativeEngine
from sparrowlm.runtime.sampling import Draw
from sparrowlm.text.tokenizers import TokenCodec

MOST_GUESSES = 8
_COUNTS = (1, 2, 3, 4, 6, MOST_GUESSES)
_MEMORY = 0.9
_LEAST_GAIN = 1.05
_SHARE_OF_ROWS = 0.4  # of a reading, that grows with the number of its rows; till it is measured
_ALONE_IDS, _TRIED_IDS, _KEPT_IDS = 24, 24, 192
_FIRST_GUESSES = 4
_LOST_IDS = 3.0  # that a trial may cost
_FIRST_REST, _LONGEST_REST = 128, 8192
# An id that takes less is read before Python has asked whether it was guessed.
_QUICKEST_S = 1e-4

Matrix = np.ndarray[Any, np.dtype[np.float32]]


def tokens_hash(codec: TokenCodec) -> str:
    """Return a SHA-256 of all tokens: equal where equal ids stand for equal bytes.

    Args:
        codec: any tokenizer.
    """
    digest = hashlib.sha256(codec.vocab_size.to_bytes(8, "little"))
    for token_id in range(codec.vocab_size):
        piece = codec.token_bytes(token_id)
        digest.update(len(piece).to_bytes(4, "little") + piece)
    return digest.hexdigest()


def drafted_engine(
    large: tuple[Engine[Any], TokenCodec], small: tuple[Engine[Any], TokenCodec]
) -> DraftedEngine:
    """Return the large model as an engine that a small one helps.

    Args:
        large: engine and tokenizer; a Transformer that the compiled engine runs.
        small: engine and tokenizer, with the same tokens.

    Raises:
        ModelError: the tokens differ, or the large model cannot take back what it has read.
    """
    if tokens_hash(large[1]) != tokens_hash(small[1]):
        raise ModelError(
            "runtime.draft-tokens", large=large[1].vocab_size, small=small[1].vocab_size
        )
    if not isinstance(large[0], NativeEngine):
        raise ModelError("runtime.draft-engine", received=type(large[0]).__name__)
    return DraftedEngine(large[0], small[0])


@runtime_checkable
class _Drafter(Protocol):
    """Guesses on from what was written."""

    def guesses(self, ids: Sequence[int], count: int) -> list[int]:
        """Return the likeliest ids behind some new ones, which stay read; the guesses do not."""
        ...


class _CompiledDrafter:
    """Guesses with a compiled Transformer; what comes true need not be read again."""

    def __init__(self, engine: NativeEngine) -> None:
        self._decoder = engine.native
        self._session = self._decoder.start()
        self._ahead: list[int] = []

    def guesses(self, ids: Sequence[int], count: int) -> list[int]:
        same = 0
        while same < min(len(self._ahead), len(ids) - 1) and self._ahead[same] == ids[same]:
            same += 1
        self._decoder.cut(self._session, len(self._ahead) - same)
        *before, last = ids[same:]
        if before:
            self._decoder.read(self._session, np.array(before, dtype=np.int32), True)
        found = [int(one) for one in self._decoder.continue_greedily(self._session, last, count)]
        self._ahead = found[:-1]  # the last one was not read
        return found


class _AnyDrafter:
    """Guesses with any engine, on a branch of what was written."""

    def __init__(self, engine: Engine[Any]) -> None:
        self._engine = engine
        self._cache = engine.start()

    def guesses(self, ids: Sequence[int], count: int) -> list[int]:
        fed = np.array(ids, dtype=np.int64)
        logits_V = self._engine.step(fed, self._cache, is_last_only=True)[-1]
        found = [int(logits_V.argmax())]
        if count > 1:
            branch = self._engine.branch(self._cache, [0])
            while len(found) < count:
                fed = np.array(found[-1:], dtype=np.int64)
                logits_V = self._engine.step(fed, branch, is_last_only=True)[-1]
                found.append(int(logits_V.argmax()))
        return found


@dataclass
class DraftFigures:
    """What guessing has cost and brought.

    Attributes:
        num_ids: asked for, one by one.
        num_guessed: ids read because they were guessed.
        num_right: of them, come true.
        is_right: chance that a guess comes true, the latest counting most.
        alone_s: of one id without guesses, over the latest stretch.
        guess_s: of one guess.
        rows_s: of reading an id and so many guesses together, by their number.
        num_trials: stretches with guesses that were begun.
        num_lost: of them, given up.
    """

    num_ids: int = 0
    num_guessed: int = 0
    num_right: int = 0
    is_right: float = 0.6
    alone_s: float = 0.0
    guess_s: float = 0.0
    rows_s: dict[int, float] = field(default_factory=dict)
    num_trials: int = 0
    num_lost: int = 0

    def gain(self, count: int) -> float:
        """Return how many times as fast it goes with so many guesses, once some were read.

        Source: Leviathan et al. 2023, theorem 3.8, with measured times.
        """
        expected = sum(self.is_right**place for place in range(count + 1))
        reading_s = self.rows_s.get(count, 0.0)
        if not reading_s and self.rows_s:
            known = min(self.rows_s, key=lambda one: abs(one - count))
            reading_s = self.rows_s[known] * (1.0 + _SHARE_OF_ROWS * (count / known - 1.0))
        return expected * self.alone_s / max(reading_s + count * self.guess_s, 1e-9)


class _Trials:
    """Decides about stretches of ids: alone, or with guesses.

    Attributes:
        is_guessing: in this stretch.
    """

    def __init__(self, figures: DraftFigures) -> None:
        self.is_guessing = False
        self._figures = figures
        self._left = _ALONE_IDS
        self._rest = _FIRST_REST
        self._guessing_s = 0.0  # of an id in the stretch with guesses that has just ended
        self._num_ids, self._seconds = 0, 0.0

    def took(self, seconds: float) -> None:
        """Count one id; ends the stretch where it is over, or has lost too much.

        Args:
            seconds: that it took.
        """
        self._num_ids += 1
        self._seconds += seconds
        self._left -= 1
        alone_s = self._figures.alone_s
        if self.is_guessing and self._seconds > (self._num_ids + _LOST_IDS) * alone_s:
            self._give_up()
        elif self._left <= 0:
            self._end()

    def _end(self) -> None:
        figures, mean_s = self._figures, self._seconds / self._num_ids
        if self.is_guessing:
            # Texts change as they go on: what comes before and after must both be slower.
            self._guessing_s = mean_s
            self._begin(guesses=False, length=_ALONE_IDS)
            return
        before_s, figures.alone_s = figures.alone_s or mean_s, mean_s
        least_s, guessing_s = min(before_s, mean_s), self._guessing_s
        self._guessing_s = 0.0
        if mean_s < _QUICKEST_S:
            self._begin(guesses=False, length=_LONGEST_REST)
        elif not guessing_s:
            figures.num_trials += 1
            self._begin(guesses=True, length=_TRIED_IDS)
        elif least_s > _LEAST_GAIN * guessing_s:
            self._rest = _FIRST_REST
            self._begin(guesses=True, length=_KEPT_IDS)
        else:
            self._give_up()

    def _give_up(self) -> None:
        self._figures.num_lost += 1
        self._begin(guesses=False, length=self._rest)
        self._rest = min(2 * self._rest, _LONGEST_REST)

    def _begin(self, *, guesses: bool, length: int) -> None:
        self.is_guessing, self._left = guesses, length
        self._num_ids, self._seconds = 0, 0.0


@dataclass
class DraftedCache:
    """What has been read, and what was only guessed.

    Attributes:
        large: of the large model.
        drafter: of the small one.
        unread: ids that the drafter has not seen.
        guesses: read by the large model ahead of their time.
        rows_TV: its scores behind each of them.
        num_used: guesses that came true.
        has_guessed: whether the drafter has read the prompt.
    """

    large: NativeCache
    drafter: _Drafter
    unread: list[int] = field(default_factory=list)
    guesses: list[int] = field(default_factory=list)
    rows_TV: Matrix | None = None
    num_used: int = 0
    has_guessed: bool = False


class DraftedEngine(ScoresInPieces):
    """Runs a large model, with the numbers that it has alone.

    Args:
        large: the model.
        small: guesses; the same ids.
        insists: whether it always guesses as much as it can, whether or not that pays.

    Attributes:
        figures: of all caches together.
    """

    def __init__(self, large: NativeEngine, small: Engine[Any], *, insists: bool = False) -> None:
        self.figures = DraftFigures()
        self._large = large
        self._small = small
        self._insists = insists
        self._trials = _Trials(self.figures)

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self._large.vocab_size

    def start(self) -> DraftedCache:
        """Return a cache of one row that has seen nothing."""
        return DraftedCache(self._large.start(), self._drafter())

    def branch(self, cache: DraftedCache, rows: Sequence[int]) -> DraftedCache:
        """Return a cache whose row i continues row rows[i]; it is read without guesses."""
        self._settle(cache)
        return DraftedCache(self._large.branch(cache.large, rows), self._drafter())

    def step(
        self, ids_T: Int64[np.ndarray, " time"], cache: DraftedCache, *, is_last_only: bool = False
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step. Id by id, those that come are guessed."""
        cache.unread += ids_T.tolist()
        if len(ids_T) > 1 or len(cache.large.sessions) > 1:
            self._settle(cache)
            return self._large.step(ids_T, cache.large, is_last_only=is_last_only)
        began = time.perf_counter()
        self.figures.num_ids += 1
        if not cache.guesses and not self._insists and not self._trials.is_guessing:
            found = self._large.step(ids_T, cache.large, is_last_only=True)
        else:
            found = self._helped(ids_T, cache)
        self._trials.took(time.perf_counter() - began)
        return found

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: DraftedCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row."""
        self._settle(cache)
        return self._large.step_rows(ids_B, cache.large)

    def step_together(
        self, ids_B: Int64[np.ndarray, " batch"], caches: Sequence[DraftedCache]
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to each of several caches; see Engine.step_together."""
        for token_id, cache in zip(ids_B.tolist(), caches, strict=True):
            self._settle(cache)
            cache.unread.append(token_id)
        return self._large.step_together(ids_B, [cache.large for cache in caches])

    def draw_each(
        self, logits_BV: Float32[np.ndarray, "batch vocab"], wishes: Sequence[Draw]
    ) -> list[int]:
        """Draw one id for each row of scores; see Engine.draw_each."""
        return self._large.draw_each(logits_BV, wishes)

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float64[np.ndarray, " _"]]:
        """Score a text; see Engine.surprisal_pieces."""
        return self._large.surprisal_pieces(ids_T)

    def _drafter(self) -> _Drafter:
        small = self._small
        if isinstance(small, NativeEngine) and small.context_tokens >= 4 * MOST_GUESSES:
            return _CompiledDrafter(small)
        return _AnyDrafter(small)

    def _helped(self, ids_T: Int64[np.ndarray, " time"], cache: DraftedCache) -> Matrix:
        """Return the scores behind an id that may have been guessed."""
        figures, token_id = self.figures, int(ids_T[0])
        if cache.num_used < len(cache.guesses):
            if cache.guesses[cache.num_used] == token_id:
                cache.num_used += 1
                figures.num_right += 1
                figures.is_right += (1.0 - _MEMORY) * (1.0 - figures.is_right)
                assert cache.rows_TV is not None  # noqa: S101 - read with the guesses
                return cache.rows_TV[cache.num_used : cache.num_used + 1]
            figures.is_right *= _MEMORY
        self._settle(cache)
        is_wanted = self._insists or self._trials.is_guessing
        has_room = self._large.native.room_ahead(cache.large.settled()[0]) > MOST_GUESSES
        if not is_wanted or not has_room:
            found: Matrix = self._large.step(ids_T, cache.large, is_last_only=True)
            return found
        count = max(_COUNTS, key=figures.gain) if figures.rows_s else _FIRST_GUESSES
        return self._guessed(token_id, cache, MOST_GUESSES if self._insists else count)

    def _guessed(self, token_id: int, cache: DraftedCache, count: int) -> Matrix:
        """Guess what follows an id, and read all of it together."""
        figures = self.figures
        began = time.perf_counter()
        cache.guesses = cache.drafter.guesses(cache.unread, count)
        cache.unread = []
        guessed = time.perf_counter()
        ids = np.array([token_id, *cache.guesses], dtype=np.int32)
        cache.rows_TV = self._large.native.read(cache.large.settled()[0], ids, False)
        reading_s = time.perf_counter() - guessed
        if cache.has_guessed:
            # The first time, the drafter read the prompt too.
            known = figures.guess_s or (guessed - began) / count
            figures.guess_s = _MEMORY * known + (1.0 - _MEMORY) * (guessed - began) / count
        cache.has_guessed = True
        known = figures.rows_s.get(count, reading_s)
        figures.rows_s[count] = _MEMORY * known + (1.0 - _MEMORY) * reading_s
        figures.num_guessed += count
        return cache.rows_TV[:1]

    def _settle(self, cache: DraftedCache) -> None:
        """Take back what was only guessed."""
        if not cache.guesses:
            return
        session = cache.large.settled()[0]
        self._large.native.cut(session, len(cache.guesses) - cache.num_used)
        cache.guesses, cache.rows_TV, cache.num_used = [], None, 0
