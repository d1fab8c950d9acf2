"""How many threads a run should use while other programs come and go.

A product shared by two threads is as slow as the slower of them. Where another program takes one
of the cores, every one of the hundreds of products of a step waits for the system to bring the
second thread back: ten times slower than one thread alone. So a run that must keep a time looks at
its own steps, and tries the other number when they have become slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import torch

_WINDOW_STEPS = 8
_TRIAL_STEPS = 4
# Steps this much slower than the best ever seen call for a trial; not again for a while.
_SLOWDOWN = 1.5
_REST_STEPS = 150


@contextmanager
def threads(num_threads: int | None) -> Iterator[None]:
    """Use a number of threads inside the block; None leaves it alone."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class ThreadChooser:
    """Watches the durations of steps and switches between all threads and one.

    Args:
        num_cores: the larger choice.
    """

    def __init__(self, num_cores: int) -> None:
        self._choices = (1, max(num_cores, 1))
        self._recent: list[float] = []
        self._best = float("inf")
        self._rest = 0
        self._before_trial: tuple[int, float] | None = None

    def after_step(self, seconds: float) -> None:
        """Take in how long a step took, and set torch's threads for the next.

        Args:
            seconds: duration of the step alone.
        """
        self._rest -= 1
        self._recent.append(seconds)
        if self._before_trial is not None:
            if len(self._recent) >= _TRIAL_STEPS:
                self._judge_trial(*self._before_trial)
            return
        if len(self._recent) < _WINDOW_STEPS:
            return
        now = median(self._recent[-_WINDOW_STEPS:])
        self._recent = self._recent[-_WINDOW_STEPS:]
        self._best = min(self._best, now)
        if (
            now > _SLOWDOWN * self._best
            and self._rest <= 0
            and self._choices[0] != self._choices[1]
        ):
            current = torch.get_num_threads()
            self._before_trial = (current, now)
            self._set(self._choices[1] if current == self._choices[0] else self._choices[0])

    def _judge_trial(self, threads_before: int, seconds_before: float) -> None:
        # The first step after a switch starts threads and is not counted.
        if median(self._recent[1:]) > 0.9 * seconds_before:
            self._set(threads_before)
        self._before_trial = None
        self._recent = []
        self._rest = _REST_STEPS

    def _set(self, num_threads: int) -> None:
        torch.set_num_threads(num_threads)
        self._recent = []
