"""The sizes of one version of a model: written, opened, measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparrowlm.api.compressing_encoder import EncoderCompression
from sparrowlm.api.compressing_tasks import TaskCompression
from sparrowlm.api.compressing_text import TextCompression
from sparrowlm.api.compression_figures import Figures
from sparrowlm.compression.choices import Choice, best_choices, least_bytes
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress

_MOST_TRIES, _PLOTTED_SIZES = 7, 6
# Room for the facts that are written in the end.
_FACTS_BYTES = 2048


Compressible = TextCompression | TaskCompression | EncoderCompression


@dataclass(frozen=True)
class Found:
    """A file that was measured.

    Attributes:
        chosen: for every part of the model.
        losses: of the file.
        num_bytes: of the file.
    """

    chosen: Mapping[str, Choice]
    losses: Figures
    num_bytes: int

    def loss_share(self, before: Any) -> float:  # noqa: ANN401 - figures of the same kind
        """Return by which share of what was before it is worse."""
        return self.losses.loss_share(before)


class Search:
    """Looks for a size.

    Args:
        model: a version of the model.
        before: what the whole model loses.
        place: of the file to try with.
        progress: told about the tries.

    Attributes:
        model: see above.
        fixed_bytes: what the file takes beside what can be chosen.
        tries: everything that was measured.
    """

    def __init__(
        self,
        model: Compressible,
        before: Figures,
        place: Path,
        progress: Progress,
    ) -> None:
        self.model, self._before, self._place, self._progress = model, before, place, progress
        self.tries: list[Found] = []
        self.fixed_bytes = self._bytes_of_the_rest()

    def of(self, version: TextCompression) -> Search:
        """Return a search among the sizes of another version."""
        return Search(version, self._before, self._place, self._progress)

    def reached(self, most_bytes: int | None, max_loss: float | None) -> Found | None:
        """Return the best that fits, or the smallest that is good enough.

        Args:
            most_bytes: of the file; None where max_loss decides.
            max_loss: share of what was before that may be lost.

        Returns:
            None where the version does not become so small; where nothing is good enough the
            largest.
        """
        if most_bytes is None:
            return self._smallest_good(max_loss or 0.0)
        return self.tried(most_bytes) if most_bytes >= self.extremes()[0] else None

    def extremes(self) -> tuple[int, int]:
        """Return the sizes of the files with the least and with the most of everything."""
        choices = self.model.choices
        most = sum(max(choice.num_bytes for choice in ways) for ways in choices.values())
        return self.fixed_bytes + least_bytes(choices), self.fixed_bytes + most

    def try_further_sizes(self) -> None:
        """Measure sizes between the extremes."""
        low, high = self.extremes()
        steps = range(1, _PLOTTED_SIZES)
        sizes = [low, *(round(low * (high / low) ** (n / _PLOTTED_SIZES)) for n in steps), high]
        self._progress.start(say("compression.trying"), len(sizes), say("compression.unit-tries"))
        for size in sizes:
            self.tried(size)
        self._progress.finish()

    def tried(self, most_bytes: int) -> Found:
        """Write the best file of at most so many bytes, open it and measure it."""
        chosen = best_choices(self.model.choices, most_bytes - self.fixed_bytes)
        self.model.write(self._place, chosen, {})
        losses = self.model.losses(self._place)
        self._progress.advance(1)
        found = Found(chosen, losses, self._place.stat().st_size)
        self.tries.append(found)
        return found

    def _bytes_of_the_rest(self) -> int:
        choices = self.model.choices
        smallest = best_choices(choices, least_bytes(choices))
        self.model.write(self._place, smallest, {})
        taken = sum(choice.num_bytes for choice in smallest.values())
        return self._place.stat().st_size - taken + _FACTS_BYTES

    def _smallest_good(self, allowed: float) -> Found:
        """Return the smallest that loses no more than was allowed, between the two extremes."""
        low, high = self.extremes()
        stage = say("compression.trying")
        self._progress.start(stage, _MOST_TRIES + 2, say("compression.unit-tries"))
        best = self.tried(low)
        if best.loss_share(self._before) > allowed:
            best = self.tried(high)
            for _ in range(_MOST_TRIES):
                if high - low < max(high // 100, _FACTS_BYTES):
                    break
                middle = (low + high) // 2
                found = self.tried(middle)
                if found.loss_share(self._before) <= allowed:
                    best, high = found, middle
                else:
                    low = middle
        self._progress.finish()
        return best
