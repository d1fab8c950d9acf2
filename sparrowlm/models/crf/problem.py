"""What a conditional random field learns from, and the loss of given weights.

Shapes: N positions of all sentences one behind the other, F features at each, R rows of emission
weights, L labels, S sentences. Weights of one row stand for the labels that it was seen with (or
for all labels): they are its entries. All parameters are one vector:

    entries of row 0, row 1, …, row R - 1 | transitions [L, L] | begin [L] | end [L]

Source: Lafferty, McCallum, Pereira 2001; the choice of entries as in CRFsuite (Okazaki 2007,
feature.possible_states).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64, Int32, Int64, Integer
from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.crf.lattice import expectations

ABSENT = -1
_MOST_LABELS = 1 << 16


@dataclass(frozen=True)
class Examples:
    """Sentences as numbers.

    Args:
        features_NF: rows of emission weights, ABSENT where there is none.
        starts: where each sentence starts, and N at the end: [S + 1].
        labels_N: 0 to L - 1.
    """

    features_NF: Int32[np.ndarray, "positions templates"]
    starts: Int64[np.ndarray, " bounds"]
    labels_N: Int32[np.ndarray, " positions"]

    @property
    def num_sentences(self) -> int:
        """S."""
        return len(self.starts) - 1


@dataclass(frozen=True)
class CrfProblem:
    """Examples and the parameters that there are to learn.

    Args:
        examples: sentences with labels.
        num_labels: L.
        row_starts: where the entries of each row stand, [R + 1].
        entry_labels: the label of every entry, rising within a row.
    """

    examples: Examples
    num_labels: int
    row_starts: Int64[np.ndarray, " row_bounds"]
    entry_labels: Integer[np.ndarray, " entries"]
    _native: list[Any] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(
        cls, examples: Examples, num_rows: int, num_labels: int, all_labels: bool = False
    ) -> CrfProblem:
        """Lay out the parameters.

        Args:
            examples: sentences with labels.
            num_rows: R; every feature is below it.
            num_labels: L.
            all_labels: give every row a weight for every label; otherwise only for those it is
                seen with.

        Raises:
            DataError: no position at all, or numbers out of range.
        """
        _check(examples, num_rows, num_labels)
        if all_labels:
            row_starts = np.arange(num_rows + 1, dtype=np.int64) * num_labels
            labels = np.tile(np.arange(num_labels, dtype=np.uint16), num_rows)
            return cls(examples, num_labels, row_starts, labels)
        pairs = examples.features_NF.astype(np.int64) * num_labels + examples.labels_N[:, None]
        seen = np.sort(pairs[examples.features_NF >= 0])
        seen = seen[np.concatenate([[True], seen[1:] != seen[:-1]])] if len(seen) else seen
        sizes = np.bincount(seen // num_labels, minlength=num_rows)
        row_starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(examples, num_labels, row_starts, (seen % num_labels).astype(np.uint16))

    @property
    def num_entries(self) -> int:
        """How many emission weights there are."""
        return int(self.row_starts[-1])

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.row_starts) - 1

    @property
    def num_parameters(self) -> int:
        """Entries, transitions, begin and end."""
        return self.num_entries + self.num_labels * (self.num_labels + 2)

    def native(self, native: Any) -> Any:  # noqa: ANN401 - a compiled module without types
        """Return the compiled twin of this problem, made once."""
        if not self._native:
            one = self.examples
            arrays = (one.features_NF, one.starts, one.labels_N, self.row_starts, self.entry_labels)
            self._native.append(native.CrfProblem(*arrays, self.num_labels))
        return self._native[0]

    @cached_property
    def rows_of_entries(self) -> Int64[np.ndarray, " entries"]:
        """The row of every entry."""
        sizes = np.diff(self.row_starts)
        return np.repeat(np.arange(self.num_rows, dtype=np.int64), sizes)

    def loss(
        self, weights: Float64[np.ndarray, " parameters"], num_threads: int = 1
    ) -> tuple[float, Float64[np.ndarray, " parameters"]]:
        """Return the negative log-likelihood of all sentences, and its gradient.

        Args:
            weights: all parameters.
            num_threads: the result does not depend on it.
        """
        native = native_part()
        if native is None:
            return _loss_in_numpy(self, weights)
        gradient = np.empty(self.num_parameters, dtype=np.float64)
        value = self.native(native).objective(weights, gradient, num_threads)
        return float(value), gradient


def _check(examples: Examples, num_rows: int, num_labels: int) -> None:
    features, labels = examples.features_NF, examples.labels_N
    if len(labels) == 0:
        raise DataError("models.crf-nothing-to-learn")
    limits = (
        (int(labels.min()), int(labels.max()), num_labels),
        (int(features.min(initial=0)) + 1, int(features.max(initial=0)), num_rows),
    )
    for smallest, largest, size in limits:
        if smallest < 0 or largest >= size or size > _MOST_LABELS * _MOST_LABELS:
            raise DataError(
                "models.crf-out-of-range", smallest=smallest, largest=largest, size=size
            )


def entry_scores(
    problem: CrfProblem, weights: Float64[np.ndarray, " parameters"]
) -> Float64[np.ndarray, "positions labels"]:
    """Return the emission score of every label at every position, in NumPy."""
    features_NF = problem.examples.features_NF
    scores_NL = np.zeros((len(features_NF), problem.num_labels))
    for features_N in features_NF.T:
        positions, entries = entries_at(features_N, problem.row_starts)
        scores_NL[positions, problem.entry_labels[entries]] += weights[entries]
    return scores_NL


def entries_at(
    features_N: Int32[np.ndarray, " positions"], row_starts: Int64[np.ndarray, " row_bounds"]
) -> tuple[Int64[np.ndarray, " found"], Int64[np.ndarray, " found"]]:
    """Return all (position, entry) pairs of one template's features."""
    positions = np.flatnonzero(features_N >= 0)
    rows = features_N[positions]
    sizes = row_starts[rows + 1] - row_starts[rows]
    ends = np.cumsum(sizes)
    steps = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    return np.repeat(positions, sizes), np.repeat(row_starts[rows], sizes) + steps


def _loss_in_numpy(
    problem: CrfProblem, weights: Float64[np.ndarray, " parameters"]
) -> tuple[float, Float64[np.ndarray, " parameters"]]:
    one = problem.examples
    edges = weights[problem.num_entries :]
    scores_NL = entry_scores(problem, weights)
    found = expectations(scores_NL, one.starts, edges)
    errors_NL = found.marginals_NL
    errors_NL[np.arange(len(one.labels_N)), one.labels_N] -= 1.0
    gradient = np.zeros(problem.num_parameters)
    for features_N in one.features_NF.T:
        positions, entries = entries_at(features_N, problem.row_starts)
        errors = errors_NL[positions, problem.entry_labels[entries]]
        gradient[: problem.num_entries] += np.bincount(entries, errors, problem.num_entries)
    gold_edges = seen_edges(one, problem.num_labels)
    gradient[problem.num_entries :] = found.edges - gold_edges
    gold = float(scores_NL[np.arange(len(one.labels_N)), one.labels_N].sum())
    return found.log_z - gold - float((edges * gold_edges).sum()), gradient


def seen_edges(examples: Examples, num_labels: int) -> Float64[np.ndarray, " edges"]:
    """Count transitions, begins and ends, laid out like edge weights."""
    labels, starts = examples.labels_N, examples.starts
    is_first = np.zeros(len(labels) + 1, dtype=np.bool_)
    is_first[starts] = True
    after = np.flatnonzero(~is_first[:-1])
    pairs = labels[after - 1].astype(np.int64) * num_labels + labels[after]
    filled = starts[1:] > starts[:-1]
    counts = (
        np.bincount(pairs, minlength=num_labels * num_labels),
        np.bincount(labels[starts[:-1][filled]], minlength=num_labels),
        np.bincount(labels[starts[1:][filled] - 1], minlength=num_labels),
    )
    return np.concatenate(counts).astype(np.float64)
