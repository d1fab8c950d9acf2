"""Progress of long work: silent, one live line on a terminal, or a plain line now and then.

Talk goes to stderr; results alone go to stdout.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Protocol, cast, runtime_checkable

from sparrowlm.foundation.messages import say
from sparrowlm.foundation.quantities import format_duration

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, Task

_PLAIN_INTERVAL_SECONDS = 10.0
_STAGE_WIDTH_CELLS = 24


@runtime_checkable
class TextStream(Protocol):
    """The part of a text file that talk needs."""

    def write(self, text: str, /) -> int:
        """Take text and return its length."""
        ...

    def flush(self) -> None:
        """Pass on what was written."""
        ...

    def isatty(self) -> bool:
        """Say whether a person's terminal is at the other end."""
        ...


@runtime_checkable
class Progress(Protocol):
    """What long work reports to; stages follow one another and never nest."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Begin a stage, ending the one before.

        Args:
            stage: a few words in the user's language.
            total: number of units to come; None when nobody knows.
            unit: what is counted, e.g. "MB" or "steps".
        """
        ...

    def advance(self, n: int) -> None:
        """Count n more units as done."""
        ...

    def note(self, text: str) -> None:
        """Say one line without disturbing the display."""
        ...

    def finish(self) -> None:
        """End the stage; harmless when none is running."""
        ...


class SilentProgress:
    """Progress that nobody watches."""

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Ignore the stage."""

    def advance(self, n: int) -> None:
        """Ignore the units."""

    def note(self, text: str) -> None:
        """Ignore the line."""

    def finish(self) -> None:
        """Do nothing."""


class PlainProgress:
    """Plain lines for logs and pipes: at the end of a stage and about every ten seconds.

    Args:
        stream: where lines go; None means the stderr of the moment.
        interval_seconds: shortest time between two lines of one stage.
        clock: monotonic seconds, replaced in tests.
    """

    def __init__(
        self,
        stream: TextStream | None = None,
        interval_seconds: float = _PLAIN_INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._stage: str | None = None

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Begin a stage."""
        self.finish()
        self._stage, self._total, self._unit, self._done = stage, total, unit, 0
        self._began = self._last_line = self._clock()

    def advance(self, n: int) -> None:
        """Count n more units, and say so when the last line is old enough."""
        if self._stage is None:
            return
        self._done += n
        now = self._clock()
        if now - self._last_line >= self._interval_seconds:
            self._last_line = now
            self.note(self._line(now - self._began))

    def note(self, text: str) -> None:
        """Write one line."""
        stream = self._stream or sys.stderr
        stream.write(text + "\n")
        stream.flush()

    def finish(self) -> None:
        """End the stage with one line that says how long it took."""
        if self._stage is None:
            return
        elapsed_seconds = self._clock() - self._began
        counted = _counted(self._done, None, self._unit)
        took = say("foundation.took", duration=format_duration(elapsed_seconds))
        self.note(f"{self._stage}  {counted}  {took}")
        self._stage = None

    def _line(self, elapsed_seconds: float) -> str:
        parts = [str(self._stage), _counted(self._done, self._total, self._unit)]
        parts.append(_time_left(self._done, self._total, elapsed_seconds))
        return "  ".join(parts)


class TerminalProgress:
    """One live line on a terminal: stage, bar, count, time left. Chinese keeps its columns.

    Args:
        stream: a terminal; None means the stderr of the moment.
    """

    def __init__(self, stream: TextStream | None = None) -> None:
        from rich.console import Console

        self._console = Console(file=cast("IO[str]", stream or sys.stderr), highlight=False)
        self._live: RichProgress | None = None

    def start(self, stage: str, total: int | None, unit: str) -> None:
        """Begin a stage."""
        from rich.cells import set_cell_size
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column

        self.finish()
        self._live = RichProgress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=24),
            _column_of_text(self._counted_text),
            _column_of_text(self._time_left_text),
            console=self._console,
        )
        self._unit = unit
        self._live.add_task(set_cell_size(stage, _STAGE_WIDTH_CELLS), total=total)
        self._live.start()

    def advance(self, n: int) -> None:
        """Count n more units."""
        if self._live is not None:
            self._live.advance(self._live.task_ids[0], n)

    def note(self, text: str) -> None:
        """Print one line above the live line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def finish(self) -> None:
        """End the stage and leave its line standing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _counted_text(self, task: Task) -> str:
        total = None if task.total is None else int(task.total)
        return _counted(int(task.completed), total, self._unit)

    def _time_left_text(self, task: Task) -> str:
        elapsed_seconds = task.elapsed or 0.0
        if task.finished or (self._live is not None and not self._live.live.is_started):
            return say("foundation.took", duration=format_duration(elapsed_seconds))
        total = None if task.total is None else int(task.total)
        return _time_left(int(task.completed), total, elapsed_seconds)


def watching_progress(stream: TextStream | None = None) -> Progress:
    """Choose the display that fits the stream: live on a terminal, plain lines elsewhere.

    Args:
        stream: where to talk; None means stderr.
    """
    if (stream or sys.stderr).isatty():
        return TerminalProgress(stream)
    return PlainProgress(stream)


def _counted(done: int, total: int | None, unit: str) -> str:
    return f"{done:,} {unit}" if total is None else f"{done:,}/{total:,} {unit}"


def _time_left(done: int, total: int | None, elapsed_seconds: float) -> str:
    if total is None or done <= 0:
        return say("foundation.took", duration=format_duration(elapsed_seconds))
    left_seconds = elapsed_seconds * max(total - done, 0) / done
    return say("foundation.time-left", duration=format_duration(left_seconds))


def _column_of_text(text_of: Callable[[Task], str]) -> ProgressColumn:
    from rich.progress import ProgressColumn
    from rich.table import Column
    from rich.text import Text

    class TextOfTask(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(text_of(task))

    return TextOfTask(table_column=Column(no_wrap=True))
