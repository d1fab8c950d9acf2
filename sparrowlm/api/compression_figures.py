"""What a model loses by compression: figures before and after, and the difference by itself.

Both models read the same texts, so what one text costs more than another cancels out of the
difference, whose interval is much narrower than those of the two figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.runtime.loading import LoadedModel
from sparrowlm.tasks.complete.metric import BitsPerCharacter, ratio_interval
from sparrowlm.tasks.complete.task import character_counts

Ids = np.ndarray[Any, np.dtype[np.int64]]
Losses = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class TextLosses:
    """Losses of a model, block by block.

    Attributes:
        nats_N: sums of the blocks' losses.
        characters_N: their characters.
    """

    nats_N: Losses
    characters_N: Losses

    def figures(self) -> dict[str, float | int]:
        """Return bits_per_character with its interval; see BitsPerCharacter.result."""
        metric = BitsPerCharacter(self.nats_N.tolist(), self.characters_N.tolist())
        found = metric.result()
        return {
            name: found[name] for name in ("bits_per_character", "interval_low", "interval_high")
        }

    def difference(self, before: TextLosses) -> dict[str, float]:
        """Return how many bits per character more this is than before, with its interval."""
        mean, half_width = ratio_interval(self.nats_N - before.nats_N, self.characters_N)
        return {
            "bits_per_character": mean,
            "interval_low": mean - half_width,
            "interval_high": mean + half_width,
        }

    def loss_share(self, before: TextLosses) -> float:
        """Return the difference as a share of what was before."""
        return float(self.nats_N.sum() / before.nats_N.sum() - 1.0)


def text_losses(model: LoadedModel, documents: Sequence[Ids]) -> TextLosses:
    """Let a model read documents.

    Args:
        model: of the documents' ids.
        documents: the separator in front of each.
    """
    metric, characters_V = BitsPerCharacter(), character_counts(model.codec)
    for ids_T in documents:
        metric.add(model.engine.surprisals(ids_T), characters_V[ids_T[1:]])
    return TextLosses(np.array(metric.block_nats), np.array(metric.block_characters))
