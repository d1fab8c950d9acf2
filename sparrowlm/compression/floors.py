"""A counting part of a model in several sizes, and what each of them costs the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from sparrowlm.compression.choices import Choice
from sparrowlm.compression.encoders import divergence
from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress

PERCENT = (100, 75, 55, 40, 30, 22, 16, 12, 9, 6, 4, 2)

Part = TypeVar("Part")
Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class SizeWays(Generic[Part]):
    """Ways to store a part.

    Attributes:
        parts: by the percentage of bytes that was asked for.
        choices: the same with bytes and costs.
    """

    parts: Mapping[int, Part]
    choices: Sequence[Choice]


def size_ways(
    part: Part,
    smaller: Callable[[int], Part | None],
    num_bytes: Callable[[Part], int],
    answers: Callable[[Part], Float64[np.ndarray, "answers kinds"]],
    progress: Progress,
) -> SizeWays[Part]:
    """Make a part smaller and smaller and measure what that costs.

    Args:
        part: as it is.
        smaller: the same within so many bytes; None where that cannot be.
        num_bytes: what a part takes.
        answers: what the task answers with a part, rows that sum to 1, always to the same texts.
        progress: told about it.
    """
    progress.start(say("compression.pruning-features"), len(PERCENT), say("compression.unit-sizes"))
    whole, given = num_bytes(part), answers(part)
    parts, choices = {100: part}, [Choice(100, whole, 0.0)]
    progress.advance(1)
    for percent in PERCENT[1:]:
        found = smaller(whole * percent // 100)
        progress.advance(1)
        if found is None:
            break
        parts[percent] = found
        choices.append(Choice(percent, num_bytes(found), divergence(given, answers(found))))
    progress.finish()
    return SizeWays(parts, choices)
