"""From ids to an n-gram model: order chosen on held-out text, discounts refined, size kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64, Integer
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.interrupts import StoppedBySignal, StopRequest, stop_on_signal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.models.ngram.checkpoints import CountCheckpoints, fingerprint
from sparrowlm.models.ngram.counting import (
    SEPARATOR,
    CountState,
    Level,
    available_context,
    countable,
    first_level,
    next_level,
)
from sparrowlm.models.ngram.model import NgramModel
from sparrowlm.models.ngram.pruning import pruned_to_size
from sparrowlm.models.ngram.scoring import event_statistics
from sparrowlm.models.ngram.smoothing import estimated_discounts, refined_discounts
from sparrowlm.models.ngram.table import compacted

MAXIMUM_ORDER = 32
_DEFAULT_MAXIMUM_ORDER = 12
# Texts with fewer ids give no held-out part worth choosing by.
_LEAST_IDS_TO_CHOOSE = 400
_ORDER_WITHOUT_CHOICE = 4
_HELD_OUT_SHARE = 0.05
_HELD_OUT_BLOCKS = 10
_MOST_HELD_OUT_IDS = 40_000
# A higher order must save this much, or the smaller model is kept.
_LEAST_GAIN_NATS = 2e-4
_STEPS_TO_COMPARE = 25
_STEPS_TO_REFINE = 100

Ids = np.ndarray[Any, np.dtype[Any]]
Discounts = Float64[np.ndarray, "orders classes"]


@dataclass(frozen=True)
class _Choice:
    order: int
    discounts_NC: Discounts
    nats: float


def train_ngram(
    ids: Integer[np.ndarray, " time"],
    vocab_size: int,
    *,
    order: int | None = None,
    max_order: int = _DEFAULT_MAXIMUM_ORDER,
    held_out: Integer[np.ndarray, " held"] | None = None,
    max_bytes: int | None = None,
    progress: Progress | None = None,
    checkpoint_directory: Path | None = None,
) -> NgramModel:
    """Count a text and smooth the counts.

    Without an order, the order and the discounts are chosen on held_out, or on a twentieth of the
    text (ten pieces of it), after which all of the text is counted again. With an order and without
    held_out the discounts are Chen and Goodman's estimates.

    Args:
        ids: the text, whole numbers from 0 to vocab_size - 1; 0 is the separator of documents.
        vocab_size: V.
        order: N; longest n-gram, 1 to 32.
        max_order: highest order tried when order is None.
        held_out: text to choose order and discounts on, never counted.
        max_bytes: longest file; n-grams that matter least are dropped until it fits.
        progress: told about every order.
        checkpoint_directory: where counted orders are kept; a killed call made again continues
            after the last one and ends with the same bits.

    Returns:
        The model, the same with and without the compiled part.

    Raises:
        DataError: the ids cannot be counted.
        SettingError: an option is out of range, or even single ids do not fit max_bytes.
        StoppedBySignal: Ctrl-C, after the order at work.
    """
    _check_options(vocab_size, order, max_order)
    text = countable(np.asarray(ids), vocab_size)
    checked = None if held_out is None else countable(np.asarray(held_out), vocab_size)
    with _counter(vocab_size, progress or SilentProgress(), checkpoint_directory) as counter:
        levels, discounts_NC = _counted(counter, text, checked, order, max_order)
        return counter.finish(levels, discounts_NC, max_bytes)


def _counted(
    counter: _Counter, text: Ids, held_out: Ids | None, order: int | None, max_order: int
) -> tuple[tuple[Level, ...], Discounts]:
    """Count text; choose order and discounts as train_ngram promises."""
    if order is None and held_out is None and len(text) < _LEAST_IDS_TO_CHOOSE:
        order = min(_ORDER_WITHOUT_CHOICE, max_order)
    if order is not None:
        levels = counter.count(text, order, "text")
        discounts_NC = _estimates(levels)
        if held_out is not None:
            discounts_NC = counter.refine(levels, discounts_NC, held_out).discounts_NC
        return levels, discounts_NC
    if held_out is not None:
        choice, state = counter.choose(text, held_out, max_order, "text")
        return state.levels[: choice.order], choice.discounts_NC
    part, kept_apart = _held_out_part(text)
    choice, _ = counter.choose(part, kept_apart, max_order, "part")
    return counter.count(text, choice.order, "text"), choice.discounts_NC


def recount_ngram(
    model: NgramModel,
    ids: Integer[np.ndarray, " time"],
    *,
    max_bytes: int | None = None,
    progress: Progress | None = None,
    checkpoint_directory: Path | None = None,
) -> NgramModel:
    """Count another text (say, with the held-out part) in the order and discounts of a model.

    Args:
        model: whose choices are kept.
        ids: as for train_ngram.
        max_bytes: as for train_ngram.
        progress: told about every order.
        checkpoint_directory: as for train_ngram.

    Raises:
        DataError: the ids cannot be counted.
        SettingError: even single ids do not fit max_bytes.
        StoppedBySignal: Ctrl-C, after the order at work.
    """
    text = countable(np.asarray(ids), model.vocab_size)
    progress = progress or SilentProgress()
    with _counter(model.vocab_size, progress, checkpoint_directory) as counter:
        levels = counter.count(text, model.order, "text")
        return counter.finish(levels, model.discounts_NC, max_bytes)


def _check_options(vocab_size: int, order: int | None, max_order: int) -> None:
    for name, received in (("vocab_size", vocab_size), ("order", order), ("max_order", max_order)):
        if received is not None and received < 1:
            raise SettingError("foundation.number-range", name=name, received=received, minimum=1)
    if max(order or 1, max_order) > MAXIMUM_ORDER:
        received = max(order or 1, max_order)
        raise SettingError("models.order-too-high", received=received, maximum=MAXIMUM_ORDER)


@contextmanager
def _counter(vocab_size: int, progress: Progress, directory: Path | None) -> Iterator[_Counter]:
    with stop_on_signal() as stop:
        counter = _Counter(vocab_size, progress, directory, stop)
        try:
            yield counter
        finally:
            progress.finish()


class _Counter:
    """Counts texts order by order; knows where to keep them and when to stop."""

    def __init__(
        self, vocab_size: int, progress: Progress, directory: Path | None, stop: StopRequest
    ) -> None:
        self._vocab_size = vocab_size
        self._progress = progress
        self._directory = directory
        self._stop = stop

    def _states(self, text: Ids, max_order: int, stage: str) -> Iterator[CountState]:
        """Yield the counts after every order, those of an interrupted run at once."""
        available_T = available_context(text, max_order)
        mark = "" if self._directory is None else fingerprint(text, self._vocab_size)
        checkpoints = CountCheckpoints(self._directory, stage, mark)
        saved = checkpoints.load()
        num_saved = 0 if saved is None else len(saved.levels)
        if saved is not None:
            self._progress.note(say("models.ngram-resumed", order=num_saved))
            for order in range(1, num_saved):
                yield CountState(saved.levels[:order], saved.nodes_T)
        state = saved
        for order in range(max(num_saved, 1), max_order + 1):
            if order > num_saved:
                self._progress.start(say("models.ngram-counting", order=order), len(text), "ids")
                first = first_level(text, self._vocab_size) if state is None else None
                state = first or next_level(state, text, available_T)  # type: ignore[arg-type]
                checkpoints.save(state)
                self._progress.advance(len(text))
                if self._stop.is_requested:
                    raise StoppedBySignal(self._stop.signal_number, saved_to=self._directory)
            assert state is not None  # noqa: S101 - our own invariant, for mypy
            yield state

    def count(self, text: Ids, order: int, stage: str) -> tuple[Level, ...]:
        """Count all orders up to one."""
        for state in self._states(text, order, stage):
            if len(state.levels) == order:
                return state.levels
        raise AssertionError(order)

    def choose(
        self, text: Ids, held_out: Ids, max_order: int, stage: str
    ) -> tuple[_Choice, CountState]:
        """Count order after order until held-out text gets no more probable."""
        best: _Choice | None = None
        for state in self._states(text, max_order, stage):
            levels = state.levels
            start_NC = _estimates(levels)
            if best is not None and best.order > 1:
                # All orders but the two highest are what they were before.
                start_NC[: best.order - 1] = best.discounts_NC[:-1]
            found = self.refine(levels, start_NC, held_out, _STEPS_TO_COMPARE)
            if best is not None and found.nats > best.nats - _LEAST_GAIN_NATS:
                break
            best = found
        assert best is not None  # noqa: S101 - max_order is at least 1
        best = self.refine(state.levels[: best.order], best.discounts_NC, held_out)
        self._progress.note(say("models.ngram-order-chosen", order=best.order, nats=best.nats))
        return best, state

    def refine(
        self,
        levels: tuple[Level, ...],
        discounts_NC: Discounts,
        held_out: Ids,
        num_steps: int = _STEPS_TO_REFINE,
    ) -> _Choice:
        """Refine discounts on held-out text."""
        table = compacted(levels, [None] * len(levels), self._vocab_size)
        sample = _sample(held_out)
        statistics = [one.rows(1) for one in event_statistics(table, sample.astype(np.int64))]
        better_NC, nats = refined_discounts(discounts_NC, statistics, self._vocab_size, num_steps)
        return _Choice(len(levels), better_NC, nats)

    def finish(
        self, levels: tuple[Level, ...], discounts_NC: Discounts, max_bytes: int | None
    ) -> NgramModel:
        """Make the model, inside its size, and tidy the checkpoints away."""
        table = compacted(levels, [None] * len(levels), self._vocab_size)
        if max_bytes is not None:
            table = pruned_to_size(table, levels, discounts_NC, max_bytes, self._progress)
        for stage in ("part", "text"):
            CountCheckpoints(self._directory, stage, "").clear()
        return NgramModel(table, discounts_NC)


def _estimates(levels: tuple[Level, ...]) -> Discounts:
    """Chen and Goodman's discounts: of adjusted counts, and of occurrences at the highest order."""
    rows = [estimated_discounts(level.adjusted) for level in levels[:-1]]
    return np.array([*rows, estimated_discounts(levels[-1].counts)], dtype=np.float64)


def _sample(held_out: Ids) -> Ids:
    """Take evenly spread pieces of long held-out texts."""
    if len(held_out) <= _MOST_HELD_OUT_IDS:
        return held_out
    size = _MOST_HELD_OUT_IDS // _HELD_OUT_BLOCKS
    starts = np.linspace(0, len(held_out) - size, _HELD_OUT_BLOCKS).astype(np.int64)
    return np.concatenate([held_out[start : start + size] for start in starts])


def _held_out_part(text: Ids) -> tuple[Ids, Ids]:
    """Divide a text into what is counted and ten pieces to choose by, cut off by separators."""
    cut = np.array([SEPARATOR], dtype=text.dtype)
    ends = np.linspace(0, len(text), _HELD_OUT_BLOCKS + 1).astype(np.int64)
    size = max(1, int(len(text) / _HELD_OUT_BLOCKS * _HELD_OUT_SHARE))
    counted, apart = [], []
    for start, end in itertools.pairwise(ends):
        counted += [cut, text[start : end - size]]
        apart += [cut, text[end - size : end]]
    # The text itself begins with the separator.
    return np.concatenate(counted[1:]), np.concatenate(apart)
