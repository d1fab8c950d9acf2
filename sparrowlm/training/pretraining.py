"""Reading without labels: most batches guess hidden ids from both sides, the others the next id.

In both kinds the state at a position predicts the id after it, so that one network learns both
and its output layer serves both. A hidden id is replaced by the separator, which stands nowhere
inside a text: no id has to be added to the vocabulary.

Source: Charpentier and Samuel 2024, "GPT or BERT: why not both?", arXiv:2410.24159; Devlin et al.
2019, arXiv:1810.04805 (masked ids).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.encoder import EncoderModel
from sparrowlm.training.objectives import cross_entropy
from sparrowlm.training.sequences import Ids, OverSequences, Padded, SequenceBatches, in_order

MASK_ID = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PretrainingSettings:
    """How much is hidden, how often.

    Attributes:
        masked_share: share of the ids that is hidden in a masked batch.
        causal_share: share of the batches that predict the next id instead.
        batch_tokens: ids per batch.
        seed: of order and masks.
    """

    masked_share: float = 0.2
    causal_share: float = 0.125
    batch_tokens: int = 4096
    seed: int = 0


class PretrainingObjective(OverSequences):
    """Guess hidden ids, or the next one.

    Args:
        sequences: the texts, each beginning with the separator.
        held_out: other texts; none where nothing is to be measured.
        settings: see PretrainingSettings.
    """

    def __init__(
        self, sequences: Sequence[Ids], held_out: Sequence[Ids], settings: PretrainingSettings
    ) -> None:
        super().__init__(SequenceBatches(sequences, settings.batch_tokens, settings.seed))
        self._settings = settings
        masks = torch_generator(settings.seed, "held-out masks")
        self._held_out = [
            (batch, self._mask(batch, masks)) for batch in in_order(held_out, settings.batch_tokens)
        ]

    def loss(self, model: EncoderModel, step: int) -> Tensor:
        """Return the cross-entropy per guessed id, nats."""
        generator = torch_generator(self._settings.seed, f"masks of step {step}")
        batch = self._batches.batch(step)
        if float(torch.rand((), generator=generator)) < self._settings.causal_share:
            return _causal_loss(model, batch)
        return _masked_loss(model, batch, self._mask(batch, generator))

    def held_out_loss(self, model: EncoderModel) -> float | None:
        """Return the cross-entropy per hidden id of held-out texts, nats."""
        if not self._held_out:
            return None
        model.eval()
        total, count = 0.0, 0
        with torch.no_grad():
            for batch, is_masked_BT in self._held_out:
                num_masked = int(is_masked_BT.sum())
                total += float(_masked_loss(model, batch, is_masked_BT)) * num_masked
                count += num_masked
        return total / max(count, 1)

    def _mask(self, batch: Padded, generator: torch.Generator) -> Tensor:
        """Choose what is hidden: never the first id, at least one id of the batch."""
        inside_BT = torch.arange(batch.ids_BT.shape[1]) < batch.lengths_B[:, None]
        inside_BT[:, 0] = False
        drawn_BT = torch.rand(batch.ids_BT.shape, generator=generator)
        is_masked_BT = inside_BT & (drawn_BT < self._settings.masked_share)
        if not bool(is_masked_BT.any()):
            is_masked_BT = inside_BT & (drawn_BT == drawn_BT.masked_fill(~inside_BT, 2.0).min())
        return is_masked_BT


def _masked_loss(model: EncoderModel, batch: Padded, is_masked_BT: Tensor) -> Tensor:
    hidden_BT = batch.ids_BT.masked_fill(is_masked_BT, MASK_ID)
    states_BTD = model.states(hidden_BT, batch.lengths_B)
    hidden_ND = states_BTD[is_masked_BT]
    if not len(hidden_ND):
        return states_BTD.sum() * 0.0
    return cross_entropy(model.logits(hidden_ND)[None], batch.ids_BT[is_masked_BT][None])


def _causal_loss(model: EncoderModel, batch: Padded) -> Tensor:
    is_target_BT = torch.arange(1, batch.ids_BT.shape[1]) < batch.lengths_B[:, None]
    states_BTD = model.states(batch.ids_BT, None)
    before_ND = states_BTD[:, :-1][is_target_BT]
    if not len(before_ND):
        return states_BTD.sum() * 0.0
    return cross_entropy(model.logits(before_ND)[None], batch.ids_BT[:, 1:][is_target_BT][None])


def cut_sequences(texts: Sequence[Ids], most_tokens: int) -> list[Ids]:
    """Cut texts into sequences, each behind a separator.

    Args:
        texts: ids of every text.
        most_tokens: ids per sequence, the separator included, >= 2.
    """
    found: list[np.ndarray[Any, np.dtype[Any]]] = []
    for ids in texts:
        for start in range(0, len(ids), most_tokens - 1):
            piece = np.asarray(ids[start : start + most_tokens - 1], dtype=np.int32)
            found.append(np.concatenate([np.zeros(1, dtype=np.int32), piece]))
    return found
