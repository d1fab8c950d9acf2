"""Bits per character with a 95 % interval over blocks of the text.

Neighbouring characters are not independent, so the spread is taken between blocks of a few hundred
tokens. The mean is a ratio of two sums, nats over characters; its variance by linearisation.

Source: Cochran 1977, "Sampling Techniques", section 6.4 (ratio estimates).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.runtime.scoring import BITS_PER_NAT

BLOCK_TOKENS = 512
_NORMAL_QUANTILE = 1.959963984540054

Losses = np.ndarray[Any, np.dtype[np.float64]]


@dataclass
class BitsPerCharacter:
    """Gathers losses document by document.

    Attributes:
        block_nats: sum of losses of every block.
        block_characters: its characters.
        num_documents: documents added.
    """

    block_nats: list[float] = field(default_factory=list)
    block_characters: list[float] = field(default_factory=list)
    num_documents: int = 0

    def add(
        self,
        surprisals_T: Float64[np.ndarray, " tokens"],
        characters_T: Float64[np.ndarray, " tokens"],
    ) -> None:
        """Add one document.

        Args:
            surprisals_T: -ln p of every token, nats.
            characters_T: how many characters begin in every token.
        """
        starts = np.arange(0, len(surprisals_T), BLOCK_TOKENS)
        self.block_nats += np.add.reduceat(surprisals_T, starts).tolist()
        self.block_characters += np.add.reduceat(characters_T, starts).tolist()
        self.num_documents += 1

    def result(self) -> dict[str, float | int]:
        """Return the figures.

        Returns:
            bits_per_character with the interval's two ends (equal to it where there is only one
            block), nats_per_character, num_characters, num_documents.
        """
        nats_N, characters_N = np.array(self.block_nats), np.array(self.block_characters)
        bits, half_width = ratio_interval(nats_N, characters_N)
        return {
            "bits_per_character": bits,
            "interval_low": max(bits - half_width, 0.0),
            "interval_high": bits + half_width,
            "nats_per_character": bits / BITS_PER_NAT,
            "num_characters": int(max(float(characters_N.sum()), 1.0)),
            "num_documents": self.num_documents,
        }


def ratio_interval(
    nats_N: Float64[np.ndarray, " blocks"], characters_N: Float64[np.ndarray, " blocks"]
) -> tuple[float, float]:
    """Return bits per character and half of the width of the 95 % interval, 0 for one block.

    Args:
        nats_N: sums of losses, or of differences of losses.
        characters_N: characters of the same blocks.
    """
    total = max(float(characters_N.sum()), 1.0)
    ratio, half_width = float(nats_N.sum()) / total, 0.0
    if len(nats_N) > 1:
        residuals_N: Losses = nats_N - ratio * characters_N
        variance = float((residuals_N**2).sum()) * len(nats_N) / (len(nats_N) - 1)
        half_width = _NORMAL_QUANTILE * math.sqrt(variance) / total
    return ratio * BITS_PER_NAT, half_width * BITS_PER_NAT
