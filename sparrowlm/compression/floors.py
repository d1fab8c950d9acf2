"""A counting part of a model in several sizes, and what each of them costs the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from sparrowlm.compression.choices import Choice, Way
from sparrowlm.compression.encoders import divergence
from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress

# Of a part that is left.
PERCENT = (100, 75, 55, 40, 30, 22, 16, 12, 9, 6, 4, 2)

Part = TypeVar("Part")


@dataclass(frozen=True)
class SizeWays(Generic[Part]):
    """Ways to store a part.

    Attributes:
        parts: by way.
        choices: the same with bytes and costs.
    """

    parts: Mapping[Way, Part]
    choices: Sequence[Choice]


def size_ways(
    makers: Mapping[Way, Callable[[], Part | None]],
    num_bytes: Callable[[Part], int],
    answers: Callable[[Part], Float64[np.ndarray, "answers kinds"]],
    progress: Progress,
) -> SizeWays[Part]:
    """Make a part smaller and smaller and measure what that costs.

    Args:
        makers: of the part in every way, as it is first; None where that cannot be.
        num_bytes: what a part takes.
        answers: what the task answers with a part, rows that sum to 1, always to the same texts.
        progress: told about it.
    """
    progress.start(say("compression.pruning-features"), len(makers), say("compression.unit-sizes"))
    given: np.ndarray[Any, np.dtype[np.float64]] | None = None
    parts, choices = {}, []
    for way, make in makers.items():
        found = make()
        progress.advance(1)
        if found is None:
            continue
        answered = answers(found)
        given = answered if given is None else given
        parts[way] = found
        choices.append(Choice(way, num_bytes(found), divergence(given, answered)))
    progress.finish()
    return SizeWays(parts, choices)
