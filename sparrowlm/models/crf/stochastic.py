"""AdaGrad over single sentences: a few rounds reach what L-BFGS reaches in many.

Every weight has a rate of its own, and the cost of its square is caught up when its row is met
again. One thread: updates of several would come in an order that nobody can repeat.

Source: Duchi, Hazan, Singer 2011, "Adaptive subgradient methods for online learning and stochastic
optimization"; lazy decay as in Bottou 2010, "Large-scale machine learning with stochastic gradient
descent", section 5.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int32, Int64
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.crf.lattice import expectations
from sparrowlm.models.crf.problem import CrfProblem, Examples, entries_at, seen_edges

Places = np.ndarray[Any, np.dtype[np.int64]]

_SENTENCES_PER_EDGE = 8  # there are L * L transitions: they move once in several sentences


@dataclass
class AdaGrad:
    """The state of the descent.

    Args:
        problem: what is learnt.
        rate: size of the steps.
        decay: per step, the gradient of the penalty is this times the weight.
    """

    problem: CrfProblem
    rate: float
    decay: float

    def __post_init__(self) -> None:
        size = self.problem.num_parameters
        self.weights: Float32[np.ndarray, " parameters"] = np.zeros(size, dtype=np.float32)
        self.squares: Float32[np.ndarray, " parameters"] = np.zeros(size, dtype=np.float32)
        self.times: Int64[np.ndarray, " rows"] = np.zeros(self.problem.num_rows, dtype=np.int64)
        self.num_steps = 0
        self._edge_errors = np.zeros(size - self.problem.num_entries)

    def epoch(self, order: Int64[np.ndarray, " sentences"]) -> float:
        """Take one step per sentence.

        Args:
            order: the numbers of the sentences.

        Returns:
            The sum of the negative log-likelihoods, each before its step.
        """
        native = native_part()
        if native is None:
            loss = 0.0
            for k, sentence in enumerate(order.tolist()):
                loss += self._step(sentence, self.num_steps + k)
                waiting = k % _SENTENCES_PER_EDGE + 1
                if waiting == _SENTENCES_PER_EDGE or k + 1 == len(order):
                    self._descend_edges(waiting)
        else:
            loss = self.problem.native(native).adagrad_epoch(
                self.weights,
                self.squares,
                self.times,
                order,
                self.rate,
                self.decay,
                self.num_steps,
            )
        self.num_steps += len(order)
        return float(loss)

    def settled(self) -> Float64[np.ndarray, " parameters"]:
        """Return the weights with all decay caught up; the state stays as it is."""
        weights = self.weights.astype(np.float64)
        missed = (self.num_steps - self.times)[self.problem.rows_of_entries]
        squares = self.squares[: self.problem.num_entries].astype(np.float64)
        lost = self.rate * self.decay * missed
        weights[: self.problem.num_entries] /= 1.0 + lost / np.sqrt(np.maximum(squares, 1e-30))
        return weights

    def _step(self, sentence: int, step: int) -> float:
        problem = self.problem
        first, last = problem.examples.starts[sentence : sentence + 2]
        if first == last:
            return 0.0
        features_NF = problem.examples.features_NF[first:last]
        labels_N = problem.examples.labels_N[first:last]
        self._catch_up(np.unique(features_NF[features_NF >= 0]), step)
        scores_NL = np.zeros((last - first, problem.num_labels))
        found = [entries_at(features_N, problem.row_starts) for features_N in features_NF.T]
        for positions, entries in found:
            scores_NL[positions, problem.entry_labels[entries]] += self.weights[entries]
        edges = self.weights[problem.num_entries :].astype(np.float64)
        bounds = np.array([0, last - first], dtype=np.int64)
        expected = expectations(scores_NL, bounds, edges)
        gold = seen_edges(Examples(features_NF, bounds, labels_N), problem.num_labels)
        errors_NL = expected.marginals_NL
        rows = np.arange(last - first)
        loss = expected.log_z - float(scores_NL[rows, labels_N].sum() + (edges * gold).sum())
        errors_NL[rows, labels_N] -= 1.0
        self._descend_rows(found, errors_NL)
        self._edge_errors += expected.edges - gold
        return loss

    def _descend_edges(self, waiting: int) -> None:
        size = self.problem.num_entries
        edges = self.weights[size:].astype(np.float64)
        every = np.arange(size, self.problem.num_parameters)
        self._descend(every, self._edge_errors + self.decay * waiting * edges)
        self._edge_errors = np.zeros_like(edges)

    def _catch_up(self, rows: Int32[np.ndarray, " rows"], step: int) -> None:
        _, entries = entries_at(rows, self.problem.row_starts)
        missed = (step - self.times)[self.problem.rows_of_entries[entries]]
        lost = (self.rate * self.decay * missed).astype(np.float32)
        size = np.sqrt(np.maximum(self.squares[entries], np.float32(1e-30)))
        self.weights[entries] /= np.float32(1.0) + lost / size
        self.times[rows] = step

    def _descend_rows(
        self,
        found: list[tuple[Places, Places]],
        errors_NL: Float64[np.ndarray, "positions labels"],
    ) -> None:
        """Take the steps of the positions one after the other, as the compiled twin does."""
        for position in range(len(errors_NL)):
            for positions, entries in found:
                here = entries[positions == position]
                self._descend(here, errors_NL[position, self.problem.entry_labels[here]])

    def _descend(
        self, places: Int64[np.ndarray, " places"], gradient: Float64[np.ndarray, " places"]
    ) -> None:
        steep = gradient.astype(np.float32)
        self.squares[places] += steep * steep
        size = np.sqrt(np.maximum(self.squares[places], np.float32(1e-30)))
        self.weights[places] -= np.float32(self.rate) * steep / size
