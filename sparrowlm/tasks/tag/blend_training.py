"""Learning whom to believe, on text that no model was trained on.

    weights      maximise the likelihood of the true labels; of both models, also with the balance
                 between them moved; then "outside" gets the cost with the best F1
    choice       floor alone, network alone, or both: the best F1
    confidence   two numbers per blend, so that of spans with confidence 0.8 four in five are right

Shape letters: N units, L labels, S chains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.foundation.array_types import Float64, Int32, Int64
from sparrowlm.models.crf.lattice import best_labels, marginals
from sparrowlm.models.label_chain import LOWEST, chain_nats
from sparrowlm.models.sequence_groups import grouped
from sparrowlm.tasks.logistic import fitted_logistic
from sparrowlm.tasks.tag.blending import FLOOR, NETWORK, ChainScores, TagBlend, log_odds
from sparrowlm.tasks.tag.decoding import least_probable
from sparrowlm.tasks.tag.metric import Counts, SpanScore
from sparrowlm.tasks.tag.schemes import LabelSet
from sparrowlm.tasks.tag.units import Units

_BATCH_UNITS = 16_384
_MOST_UNITS = 60_000  # more say nothing new about two numbers
_ROUNDS = 25
_BALANCES = (0.5, 0.7, 1.0, 1.4, 2.0)
_BIASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
_LEAST_WEIGHT = 0.02
_RIDGE = 1e-3
_FEWEST_SPANS = 20


@dataclass(frozen=True)
class HeldOutChains:
    """The held-out text.

    Attributes:
        units: of its texts.
        labels: scheme and types.
        true_N: the labels.
        gold: its spans, placed in the joined text.
    """

    units: Units
    labels: LabelSet
    true_N: Int32[np.ndarray, " units"]
    gold: Sequence[Span]

    def best(self, scores: ChainScores) -> Int32[np.ndarray, " units"]:
        """Return the best labels."""
        return best_labels(scores.labels_NL, self.units.chains, scores.edges)

    def spans(self, labels_N: Int32[np.ndarray, " units"]) -> list[Span]:
        """Return the spans of labels, placed in the joined text."""
        begins, ends = self.units.begins, self.units.ends
        return [
            Span(int(begins[first]), int(ends[stop - 1]), kind)
            for first, stop, kind in self.labels.decode(labels_N)
        ]

    def counts(self, blend: TagBlend, parts: Mapping[str, ChainScores]) -> Counts:
        """Return micro figures of a blend."""
        score = SpanScore()
        score.add(self.gold, self.spans(self.best(blend.blended(parts, self.labels))))
        return score.micro


def learnt_blend(text: HeldOutChains, parts: Mapping[str, ChainScores]) -> tuple[TagBlend, Counts]:
    """Return the best blend of exactly these models, without confidence, and its figures.

    Args:
        text: held-out.
        parts: the scores of one or two models.
    """
    weights = fitted_weights(text, parts)
    balances = _BALANCES if len(parts) == 2 else (1.0,)
    best: tuple[float, TagBlend, Counts] | None = None
    for balance in balances:
        moved = dict(weights)
        if NETWORK in moved and len(moved) == 2:
            moved = {FLOOR: moved[FLOOR] / balance**0.5, NETWORK: moved[NETWORK] * balance**0.5}
        for bias in _BIASES if "O" in text.labels.numbers else (0.0,):
            blend = TagBlend(moved, bias)
            counts = text.counts(blend, parts)
            if best is None or counts.f1 > best[0]:
                best = (counts.f1, blend, counts)
    assert best is not None  # noqa: S101 - at least one was tried
    return best[1], best[2]


def fitted_weights(text: HeldOutChains, parts: Mapping[str, ChainScores]) -> dict[str, float]:
    """Return the weights under which the true labels are most probable, each at least a little.

    Args:
        text: held-out.
        parts: scores by name.
    """
    batches = list(_batches(text, parts))
    num_units = sum(int(one.lengths_B.sum()) for one in batches)
    edges_ME = torch.from_numpy(np.stack([part.edges for part in parts.values()]))
    penalties = torch.from_numpy(text.labels.constraints().penalties()).clamp(min=LOWEST)
    weights_M = torch.ones(len(parts), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights_M], max_iter=_ROUNDS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        total = _RIDGE * ((weights_M - 1.0) ** 2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        for one in batches:
            scores_BTL = torch.einsum("m,mbtl->btl", weights_M, one.scores_MBTL)
            edges = weights_M @ edges_ME + penalties
            nats = chain_nats(scores_BTL, edges, one.labels_BT, one.lengths_B) / max(num_units, 1)
            nats.backward()  # type: ignore[no-untyped-call]
            total = total.detach() + nats.detach()
        return total

    if num_units:
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = weights_M.detach().clamp(min=_LEAST_WEIGHT).tolist()
    return dict(zip(parts, found, strict=True))


def with_confidence(
    blend: TagBlend, text: HeldOutChains, parts: Mapping[str, ChainScores]
) -> TagBlend:
    """Return a blend whose confidence is how often it is right on held-out text.

    Source: Platt 1999, with his smoothed targets.
    """
    scores = blend.blended(parts, text.labels)
    labels_N = text.best(scores)
    sure_NL = marginals(scores.labels_NL, text.units.chains, scores.edges)
    spans = text.spans(labels_N)
    if len(spans) < _FEWEST_SPANS:
        return blend
    right = set(text.gold)
    is_right = np.array([span in right for span in spans], dtype=np.float64)
    num_right = float(is_right.sum())
    num_wrong = len(spans) - num_right
    targets = np.where(is_right > 0, (num_right + 1) / (num_right + 2), 1 / (num_wrong + 2))
    odds = log_odds(least_probable(text.labels, labels_N, sure_NL))
    slope, offset = fitted_odds(odds, targets)
    return replace(blend, slope=slope, offset=offset) if slope > 0 else blend


def fitted_intent_weight(
    scores_BK: Float64[np.ndarray, "texts intents"], true_B: Int64[np.ndarray, " texts"]
) -> float:
    """Return the weight of intents' scores under which the true ones are most probable."""
    known = true_B >= 0
    if not known.any():
        return 1.0
    logits_BK, true = torch.from_numpy(scores_BK[known]), torch.from_numpy(true_B[known])
    tried = np.geomspace(0.1, 4.0, 40)
    losses = [
        float(torch.nn.functional.cross_entropy(logits_BK * weight, true)) for weight in tried
    ]
    return float(tried[int(np.argmin(losses))])


@dataclass(frozen=True)
class _Batch:
    scores_MBTL: torch.Tensor
    labels_BT: torch.Tensor
    lengths_B: torch.Tensor


def _batches(text: HeldOutChains, parts: Mapping[str, ChainScores]) -> list[_Batch]:
    lengths = np.diff(text.units.chains)
    order = np.argsort(lengths, kind="stable")
    step = max(1, -(-int(lengths.sum()) // _MOST_UNITS))
    found = []
    for rows_B in grouped(lengths, order[::step], _BATCH_UNITS):
        lengths_B = lengths[rows_B]
        places_BT = text.units.chains[rows_B][:, None] + np.arange(int(lengths_B.max()))
        places_BT = np.minimum(places_BT, len(text.true_N) - 1)
        scores = np.stack([part.labels_NL[places_BT] for part in parts.values()])
        found.append(
            _Batch(
                torch.from_numpy(scores.astype(np.float64)),
                torch.from_numpy(text.true_N[places_BT].astype(np.int64)),
                torch.from_numpy(lengths_B),
            )
        )
    return found


def fitted_odds(
    odds_N: Float64[np.ndarray, " spans"], targets_N: Float64[np.ndarray, " spans"]
) -> tuple[float, float]:
    """Return slope and offset that make log-odds true, pulled a little towards changing nothing."""
    rows_N2 = np.stack([odds_N, np.ones_like(odds_N)], axis=1)
    anchor_2 = np.array([1.0, 0.0])
    slope, offset = fitted_logistic(rows_N2, targets_N, np.ones(2), anchor_F=anchor_2)
    return float(slope), float(offset)
