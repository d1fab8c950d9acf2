"""Ctrl-C and SIGTERM: the first asks for a clean end, the second ends at once.

with stop_on_signal() as stop:
    for step in steps:
        ...
        if stop.is_requested:
            save()
            raise StoppedBySignal(stop.signal_number, saved_to=directory)
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sparrowlm.foundation.messages import Language, render, say

_STDERR_DESCRIPTOR = 2


class StoppedBySignal(KeyboardInterrupt):
    """Work ended early and cleanly because the person or the system asked for it.

    Args:
        signal_number: SIGINT or SIGTERM.
        saved_to: directory that --resume continues from; None when nothing was saved.
    """

    def __init__(self, signal_number: int = signal.SIGINT, saved_to: Path | None = None) -> None:
        self.exit_code = 128 + signal_number
        self.saved_to = saved_to
        super().__init__()

    def sentence(self, language: Language | None = None) -> str:
        """Say in one sentence that the work stopped, and how to continue it."""
        if self.saved_to is None:
            return render("foundation.stopped", {}, language)
        return render("foundation.stopped-and-saved", {"path": self.saved_to}, language)

    def __str__(self) -> str:
        return self.sentence()


class StopRequest:
    """What a long job looks at between two steps.

    Attributes:
        is_requested: True after the first signal (or after request()).
        signal_number: the signal that asked, SIGINT when request() was called.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self.is_requested = False
        self.signal_number = int(signal.SIGINT)
        self._announce = announce

    def request(self, signal_number: int = signal.SIGINT) -> None:
        """Ask the job to save and end; asking again interrupts it where it is.

        Raises:
            KeyboardInterrupt: at the second request.
        """
        if self.is_requested:
            raise StoppedBySignal(signal_number)
        self.is_requested = True
        self.signal_number = signal_number
        self._announce(say("foundation.stopping"))


def _write_to_stderr(text: str) -> None:
    # os.write: a signal may arrive inside a buffered write, which must not be entered again.
    try:
        os.write(_STDERR_DESCRIPTOR, f"\n{text}\n".encode())
    except OSError:
        # stderr is closed: there is nobody to tell, and the request still holds.
        return


@contextmanager
def stop_on_signal(announce: Callable[[str], None] = _write_to_stderr) -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request for the duration of the block.

    Outside the main thread Python allows no signal handlers: there the request never comes from a
    signal, and Ctrl-C reaches the main thread as usual.

    Args:
        announce: told one sentence when the first signal comes; must be safe in a signal handler.

    Yields:
        The request to look at between steps.
    """
    stop = StopRequest(announce)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(signal_number: int, _frame: FrameType | None) -> None:
        stop.request(signal_number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            # A handler installed from C cannot be put back from Python: it reads as None.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
