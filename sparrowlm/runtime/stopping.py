"""Text that waits until no stop string can begin in it any more."""

from __future__ import annotations

from collections.abc import Sequence


class StopWatch:
    """Lets text pass until a stop string appears, and nothing of the string itself.

    What could be the beginning of a stop string is held back until it is decided.

    Args:
        stop: strings, none empty.

    >>> watch = StopWatch(["END"])
    >>> [watch.feed("an E"), watch.feed("N"), watch.feed("d EN"), watch.feed("D!")]
    ['an ', '', 'ENd ', '']
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.has_stopped = False

    def feed(self, text: str) -> str:
        """Take more text and return what is certainly outside of every stop string."""
        if self.has_stopped:
            return ""
        self._held += text
        places = [place for stop in self._stop if (place := self._held.find(stop)) >= 0]
        if places:
            self.has_stopped = True
            released, self._held = self._held[: min(places)], ""
            return released
        released = self._held[: len(self._held) - self._num_undecided()]
        self._held = self._held[len(released) :]
        return released

    def finish(self) -> str:
        """Return what was held back: no stop string came of it."""
        released, self._held = self._held, ""
        return released

    def _num_undecided(self) -> int:
        longest = 0
        for stop in self._stop:
            for length in range(min(len(stop) - 1, len(self._held)), longest, -1):
                if self._held.endswith(stop[:length]):
                    longest = length
                    break
        return longest
