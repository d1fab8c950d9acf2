"""From several scores of a pair to one probability: logistic regression, few weights, no surprises.

    probability = sigmoid(offset + sum over parts of weight times score)

Learnt on pairs that no part was trained on, so the probabilities come out calibrated. A part that
would get a negative weight is left out: it knows nothing that the others do not.

Shape letters: B pairs, M parts.

Source: Platt 1999, "Probabilistic outputs for support vector machines" (one score); Hosmer and
Lemeshow, "Applied logistic regression", section 2.2 (several, by Newton's method).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float, Float32, Float64
from sparrowlm.tasks.logistic import fitted_logistic, sigmoid

# Keeps weights finite where few pairs can be told apart perfectly; measured in pairs.
_RIDGE = 0.5

Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class PairBlend:
    """How scores become a probability.

    Attributes:
        weights: of every part that has a say, above 0.
        offset: added.
    """

    weights: dict[str, float]
    offset: float

    def logits(
        self, scores: Mapping[str, Float32[np.ndarray, " pairs"]]
    ) -> Float64[np.ndarray, " pairs"]:
        """Return the logarithm of the odds of every pair."""
        total_B: Numbers = np.full(len(next(iter(scores.values()))), self.offset, dtype=np.float64)
        for name, weight in self.weights.items():
            total_B += weight * scores[name]
        return total_B

    def probabilities(
        self, scores: Mapping[str, Float32[np.ndarray, " pairs"]]
    ) -> Float64[np.ndarray, " pairs"]:
        """Return the probability of every pair to mean the same."""
        return sigmoid(self.logits(scores))

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"weights": self.weights, "offset": self.offset}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> PairBlend:
        """Rebuild from as_json."""
        weights = {str(name): float(weight) for name, weight in values["weights"].items()}
        return PairBlend(weights, float(values["offset"]))


def loss_nats(
    logits_B: Float[np.ndarray, " pairs"], targets_B: Float[np.ndarray, " pairs"]
) -> float:
    """Return the mean cross-entropy per pair."""
    return float((np.logaddexp(0.0, logits_B) - targets_B * logits_B).mean())


def learnt_blend(
    scores: Mapping[str, Float32[np.ndarray, " pairs"]], targets_B: Float32[np.ndarray, " pairs"]
) -> PairBlend:
    """Find the weights with the least loss.

    Args:
        scores: of every part, of pairs that no part was trained on; at least one pair.
        targets_B: 1.0 where the two mean the same.
    """
    names = list(scores)
    while True:
        columns_BM = np.stack([scores[name].astype(np.float64) for name in names], axis=1)
        weights_M, offset = logistic_regression(columns_BM, targets_B)
        if min(weights_M) > 0 or len(names) == 1:
            kept = {name: max(float(w), 0.0) for name, w in zip(names, weights_M, strict=True)}
            return PairBlend(kept, offset)
        names.pop(int(np.argmin(weights_M)))


def logistic_regression(
    columns_BM: Float64[np.ndarray, "pairs parts"], targets_B: Float[np.ndarray, " pairs"]
) -> tuple[Float64[np.ndarray, " parts"], float]:
    """Return weights and offset with the least loss, pulled a little towards zero."""
    mean_M, spread_M = columns_BM.mean(axis=0), columns_BM.std(axis=0) + 1e-9
    inputs_BM = np.concatenate(
        [(columns_BM - mean_M) / spread_M, np.ones((len(columns_BM), 1))], axis=1
    )
    ridge_M = np.full(inputs_BM.shape[1], _RIDGE)
    ridge_M[-1] = 1e-6
    weights_M = fitted_logistic(inputs_BM, targets_B, ridge_M)
    plain_M = weights_M[:-1] / spread_M
    return plain_M, float(weights_M[-1] - plain_M @ mean_M)
