"""What a model loses by compression: figures before and after, and the difference by itself.

Both models read the same texts, so what one text costs more than another cancels out of the
difference, whose interval is much narrower than those of the two figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.scoring import document_ids
from sparrowlm.tasks.complete.metric import BitsPerCharacter, ratio_interval
from sparrowlm.tasks.complete.task import character_counts
from sparrowlm.text.tokenizers import TokenCodec

_HEADLINES = ("accuracy", "span_f1", "word_f1", "f1", "hit_at_1")

# Blocks are of characters, for the model afterwards may cut texts into other tokens.
_BLOCK_CHARACTERS = 1024

Losses = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class TextLosses:
    """Losses of a model, block by block.

    Attributes:
        nats_N: sums of the blocks' losses.
        characters_N: their characters, or whatever else losses are counted by.
        name: of the figure.
    """

    nats_N: Losses
    characters_N: Losses
    name: str = "bits_per_character"

    def figures(self) -> dict[str, float | int]:
        """Return the figure by its name with its interval; see BitsPerCharacter.result."""
        metric = BitsPerCharacter(self.nats_N.tolist(), self.characters_N.tolist())
        found = metric.result()
        ends = {name: found[name] for name in ("interval_low", "interval_high")}
        return {self.name: found["bits_per_character"], **ends}

    def difference(self, before: TextLosses) -> dict[str, float]:
        """Return by how much the figure is more than before, with its interval."""
        mean, half_width = ratio_interval(self.nats_N - before.nats_N, self.characters_N)
        return {
            self.name: mean,
            "interval_low": mean - half_width,
            "interval_high": mean + half_width,
        }

    def loss_share(self, before: TextLosses) -> float:
        """Return the difference as a share of what was before."""
        return float(self.nats_N.sum() / before.nats_N.sum() - 1.0)


@runtime_checkable
class Figures(Protocol):
    """What was measured of a model."""

    def figures(self) -> dict[str, float | int]:
        """Return the figure by its name, with "interval_low" and "interval_high"."""
        ...

    def difference(self, before: Any) -> dict[str, float]:  # noqa: ANN401 - of the same kind
        """Return how much more it is than before."""
        ...

    def loss_share(self, before: Any) -> float:  # noqa: ANN401 - of the same kind
        """Return by which share of what was before it is worse."""
        ...


@dataclass(frozen=True)
class TaskFigures:
    """The figure of a model with labels; more is better.

    Attributes:
        name: "accuracy", "span_f1", "word_f1", "f1" or "hit_at_1".
        value: 0 to 1.
        interval: 95 %.
    """

    name: str
    value: float
    interval: tuple[float, float]

    @staticmethod
    def of(table: Mapping[str, Any]) -> TaskFigures:
        """Take the figure out of what `evaluate` returns."""
        name = next(one for one in _HEADLINES if one in table)
        low, high = table.get(f"{name}_interval", (table[name], table[name]))
        return TaskFigures(name, float(table[name]), (float(low), float(high)))

    def figures(self) -> dict[str, float | int]:
        """Return the figure with its interval."""
        low, high = self.interval
        return {self.name: self.value, "interval_low": low, "interval_high": high}

    def difference(self, before: TaskFigures) -> dict[str, float]:
        """Return how much more it is than before; below 0 it got worse."""
        return {self.name: self.value - before.value}

    def loss_share(self, before: TaskFigures) -> float:
        """Return by which share of what was before it is worse."""
        return (before.value - self.value) / max(before.value, 1e-9)


def text_losses(engine: Engine[Any], codec: TokenCodec, texts: Sequence[str]) -> TextLosses:
    """Let a model read texts.

    Args:
        engine: of the model.
        codec: its tokenizer; another one of the same texts gives as many blocks.
        texts: none of them empty.
    """
    characters_V = character_counts(codec)
    nats: list[Losses] = []
    characters: list[Losses] = []
    for text in texts:
        ids_T = document_ids(codec, text)
        characters_T = characters_V[ids_T[1:]]
        before_T = np.cumsum(characters_T) - characters_T
        num_blocks = -(-len(text) // _BLOCK_CHARACTERS)
        # Bytes inside of the last character have all characters before them.
        block_T = np.minimum(before_T.astype(np.int64) // _BLOCK_CHARACTERS, num_blocks - 1)
        for sums, values_T in ((nats, engine.surprisals(ids_T)), (characters, characters_T)):
            sums.append(np.bincount(block_T, values_T, minlength=num_blocks).astype(np.float64))
    return TextLosses(np.concatenate(nats), np.concatenate(characters))
