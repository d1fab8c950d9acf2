"""A hidden Markov model of labels: counts and nothing else, the cheapest tagger.

Transitions are interpolated between label pairs and single labels; an observation that was never
seen is judged by coarser ones (its type, its last letters), from fine to coarse.

Source: Brants 2000, "TnT: a statistical part-of-speech tagger", equations 4 to 10 (interpolation,
successive abstraction), with pairs of labels instead of triples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int32, Int64, UInt64
from sparrowlm.foundation.errors import DataError
from sparrowlm.models.array_file import Array
from sparrowlm.models.crf.constraints import Constraints
from sparrowlm.models.crf.lattice import best_labels

Values = np.ndarray[Any, np.dtype[np.uint64]]
Shares = np.ndarray[Any, np.dtype[np.float32]]

_FLOOR = 1e-12  # of probabilities that no count supports


@dataclass(frozen=True)
class HiddenMarkovModel:
    """Counts of labels and of what they look like.

    Args:
        values: per level, from fine to coarse, the observations seen, rising.
        shares: per level [values, L]: P(label | observation) after abstraction.
        prior_L: P(label).
        edges: logarithms of transitions [L, L], begin [L] and end [L].
    """

    values: tuple[Values, ...]
    shares: tuple[Shares, ...]
    prior_L: Float64[np.ndarray, " labels"]
    edges: Float64[np.ndarray, " edges"]

    @classmethod
    def train(
        cls,
        observations_NC: UInt64[np.ndarray, "positions levels"],
        starts: Int64[np.ndarray, " bounds"],
        labels_N: Int32[np.ndarray, " positions"],
        num_labels: int,
    ) -> HiddenMarkovModel:
        """Count.

        Args:
            observations_NC: the same position at every level, from fine to coarse; 0 is nothing.
            starts: where the sentences start, and N: [S + 1].
            labels_N: 0 to L - 1.
            num_labels: L.

        Raises:
            DataError: no position at all.
        """
        if len(labels_N) == 0:
            raise DataError("models.crf-nothing-to-learn")
        prior_L = (np.bincount(labels_N, minlength=num_labels) + 0.5) / (
            len(labels_N) + 0.5 * num_labels
        )
        # How far apart the labels' shares are says how much a coarser level counts (theta).
        theta = max(float(np.std(prior_L, ddof=1)) if num_labels > 1 else 0.0, 1e-3)
        coarse_NL = np.tile(prior_L, (len(labels_N), 1))
        values, shares = [], []
        for observations_N in observations_NC.T[::-1]:
            seen, rows = np.unique(observations_N, return_inverse=True)
            counts = np.zeros((len(seen), num_labels))
            np.add.at(counts, (rows, labels_N), 1.0)
            coarser = np.zeros_like(counts)
            np.add.at(coarser, rows, coarse_NL)
            totals = counts.sum(axis=1, keepdims=True)
            found = (counts / totals + theta * coarser / totals) / (1.0 + theta)
            coarse_NL = found[rows]
            values.append(seen)
            shares.append(found.astype(np.float32))
        edges = _log_edges(labels_N, starts, num_labels)
        return cls(tuple(values[::-1]), tuple(shares[::-1]), prior_L, edges)

    @property
    def num_labels(self) -> int:
        """L."""
        return len(self.prior_L)

    def scores(
        self, observations_NC: UInt64[np.ndarray, "positions levels"]
    ) -> Float32[np.ndarray, "positions labels"]:
        """Return log P(observation | label) up to what is equal for all labels (Bayes)."""
        shares_NL = np.tile(self.prior_L, (len(observations_NC), 1))
        is_open = np.ones(len(observations_NC), dtype=np.bool_)
        for observations_N, values, shares in zip(
            observations_NC.T, self.values, self.shares, strict=True
        ):
            places = np.minimum(np.searchsorted(values, observations_N), len(values) - 1)
            hit = is_open & (values[places] == observations_N) & (observations_N != 0)
            shares_NL[hit] = shares[places[hit]]
            is_open &= ~hit
        scores_NL = np.log(np.maximum(shares_NL, _FLOOR)) - np.log(self.prior_L)
        found: Float32[np.ndarray, "positions labels"] = scores_NL.astype(np.float32)
        return found

    def decode(
        self,
        observations_NC: UInt64[np.ndarray, "positions levels"],
        starts: Int64[np.ndarray, " bounds"],
        constraints: Constraints | None = None,
        penalties_NL: Float64[np.ndarray, "positions labels"] | None = None,
    ) -> Int32[np.ndarray, " positions"]:
        """Return the best labels of every sentence."""
        rules = constraints or Constraints.none(self.num_labels)
        edges = self.edges + rules.penalties()
        return best_labels(self.scores(observations_NC), starts, edges, penalties_NL)

    def arrays(self) -> dict[str, Array]:
        """Return what a file holds."""
        found: dict[str, Array] = {"prior": self.prior_L, "edges": self.edges}
        for level, (values, shares) in enumerate(zip(self.values, self.shares, strict=True)):
            found[f"values_{level}"], found[f"shares_{level}"] = values, shares
        return found

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, Array]) -> HiddenMarkovModel:
        """Make a model of the arrays of a file."""
        num_levels = sum(name.startswith("values_") for name in arrays)

        def levels(name: str) -> tuple[Any, ...]:
            return tuple(np.array(arrays[f"{name}_{level}"]) for level in range(num_levels))

        prior, edges = np.array(arrays["prior"]), np.array(arrays["edges"])
        return cls(levels("values"), levels("shares"), prior, edges)


def _log_edges(
    labels_N: Int32[np.ndarray, " positions"], starts: Int64[np.ndarray, " bounds"], num_labels: int
) -> Float64[np.ndarray, " edges"]:
    """Interpolate P(label | label before) with P(label), by deleted interpolation."""
    # A border before and after every sentence is one more label.
    size = num_labels + 1
    filled = np.flatnonzero(np.diff(starts) > 0)
    with_borders = np.insert(labels_N.astype(np.int64), starts[filled], num_labels)
    after = np.append(with_borders[1:], num_labels)
    pairs = np.bincount(with_borders * size + after, minlength=size * size).astype(np.float64)
    pairs = pairs.reshape(size, size)
    before, alone = pairs.sum(axis=1, keepdims=True), pairs.sum(axis=0)
    total = alone.sum()
    # Each pair is left out once: the better explanation of it gets its count as weight.
    own = np.where(before > 1, (pairs - 1) / np.maximum(before - 1, 1), 0.0)
    apart = (alone - 1) / max(total - 1, 1.0)
    weight = float(pairs[(own >= apart) & (pairs > 0)].sum() / max(pairs.sum(), 1.0))
    shares = weight * pairs / np.maximum(before, 1.0) + (1.0 - weight) * alone / total
    logs = np.log(np.maximum(shares, _FLOOR))
    inner = logs[:num_labels, :num_labels]
    return np.concatenate(
        [inner.ravel(), logs[num_labels, :num_labels], logs[:num_labels, num_labels]]
    )


def levels_of(
    columns: Sequence[UInt64[np.ndarray, " positions"]],
) -> UInt64[np.ndarray, "p levels"]:
    """Put observations side by side, from fine to coarse."""
    return np.ascontiguousarray(np.stack(columns, axis=1))
