"""Learning labels: cross-entropy over texts, ids hidden at random so that none is relied on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.heads import ClassifierModel
from sparrowlm.training.pretraining import MASK_ID
from sparrowlm.training.sequences import Ids, OverSequences, Padded, SequenceBatches, in_order

_EVALUATION_TOKENS = 16_384
# Inverse temperatures that scores are tried at.
_SHARPNESSES = tuple(2.0 ** (power / 4) for power in range(-24, 7))


@dataclass(frozen=True, kw_only=True, slots=True)
class LabellingSettings:
    """How labels are learnt.

    Attributes:
        is_multi_label: every label apart (any number may be right), or exactly one.
        hidden_share: mean share of ids hidden from the network; each text draws its own share
            between none and twice as much.
        smoothing: probability spread over the wrong labels, 0 to below 1.
        batch_tokens: ids per batch.
        seed: of order and hiding.
    """

    is_multi_label: bool = False
    hidden_share: float = 0.3
    smoothing: float = 0.0
    batch_tokens: int = 2048
    seed: int = 0


class LabelObjective(OverSequences):
    """Predict the labels of texts.

    Args:
        sequences: ids of the texts, each beginning with the separator.
        targets_BL: probability of every label for every text.
        held_out: the same two for held-out texts; None where nothing is to be measured.
        settings: see LabellingSettings.
    """

    def __init__(
        self,
        sequences: Sequence[Ids],
        targets_BL: Float32[np.ndarray, "texts labels"],
        held_out: tuple[Sequence[Ids], Float32[np.ndarray, "held_out labels"]] | None,
        settings: LabellingSettings,
    ) -> None:
        super().__init__(SequenceBatches(sequences, settings.batch_tokens, settings.seed))
        self._targets_BL = torch.from_numpy(targets_BL)
        self._held_out = held_out
        self._settings = settings

    def loss(self, model: ClassifierModel, step: int) -> Tensor:
        """Return the cross-entropy per text, nats."""
        batch = self._batches.batch(step)
        generator = torch_generator(self._settings.seed, f"hidden ids of step {step}")
        ids_BT = with_hidden_ids(batch, self._settings.hidden_share, generator)
        logits_BL = model.label_logits(ids_BT, batch.lengths_B)
        return self._cross_entropy(logits_BL, self._targets_BL[batch.rows_B])

    def held_out_loss(self, model: ClassifierModel) -> float | None:
        """Return the cross-entropy per held-out text at the best temperature, nats.

        Confidence is set right afterwards, so it must not decide which weights are best: a
        network goes on getting more answers right long after it has become too sure of them.
        """
        if self._held_out is None:
            return None
        sequences, targets_BL = self._held_out
        logits_BL = torch.from_numpy(label_logits(model, sequences))
        wanted_BL = torch.from_numpy(targets_BL)
        losses = (
            self._cross_entropy(logits_BL * sharpness, wanted_BL) for sharpness in _SHARPNESSES
        )
        return float(min(losses))

    def _cross_entropy(self, logits_BL: Tensor, targets_BL: Tensor) -> Tensor:
        if self._settings.is_multi_label:
            return functional.binary_cross_entropy_with_logits(logits_BL, targets_BL)
        smoothing = self._settings.smoothing
        return functional.cross_entropy(logits_BL, targets_BL, label_smoothing=smoothing)


def with_hidden_ids(batch: Padded, mean_share: float, generator: torch.Generator) -> Tensor:
    """Hide ids of every row at random, never the first one."""
    if mean_share <= 0.0:
        return batch.ids_BT
    size = batch.ids_BT.shape
    share_B1 = 2 * mean_share * torch.rand(size[0], 1, generator=generator)
    is_hidden_BT = torch.rand(size, generator=generator) < share_B1
    is_hidden_BT[:, 0] = False
    return batch.ids_BT.masked_fill(is_hidden_BT, MASK_ID)


@torch.no_grad()
def label_logits(
    model: ClassifierModel, sequences: Sequence[Ids]
) -> Float32[np.ndarray, "texts labels"]:
    """Return the scores of all labels for texts, in their order.

    Args:
        model: left in evaluation mode.
        sequences: ids, each beginning with the separator.
    """
    model.eval()
    num_labels = len(model.head_bias_L)
    scores_BL: np.ndarray[Any, np.dtype[np.float32]] = np.zeros(
        (len(sequences), num_labels), dtype=np.float32
    )
    for batch in in_order(sequences, _EVALUATION_TOKENS):
        scores_BL[batch.rows_B] = model.label_logits(batch.ids_BT, batch.lengths_B).numpy()
    return scores_BL
