"""A long text read in overlapping windows, side by side, as if it had been fed id by id.

Windows of C ids begin every C - C // 2 ids; of each but the first only what follows its first
C // 2 ids counts, so every prediction sees at least C // 2 ids where there are that many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.threads import spread

# What one core scores at once: bounds memory, keeps matrix products large and inside the cache.
_TOKENS_AT_ONCE = 2048
_LOGITS_AT_ONCE = 4_000_000

# A recurrent network has no window of its own. Scoring a long text reads it in windows of so many
# ids, of which the first half only warms the state up, so that many windows run side by side.
SCORING_WINDOW = 1024

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Ids = np.ndarray[Any, np.dtype[np.int64]]


def window_predictions(
    ids_T: Int[np.ndarray, " time"],
    context_tokens: int,
    vocab_size: int,
    read: Callable[[Ids], Matrix],
    logits: Callable[[Matrix], Matrix],
) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
    """Yield log-probabilities of what follows each of ids_T[:-1], in order.

    Args:
        ids_T: the separator and a text.
        context_tokens: C.
        vocab_size: V, bounds how much is done at once.
        read: windows_BT -> states_BTD, each window from a fresh start.
        logits: states_TD -> logits_TV.
    """
    inputs_T = ids_T[:-1]
    num_inputs = len(inputs_T)
    window = min(context_tokens, num_inputs)
    if window == 0:
        return iter(())
    places = list(window_places(num_inputs, context_tokens))
    at_once = max(min(_TOKENS_AT_ONCE, _LOGITS_AT_ONCE // vocab_size) // window, 1)

    def scored(first: int) -> Matrix:
        chosen = places[first : first + at_once]
        starts_B = np.array([place.begin for place in chosen])
        # The last window may reach over the end: what it reads there counts for nothing.
        places_BT = np.minimum(starts_B[:, None] + np.arange(window), num_inputs - 1)
        states_BTD = read(inputs_T[places_BT].astype(np.int64))
        fresh = [
            states_BTD[row, place.fresh - place.begin : place.end - place.begin]
            for row, place in enumerate(chosen)
        ]
        return log_softmax(logits(np.concatenate(fresh)))

    return spread(scored, range(0, len(places), at_once))


class WindowPlace(NamedTuple):
    """A window of a text.

    Attributes:
        begin: its first id.
        fresh: the first id whose prediction counts.
        end: behind its last id.
    """

    begin: int
    fresh: int
    end: int


def window_places(num_inputs: int, context_tokens: int) -> Iterator[WindowPlace]:
    """Yield the windows of a text, in order; together their fresh ids are all ids once.

    Args:
        num_inputs: ids that are read.
        context_tokens: C.

    >>> list(window_places(7, 4))[1]
    WindowPlace(begin=2, fresh=4, end=6)
    """
    if num_inputs == 0:
        return
    window = min(context_tokens, num_inputs)
    stride = window - window // 2 if num_inputs > window else window
    num_windows = 1 + max(-(-(num_inputs - window) // stride), 0)
    for begin in range(0, num_windows * stride, stride):
        fresh = begin + window - stride if begin else 0
        yield WindowPlace(begin, fresh, min(begin + window, num_inputs))
