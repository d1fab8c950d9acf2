"""Which words are left out, and which are drawn as counterexamples.

Source: Mikolov et al. 2013, arXiv:1310.4546, sections 2.2 and 2.3; Walker 1977, "An efficient
method for generating discrete random variables with general distributions" (alias tables).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.models.word_vectors.settings import WordVectorSettings

_WHOLE = 2**32

Whole = np.ndarray[Any, np.dtype[np.uint32]]
Counts = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Draws:
    """Probabilities as whole numbers of 2**-32, so that draws are the same everywhere.

    Args:
        keep_limits: an id stays when 32 random bits are at most this.
        noise_limits: of the alias table: a column is kept when 32 random bits are below this,
        noise_others: else the id is this.
    """

    keep_limits: Whole
    noise_limits: Whole
    noise_others: Whole


def draws_of(counts_V: Counts, settings: WordVectorSettings) -> Draws:
    """Make the tables from occurrences per id; the separator (id 0) is never drawn."""
    words_V = counts_V.astype(np.float64)
    words_V[0] = 0
    keep_V = np.ones(len(words_V))
    if settings.frequent_share > 0:
        allowed = settings.frequent_share * max(words_V.sum(), 1.0)
        ratio_V = allowed / np.maximum(words_V, 1.0)
        keep_V = np.minimum(np.sqrt(ratio_V) + ratio_V, 1.0)
    keep_limits = np.minimum(np.floor(keep_V * _WHOLE), _WHOLE - 1).astype(np.uint32)
    weights_V = np.where(words_V > 0, np.maximum(words_V, 1.0) ** settings.noise_power, 0.0)
    if weights_V.sum() == 0:
        weights_V[-1] = 1.0
    return Draws(keep_limits, *_alias_table(weights_V / weights_V.sum()))


def _alias_table(probabilities_V: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[Whole, Whole]:
    """Divide every column of equal width between its own id and one other."""
    heights = (probabilities_V * len(probabilities_V)).tolist()
    others = list(range(len(heights)))
    limits = [_WHOLE - 1] * len(heights)
    low = [i for i, height in enumerate(heights) if height < 1]
    high = [i for i, height in enumerate(heights) if height >= 1]
    while low and high:
        short, tall = low.pop(), high[-1]
        limits[short] = min(int(heights[short] * _WHOLE), _WHOLE - 1)
        others[short] = tall
        heights[tall] -= 1 - heights[short]
        if heights[tall] < 1:
            low.append(high.pop())
    return np.array(limits, dtype=np.uint32), np.array(others, dtype=np.uint32)
