"""Learning the labels of units: the likelihood of whole label chains, ids hidden at random.

Hiding ids makes the network look at what stands around a name and at what dictionaries say about
it: names that training never saw are the ones that matter.

Shape letters: see models/tagger.py; N all units, one sequence behind the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from sparrowlm.foundation.array_types import Float32, Float64
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.label_chain import LOWEST, chain_nats
from sparrowlm.models.tagger import TaggerModel
from sparrowlm.training.labelling import with_hidden_ids
from sparrowlm.training.pretraining import MASK_ID
from sparrowlm.training.sequences import Ids, OverSequences, Padded, SequenceBatches, in_order

_EVALUATION_TOKENS = 8192
# Inverse temperatures that scores are tried at.
_SHARPNESSES = (0.2, 0.3, 0.45, 0.7, 1.0)


class TaggedSequence(NamedTuple):
    """One sequence of units.

    Attributes:
        ids: the separator, then one id per unit: [T].
        rows: of their columns, zeros for the separator: [T, C].
        labels: of the units: [T - 1]; empty where they are not known.
        intent: number of the text's intent; -1 where there is none.
    """

    ids: Ids
    rows: Ids
    labels: Ids
    intent: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class TaggingSettings:
    """How labels are learnt.

    Attributes:
        hidden_share: mean share of ids hidden from the network; each sequence draws its own share
            between none and twice as much.
        hidden_spans: share of the spans (runs of units with another label than "outside") that are
            hidden whole, ids and columns.
        outside: number of the label of units in no span; None where every unit is in one.
        intent_weight: of the intents' loss beside that of the labels, both per text.
        batch_tokens: ids per batch.
        seed: of order and hiding.
    """

    hidden_share: float = 0.3
    hidden_spans: float = 0.0
    outside: int | None = None
    intent_weight: float = 1.0
    batch_tokens: int = 2048
    seed: int = 0


# From the scores of units [N, L] and the edges to a share of errors.
ErrorOf = Callable[[np.ndarray[Any, Any], np.ndarray[Any, Any]], float]


class TaggingObjective(OverSequences):
    """Predict the labels of units, and the intents of texts.

    Args:
        sequences: with labels.
        held_out: the same of held-out texts; none where nothing is to be measured.
        penalties: added to the edges: below zero where something is forbidden.
        settings: see TaggingSettings.
        error: says how wrong scores and edges of the held-out sequences are, 0 to 1; None chooses
            weights by their loss.
    """

    def __init__(
        self,
        sequences: Sequence[TaggedSequence],
        held_out: Sequence[TaggedSequence],
        penalties: Float64[np.ndarray, " edges"],
        settings: TaggingSettings,
        error: ErrorOf | None = None,
    ) -> None:
        self._sequences, self._held_out, self._error = sequences, held_out, error
        ids = [one.ids for one in sequences]
        super().__init__(SequenceBatches(ids, settings.batch_tokens, settings.seed))
        self._penalties = torch.from_numpy(penalties).float().clamp(min=LOWEST)
        self._settings = settings

    def loss(self, model: TaggerModel, step: int) -> Tensor:
        """Return nats per unit of the labels; intents count per text, spread over its units."""
        batch = self._batches.batch(step)
        generator = torch_generator(self._settings.seed, f"hidden ids of step {step}")
        ids_BT = with_hidden_ids(batch, self._settings.hidden_share, generator)
        chosen = [self._sequences[row] for row in batch.rows_B.tolist()]
        rows_BTC, hidden_BT = padded_rows(chosen), self._hidden_spans(chosen, batch, generator)
        if hidden_BT is not None:
            ids_BT = ids_BT.masked_fill(hidden_BT, MASK_ID)
            rows_BTC = rows_BTC.masked_fill(hidden_BT[:, :, None], 0)
        given = self._given(model, chosen, batch, (ids_BT, rows_BTC))
        return self._nats(given) / max(int(given.units_B.sum()), 1)

    def held_out_loss(self, model: TaggerModel) -> float | None:
        """Return the loss per held-out unit at the best temperature, nats.

        Confidence is set right afterwards (tasks/tag/blending.py), so it must not decide which
        weights are best.
        """
        if not self._held_out:
            return None
        model.eval()
        totals, count = np.zeros(len(_SHARPNESSES)), 0
        with torch.no_grad():
            for batch in in_order([one.ids for one in self._held_out], _EVALUATION_TOKENS):
                chosen = [self._held_out[row] for row in batch.rows_B.tolist()]
                inputs = batch.ids_BT, padded_rows(chosen)
                given = self._given(model, chosen, batch, inputs)
                totals += [float(self._nats(given.sharper(by))) for by in _SHARPNESSES]
                count += int(given.units_B.sum())
        return float(totals.min()) / max(count, 1)

    def held_out_error(self, model: TaggerModel) -> float | None:
        """Return how wrong the labels of the held-out sequences are, 0 to 1."""
        if self._error is None or not self._held_out:
            return None
        edges = model.edges.detach().double().numpy()
        return self._error(tagger_scores(model, self._held_out).labels_NL, edges)

    def _given(
        self,
        model: TaggerModel,
        chosen: Sequence[TaggedSequence],
        batch: Padded,
        inputs: tuple[Tensor, Tensor],
    ) -> _Given:
        ids_BT, rows_BTC = inputs
        scores_BTL, intents_BK = model.scores(ids_BT, batch.lengths_B, rows_BTC)
        labels_BT = torch.zeros(ids_BT.shape[0], max(ids_BT.shape[1] - 1, 1), dtype=torch.int64)
        for row, one in zip(labels_BT.numpy(), chosen, strict=True):
            row[: len(one.labels)] = one.labels
        intent_B = torch.tensor([one.intent for one in chosen])
        units_B = batch.lengths_B - 1
        return _Given(scores_BTL[:, 1:], model.edges, intents_BK, labels_BT, intent_B, units_B)

    def _hidden_spans(
        self, chosen: Sequence[TaggedSequence], batch: Padded, generator: torch.Generator
    ) -> Tensor | None:
        """Choose spans to be hidden whole; None where none are."""
        settings = self._settings
        if settings.hidden_spans <= 0.0 or settings.outside is None:
            return None
        is_hidden_BT = np.zeros(tuple(batch.ids_BT.shape), dtype=np.bool_)
        for row_T, one in zip(is_hidden_BT, chosen, strict=True):
            is_inside_T = np.concatenate([[False], one.labels != settings.outside, [False]])
            bounds = np.flatnonzero(is_inside_T[1:] != is_inside_T[:-1]).reshape(-1, 2)
            drawn = torch.rand(len(bounds), generator=generator).numpy() < settings.hidden_spans
            for first, stop in bounds[drawn].tolist():
                row_T[first + 1 : stop + 1] = True
        return torch.from_numpy(is_hidden_BT)

    def _nats(self, given: _Given) -> Tensor:
        edges = given.edges + self._penalties
        nats = chain_nats(given.scores_BTL, edges, given.labels_BT, given.units_B)
        if given.intents_BK.shape[1] and bool((given.intent_B >= 0).any()):
            intents = functional.cross_entropy(
                given.intents_BK, given.intent_B, ignore_index=-1, reduction="sum"
            )
            nats = nats + self._settings.intent_weight * intents
        return nats


class _Given(NamedTuple):
    """What a model says of a batch, and what is true."""

    scores_BTL: Tensor
    edges: Tensor
    intents_BK: Tensor
    labels_BT: Tensor
    intent_B: Tensor
    units_B: Tensor

    def sharper(self, by: float) -> _Given:
        """Return the same with all scores multiplied."""
        return self._replace(
            scores_BTL=self.scores_BTL * by,
            edges=self.edges * by,
            intents_BK=self.intents_BK * by,
        )


def padded_rows(sequences: Sequence[TaggedSequence]) -> Tensor:
    """Put the rows of columns into one array, filled up with zeros."""
    longest = max(len(one.ids) for one in sequences)
    num_columns = sequences[0].rows.shape[1]
    rows_BTC = np.zeros((len(sequences), longest, num_columns), dtype=np.int32)
    for row, one in zip(rows_BTC, sequences, strict=True):
        row[: len(one.rows)] = one.rows
    return torch.from_numpy(rows_BTC)


class TaggerScores(NamedTuple):
    """What a model says about some sequences.

    Attributes:
        labels_NL: scores of labels of all units.
        intents_SK: scores of intents of all sequences.
    """

    labels_NL: Float32[np.ndarray, "units labels"]
    intents_SK: Float32[np.ndarray, "sequences intents"]


@torch.no_grad()
def tagger_scores(model: TaggerModel, sequences: Sequence[TaggedSequence]) -> TaggerScores:
    """Return the scores of all sequences, in their order.

    Args:
        model: left in evaluation mode.
        sequences: their labels are not looked at.
    """
    model.eval()
    starts = np.concatenate([[0], np.cumsum([len(one.ids) - 1 for one in sequences])]).astype(int)
    shape = model.tagger_shape
    labels_NL: Any = np.zeros((int(starts[-1]), shape.num_labels), dtype=np.float32)
    intents_SK: Any = np.zeros((len(sequences), shape.num_intents), dtype=np.float32)
    for batch in _batches(sequences):
        chosen = [sequences[row] for row in batch.rows_B.tolist()]
        scores_BTL, intents_BK = model.scores(batch.ids_BT, batch.lengths_B, padded_rows(chosen))
        intents_SK[batch.rows_B] = intents_BK.numpy()
        for row, scores_TL in zip(batch.rows_B.tolist(), scores_BTL.numpy(), strict=True):
            first, stop = starts[row], starts[row + 1]
            labels_NL[first:stop] = scores_TL[1 : stop - first + 1]
    return TaggerScores(labels_NL, intents_SK)


def _batches(sequences: Sequence[TaggedSequence]) -> Iterator[Padded]:
    return in_order([one.ids for one in sequences], _EVALUATION_TOKENS)
