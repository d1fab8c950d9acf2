"""Floor and network as one model: their scores and edges are added with weights.

    score of a labelling = weight_floor score_floor + weight_network score_network - bias outside

A weighted sum of chains is a chain: one search finds the best labels, one forward-backward their
probabilities. How it is learnt: blend_training.py. Nothing here needs torch.

Shape letters: N units, L labels, K intents.

Source: Hinton 2002 (products of experts); Platt 1999, "Probabilistic outputs for support vector
machines" (confidence of spans); Guo et al. 2017, arXiv:1706.04599, section 4.2 (of intents).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64
from sparrowlm.models.crf.lattice import split_edges
from sparrowlm.tasks.tag.schemes import LabelSet

FLOOR, NETWORK = "floor", "network"
_CLOSEST = 1e-6

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class ChainScores(NamedTuple):
    """What one model, or a blend of several, says about some chains.

    Attributes:
        labels_NL: scores of all labels of every unit.
        edges: weights of transitions, begin and end.
    """

    labels_NL: Float32[np.ndarray, "units labels"]
    edges: Float64[np.ndarray, " edges"]


@dataclass(frozen=True, slots=True)
class TagBlend:
    """How scores become labels and probabilities.

    Attributes:
        weights: of every model that has a say.
        bias: what "outside" costs.
        slope, offset: a span whose units are at least p probable is right with probability
            sigmoid(slope log(p / (1 - p)) + offset).
        intent_weight: of the intents' scores: the inverse of their temperature.
    """

    weights: dict[str, float]
    bias: float = 0.0
    slope: float = 1.0
    offset: float = 0.0
    intent_weight: float = 1.0

    def blended(self, parts: Mapping[str, ChainScores], labels: LabelSet) -> ChainScores:
        """Return the weighted sum, with what is forbidden in its edges.

        Args:
            parts: of every model that has a say.
            labels: scheme and types.
        """
        edges = labels.constraints().penalties()
        total_NL: Matrix | None = None
        for name, weight in self.weights.items():
            scores_NL = parts[name].labels_NL * np.float32(weight)
            total_NL = scores_NL if total_NL is None else total_NL + scores_NL
            edges = edges + weight * parts[name].edges
        assert total_NL is not None  # noqa: S101 - some model has a say
        return ChainScores(total_NL, with_outside_cost(edges, labels, self.bias))

    def confidence(self, least: Float32[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
        """Return how probable it is that spans are right.

        Args:
            least: the probability of the least probable label of each span, or of any label.
        """
        odds = self.slope * log_odds(least) + self.offset
        sure: Float64[np.ndarray, "*any"] = 0.5 * (1 + np.tanh(0.5 * odds))
        return sure

    def intent_probabilities(
        self, scores_BK: Float64[np.ndarray, "texts intents"]
    ) -> Float64[np.ndarray, "texts intents"]:
        """Return the probability of every intent."""
        logits_BK = scores_BK.astype(np.float64) * self.intent_weight
        powers_BK = np.exp(logits_BK - logits_BK.max(axis=1, keepdims=True))
        shares_BK: Float64[np.ndarray, "texts intents"] = powers_BK / powers_BK.sum(
            axis=1, keepdims=True
        )
        return shares_BK

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> TagBlend:
        """Rebuild from as_json."""
        numbers = {name: float(values[name]) for name in ("bias", "slope", "offset")}
        weights = {str(name): float(weight) for name, weight in values["weights"].items()}
        return TagBlend(weights, **numbers, intent_weight=float(values["intent_weight"]))


def with_outside_cost(
    edges: Float64[np.ndarray, " edges"], labels: LabelSet, cost: float
) -> Float64[np.ndarray, " edges"]:
    """Return edges under which the label "outside" costs something, so that more spans are found.

    Args:
        edges: transitions, begin and end.
        labels: of the scheme; where nothing is outside, edges stay.
        cost: nats.
    """
    outside = labels.numbers.get("O")
    if outside is None or not cost:
        return edges
    moved: Float64[np.ndarray, " edges"] = edges.copy()
    transitions_LL, begin_L, _ = split_edges(moved, len(labels))
    transitions_LL[:, outside] -= cost
    begin_L[outside] -= cost
    return moved


def log_odds(least: Float32[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """Return log(p / (1 - p)), p kept off 0 and 1."""
    clipped = np.clip(least.astype(np.float64), _CLOSEST, 1 - _CLOSEST)
    odds: Float64[np.ndarray, "*any"] = np.log(clipped / (1 - clipped))
    return odds
