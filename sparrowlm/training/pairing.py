"""Learning which texts mean the same: every labelled pair judged, and partners told from strangers.

    loss = cross-entropy of the pairs' labels
         + share of: cross-entropy of finding each text's partner among all seconds of the batch

Shape letters: B pairs of a batch, D width.

Source: Henderson et al. 2017, "Efficient natural language response suggestion for smart reply",
arXiv:1705.00652, section 4.4 (the batch's other seconds as wrong answers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.pair_head import PairModel
from sparrowlm.training.labelling import with_hidden_ids
from sparrowlm.training.sequences import (
    Ids,
    OverSequences,
    Padded,
    SequenceBatches,
    in_order,
    padded,
)

_EVALUATION_TOKENS = 16_384
_MOST_LOG_TEMPERATURE = 4.6  # cosines times 100


class PairSequences(NamedTuple):
    """Pairs as sequences.

    Attributes:
        firsts: ids of the first texts, each beginning with the separator.
        seconds: of the second ones.
        targets_B: probability that the two mean the same.
    """

    firsts: Sequence[Ids]
    seconds: Sequence[Ids]
    targets_B: Float32[np.ndarray, " pairs"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PairingSettings:
    """How pairs are learnt.

    Attributes:
        hidden_share: mean share of ids hidden from the network.
        partner_share: weight of finding partners beside judging pairs; 0 only judges.
        judges: whether pairs are judged: there must be pairs that do not belong together.
        batch_tokens: ids per batch.
        seed: of order and hiding.
    """

    hidden_share: float = 0.1
    partner_share: float = 0.1
    judges: bool = True
    batch_tokens: int = 4096
    seed: int = 0


class PairObjective(OverSequences):
    """Judge pairs and find partners.

    Args:
        pairs: to train on.
        held_out: to be measured on; None where nothing is.
        settings: see PairingSettings.
    """

    def __init__(
        self, pairs: PairSequences, held_out: PairSequences | None, settings: PairingSettings
    ) -> None:
        both = [np.concatenate(two) for two in zip(pairs.firsts, pairs.seconds, strict=True)]
        super().__init__(SequenceBatches(both, settings.batch_tokens, settings.seed))
        self._pairs = pairs
        self._targets_B = torch.from_numpy(pairs.targets_B)
        self._held_out = held_out
        self._settings = settings
        # Equal texts are no strangers to each other's partners.
        numbers: dict[bytes, int] = {}
        self._names = np.array(
            [numbers.setdefault(ids.tobytes(), len(numbers)) for ids in pairs.seconds]
        )

    def loss(self, model: PairModel, step: int) -> Tensor:
        """Return the loss of a step's pairs, nats."""
        settings = self._settings
        rows_B = self._batches.batch(step).rows_B
        generator = torch_generator(settings.seed, f"hidden ids of step {step}")
        u_BD, v_BD = (
            self._vectors(model, padded(texts, rows_B), generator)
            for texts in (self._pairs.firsts, self._pairs.seconds)
        )
        targets_B = self._targets_B[rows_B]
        loss = u_BD.sum() * 0.0
        if settings.judges:
            logits_B = model.pair_logits(u_BD, v_BD)
            loss = loss + functional.binary_cross_entropy_with_logits(logits_B, targets_B)
        if settings.partner_share > 0.0:
            names_B = torch.from_numpy(self._names[rows_B])
            loss = loss + settings.partner_share * partner_loss(
                model, (u_BD, v_BD), targets_B > 0.5, names_B
            )
        return loss

    def held_out_loss(self, model: PairModel) -> float | None:
        """Return the cross-entropy per held-out pair, nats."""
        if self._held_out is None:
            return None
        logits_B = torch.from_numpy(pair_logits(model, self._held_out))
        targets_B = torch.from_numpy(self._held_out.targets_B)
        return float(functional.binary_cross_entropy_with_logits(logits_B, targets_B))

    def _vectors(self, model: PairModel, batch: Padded, generator: torch.Generator) -> Tensor:
        ids_BT = with_hidden_ids(batch, self._settings.hidden_share, generator)
        return model.vectors(ids_BT, batch.lengths_B)


def partner_loss(
    model: PairModel, vectors: tuple[Tensor, Tensor], is_pair_B: Tensor, names_B: Tensor
) -> Tensor:
    """Return the cross-entropy of finding every pair's second text among all seconds, nats.

    Args:
        model: knows the temperature.
        vectors: of firsts and seconds, BD each.
        is_pair_B: whether the two belong together; others are only looked among.
        names_B: equal for equal seconds, which are not counted as wrong.
    """
    if not bool(is_pair_B.any()):
        return vectors[0].sum() * 0.0
    u_BD, v_BD = (functional.normalize(x_BD, dim=1) for x_BD in vectors)
    heat = model.log_temperature().clamp(max=_MOST_LOG_TEMPERATURE).exp()
    scores_BB = heat * u_BD @ v_BD.T
    is_other_BB = ~torch.eye(len(u_BD), dtype=torch.bool)
    is_same_BB = (names_B[:, None] == names_B[None]) & is_other_BB
    scores_BB = scores_BB.masked_fill(is_same_BB, -torch.inf)
    rows = torch.nonzero(is_pair_B)[:, 0]
    return functional.cross_entropy(scores_BB[rows], rows)


@torch.no_grad()
def text_vectors(model: PairModel, texts: Sequence[Ids]) -> Float32[np.ndarray, "texts width"]:
    """Return the mean state of every text, in their order.

    Args:
        model: left in evaluation mode.
        texts: ids, each beginning with the separator.
    """
    model.eval()
    vectors_BD: np.ndarray[Any, np.dtype[np.float32]] = np.zeros(
        (len(texts), model.shape.width), dtype=np.float32
    )
    for batch in in_order(texts, _EVALUATION_TOKENS):
        vectors_BD[batch.rows_B] = model.vectors(batch.ids_BT, batch.lengths_B).numpy()
    return vectors_BD


@torch.no_grad()
def pair_logits(model: PairModel, pairs: PairSequences) -> Float32[np.ndarray, " pairs"]:
    """Return the score of every pair, in their order."""
    both = (text_vectors(model, texts) for texts in (pairs.firsts, pairs.seconds))
    u_BD, v_BD = (torch.from_numpy(vectors_BD) for vectors_BD in both)
    scores_B: np.ndarray[Any, np.dtype[np.float32]] = model.pair_logits(u_BD, v_BD).numpy()
    return scores_B
