"""Asks a large model row by row, several at once, and writes what it says in order.

An answer is in the cache, on disk, before its row is written: whoever is stopped or killed goes on
without paying twice. What cannot be answered is written beside the output, with the reason.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sparrowlm.cooperation.labelling.jobs import Job, Work
from sparrowlm.cooperation.labelling.rows import RowFile
from sparrowlm.cooperation.labelling.state import LabellingState
from sparrowlm.cooperation.large import (
    Answer,
    AsyncLargeModel,
    AsyncMaskedLarge,
    Budget,
    LargeFailure,
    LargeSettings,
)
from sparrowlm.foundation.interrupts import StoppedBySignal, StopRequest, stop_on_signal
from sparrowlm.foundation.messages import Language, render
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.privacy import NamesIn, Vault

# These concern one row; after any other failure the next row would fail as well.
_OF_ONE_ROW = frozenset((
    "schema", "too-large", "bad-request", "broken", "empty", "in-stream", "wrong-model",
))  # fmt: skip
# These pass: the row is asked again after a rest.
_PASSING = frozenset(
    ("connect", "timeout", "deadline", "rate-limited", "server", "cut-off", "breaker")
)
# For how many rests of the circuit breaker a server may be away: two and a half minutes.
_LONGEST_OUTAGE_RESTS = 30


class LabellingStopped(StoppedBySignal):
    """A labelling ended early; the same command goes on with it."""

    def sentence(self, language: Language | None = None) -> str:
        """Say that all answers are kept."""
        return render("cooperation.large-stopped", {"path": self.saved_to}, language)


@dataclass(frozen=True, slots=True)
class LabellingReport:
    """What came of a labelling.

    Attributes:
        num_asked: questions.
        num_rows: rows written.
        num_failed: questions without an answer that can be used.
        num_known: questions answered before.
        calls: requests sent, of all runs into this output.
        cost: of all runs, in the currency of the prices.
        num_certain: rows with one label only, of those that were to have probabilities.
    """

    num_asked: int
    num_rows: int
    num_failed: int
    num_known: int
    calls: int
    cost: float
    num_certain: int = 0


@dataclass(slots=True)
class _Counts:
    asked: int = 0
    rows: int = 0
    failed: int = 0
    known: int = 0
    certain: int = 0


class _Asker:
    """Answers questions, masked where asked for, with rests where a server needs them."""

    def __init__(self, large: AsyncLargeModel, masks: bool, names_in: NamesIn | None) -> None:
        self._large = large
        self._masks = masks
        self._names_in = names_in

    async def answer(self, work: Work) -> Answer | LargeFailure:
        """Return the answer, or the failure that concerns this question alone.

        Raises:
            LargeFailure: no other question would be answered either.
        """
        rest_s = self._large.settings.persistence.breaker_rest_s
        given_up_s = time.monotonic() + _LONGEST_OUTAGE_RESTS * rest_s
        while True:
            try:
                if not self._masks:
                    return await self._large.ask(work.request)
                masked = AsyncMaskedLarge(self._large, Vault(names_in=self._names_in))
                return await masked.ask(work.request)
            except LargeFailure as failure:
                if failure.kind in _OF_ONE_ROW:
                    return failure
                if failure.kind not in _PASSING or time.monotonic() >= given_up_s:
                    raise
                await asyncio.sleep(rest_s)


def label(
    job: Job,
    settings: LargeSettings,
    output: Path,
    budget: Budget | None = None,
    masks: bool = False,
    names_in: NamesIn | None = None,
    progress: Progress | None = None,
    total: int | None = None,
) -> LabellingReport:
    """Write training data that a large model makes; called again it goes on where it was.

    Args:
        job: the questions.
        settings: of the large model; max_concurrent questions are asked at once.
        output: JSON lines; rows without a usable answer go to "OUT.failed.jsonl".
        budget: what may be spent, all runs into this output together; None: no limit.
        masks: whether personal data stay here.
        names_in: what is masked besides, see Vault.
        progress: told every question.
        total: number of questions, where it is known.

    Raises:
        LargeFailure: the budget is used up, or the server answers nobody.
        LabellingStopped: Ctrl-C; all that was paid for is kept.
        SettingError: the output belongs to another job.
    """
    digest = f"{job.digest()} {settings.url} {settings.model} {masks}"
    state = LabellingState(output, digest, budget or Budget(run="label"))
    try:
        with stop_on_signal() as stop:
            run = _Run(job, output, progress or SilentProgress(), stop)
            counts = asyncio.run(run.all(settings, state, masks, names_in, total))
        if stop.is_requested:
            raise LabellingStopped(stop.signal_number, output)
        spent = state.ledger.spent()
        return LabellingReport(
            counts.asked, counts.rows, counts.failed, counts.known, spent.calls, spent.cost,
            counts.certain,
        )  # fmt: skip
    finally:
        state.close()


class _Run:
    """One pass over the questions of a job."""

    def __init__(self, job: Job, output: Path, progress: Progress, stop: StopRequest) -> None:
        self._works = job.works()
        self._output = output
        self._progress = progress
        self._stop = stop
        self._counts = _Counts()

    async def all(
        self,
        settings: LargeSettings,
        state: LabellingState,
        masks: bool,
        names_in: NamesIn | None,
        total: int | None,
    ) -> _Counts:
        """Ask everything that is left and write it."""
        failed_path = self._output.with_name(self._output.name + ".failed.jsonl")
        stage = render("cooperation.large-labelling")
        self._progress.start(stage, total, render("cooperation.large-questions"))
        async with AsyncLargeModel(settings, state.ledger, state.cache) as large:
            asker = _Asker(large, masks, names_in)
            with RowFile(self._output) as rows, RowFile(failed_path) as failed:
                await self._asked(asker, settings.max_concurrent, rows, failed)
        if not self._counts.failed:
            failed_path.unlink(missing_ok=True)
        self._progress.finish()
        return self._counts

    async def _asked(self, asker: _Asker, num_at_once: int, rows: RowFile, failed: RowFile) -> None:
        waiting: deque[tuple[Work, asyncio.Task[Answer | LargeFailure]]] = deque()
        try:
            while True:
                for work in self._next(num_at_once - len(waiting)):
                    waiting.append((work, asyncio.create_task(asker.answer(work))))
                if not waiting:
                    return
                work, task = waiting[0]
                self._write(work, await task, rows, failed)
                waiting.popleft()
        finally:
            # What is under way is paid for already: let it end, and be kept.
            tasks = [task for _work, task in waiting]
            if tasks and not self._stop.is_requested:
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in tasks:
                task.cancel()

    def _next(self, count: int) -> Iterator[Work]:
        for _ in range(count):
            work = None if self._stop.is_requested else next(self._works, None)
            if work is None:
                return
            yield work

    def _write(
        self, work: Work, answer: Answer | LargeFailure, rows: RowFile, failed: RowFile
    ) -> None:
        self._counts.asked += 1
        if isinstance(answer, LargeFailure):
            self._counts.failed += 1
            failed.write({**work.row, "reason": answer.kind}, is_new=False)
        else:
            self._counts.known += answer.is_from_cache
            for line in work.lines(answer):
                self._counts.rows += 1
                self._counts.certain += len(line.get("probabilities", ())) == 1
                rows.write(line, is_new=not answer.is_from_cache)
        self._progress.advance(1)
