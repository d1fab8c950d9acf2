"""Best labels and marginals of label chains: native where it is built, else all sentences at once.

Scores are [N, L], all sentences one behind the other; edges are the transitions [L, L], begin [L]
and end [L] in one vector. Penalties are added to scores, so that a forbidden label costs
constraints.FORBIDDEN.

Source: Viterbi 1967; Rabiner 1989, "A tutorial on hidden Markov models", section III; Sutton and
McCallum 2012, "An introduction to conditional random fields", section 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int32, Int64
from sparrowlm.foundation.native_part import native_part

Sums = np.ndarray[Any, np.dtype[np.float64]]

_MOST_PAIRS = 1 << 22  # numbers [sentences, L, L] held at once


@dataclass(frozen=True)
class Expectations:
    """What a model expects of its sentences.

    Args:
        log_z: the sum of the logarithms of all sentences' normalisers, nats.
        marginals_NL: probability of every label at every position.
        edges: expected counts of transitions, begins and ends, laid out like edge weights.
    """

    log_z: float
    marginals_NL: Float64[np.ndarray, "positions labels"]
    edges: Float64[np.ndarray, " edges"]


def best_labels(
    scores_NL: Float32[np.ndarray, "positions labels"],
    starts: Int64[np.ndarray, " bounds"],
    edges: Float64[np.ndarray, " edges"],
    penalties_NL: Float64[np.ndarray, "positions labels"] | None = None,
) -> Int32[np.ndarray, " positions"]:
    """Return the best labels of every sentence (the smallest numbers where several are best).

    Args:
        scores_NL: emission scores.
        starts: where the sentences start, and N: [S + 1].
        edges: weights of transitions, begin and end, with the penalties of what is forbidden.
        penalties_NL: 0 or FORBIDDEN.
    """
    native = native_part()
    labels_N = np.zeros(len(scores_NL), dtype=np.int32)
    if native is not None:
        native.crf_viterbi(scores_NL, starts, edges, penalties_NL, labels_N)
        return labels_N
    num_labels = scores_NL.shape[1]
    for group in _groups(starts, num_labels):
        rows = scores_NL[group.positions].astype(np.float64)
        extra = None if penalties_NL is None else penalties_NL[group.positions]
        labels_N[group.positions] = _viterbi(group, rows, extra, edges)
    return labels_N


def marginals(
    scores_NL: Float32[np.ndarray, "positions labels"],
    starts: Int64[np.ndarray, " bounds"],
    edges: Float64[np.ndarray, " edges"],
    penalties_NL: Float64[np.ndarray, "positions labels"] | None = None,
) -> Float32[np.ndarray, "positions labels"]:
    """Return the probability of every label at every position; arguments as in best_labels."""
    native = native_part()
    if native is not None:
        found_NL = np.zeros(scores_NL.shape, dtype=np.float32)
        native.crf_marginals(scores_NL, starts, edges, penalties_NL, found_NL)
        return found_NL
    whole_NL = scores_NL.astype(np.float64)
    if penalties_NL is not None:
        whole_NL += penalties_NL
    found = expectations(whole_NL, starts, edges).marginals_NL
    return np.asarray(found, dtype=np.float32)


def expectations(
    scores_NL: Float64[np.ndarray, "positions labels"],
    starts: Int64[np.ndarray, " bounds"],
    edges: Float64[np.ndarray, " edges"],
) -> Expectations:
    """Run forward and backward in logarithms over all sentences, in NumPy."""
    found_NL = np.zeros(scores_NL.shape)
    counts = np.zeros_like(edges)
    log_z = 0.0
    for group in _groups(starts, scores_NL.shape[1]):
        rows = scores_NL[group.positions]
        alpha, totals = _forward(group, rows, edges)
        found_NL[group.positions] = _backward(group, rows, edges, alpha, totals, counts)
        log_z += float(totals.sum())
    return Expectations(log_z, found_NL, counts)


def split_edges(
    edges: Float64[np.ndarray, " edges"], num_labels: int
) -> tuple[
    Float64[np.ndarray, "labels labels"],
    Float64[np.ndarray, " labels"],
    Float64[np.ndarray, " labels"],
]:
    """Return views of transitions [L, L], begin [L] and end [L]."""
    square = num_labels * num_labels
    transitions_LL = edges[:square].reshape(num_labels, num_labels)
    return transitions_LL, edges[square : square + num_labels], edges[square + num_labels :]


class _Group:
    """Sentences side by side: place t holds position t of all that are so long, longest first.

    Args:
        starts: where the sentences start, the longest first.
        lengths: how long they are, at least 1.
    """

    def __init__(
        self, starts: Int64[np.ndarray, " sentences"], lengths: Int64[np.ndarray, " sentences"]
    ) -> None:
        most = int(lengths[0])
        self.sizes = np.searchsorted(-lengths, -np.arange(most), side="left")
        self.offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        times = np.repeat(np.arange(most), self.sizes)
        self.sentence_of = np.arange(len(times)) - self.offsets[times]
        self.positions = starts[self.sentence_of] + times
        self.places_of_ends = self.offsets[lengths - 1] + np.arange(len(lengths))

    @property
    def most(self) -> int:
        """The length of the longest sentence."""
        return len(self.sizes)

    def place(self, t: int, size: int | None = None) -> slice:
        """Return where position t of the first sentences stands; None: of all so long."""
        return slice(self.offsets[t], self.offsets[t] + (self.sizes[t] if size is None else size))


def _groups(starts: Int64[np.ndarray, " bounds"], num_labels: int) -> Iterator[_Group]:
    lengths = np.diff(starts)
    order = np.argsort(-lengths, kind="stable")
    order = order[lengths[order] > 0]
    size = max(1, _MOST_PAIRS // (num_labels * num_labels))
    for first in range(0, len(order), size):
        some = order[first : first + size]
        yield _Group(starts[some], lengths[some])


def _viterbi(
    group: _Group,
    rows: Float64[np.ndarray, "places labels"],
    extra: Float64[np.ndarray, "places labels"] | None,
    edges: Float64[np.ndarray, " edges"],
) -> Int32[np.ndarray, " places"]:
    """Return the best labels; float64 operations in the order of the compiled twin."""
    transitions_LL, begin_L, end_L = split_edges(edges, rows.shape[1])
    links = np.zeros(rows.shape, dtype=np.int32)
    best = np.zeros((int(group.sizes[0]), rows.shape[1]))
    for t in range(group.most):
        here, size = group.place(t), int(group.sizes[t])
        if t == 0:
            before = np.broadcast_to(begin_L, best.shape)
        else:
            most = best[:size].max(axis=1, keepdims=True)
            paths = (best[:size] - most)[:, :, None] + transitions_LL
            links[here] = paths.argmax(axis=1)
            before = np.take_along_axis(paths, links[here][:, None, :], axis=1)[:, 0]
        best[:size] = before + rows[here]
        if extra is not None:
            best[:size] += extra[here]
    labels = np.zeros(len(rows), dtype=np.int32)
    labels[group.places_of_ends] = (best + end_L).argmax(axis=1)
    for t in range(group.most - 1, 0, -1):
        here, size = group.place(t), int(group.sizes[t])
        chosen = np.take_along_axis(links[here], labels[here][:, None], axis=1)[:, 0]
        labels[group.place(t - 1, size)] = chosen
    return labels


def _forward(
    group: _Group,
    rows: Float64[np.ndarray, "places labels"],
    edges: Float64[np.ndarray, " edges"],
) -> tuple[Float64[np.ndarray, "places labels"], Float64[np.ndarray, " sentences"]]:
    transitions_LL, begin_L, end_L = split_edges(edges, rows.shape[1])
    alpha = np.empty(rows.shape)
    alpha[group.place(0)] = begin_L + rows[group.place(0)]
    for t in range(1, group.most):
        here, size = group.place(t), int(group.sizes[t])
        paths = alpha[group.place(t - 1, size)][:, :, None] + transitions_LL
        alpha[here] = _log_sum(paths, axis=1) + rows[here]
    return alpha, _log_sum(alpha[group.places_of_ends] + end_L, axis=1)


def _backward(
    group: _Group,
    rows: Float64[np.ndarray, "places labels"],
    edges: Float64[np.ndarray, " edges"],
    alpha: Float64[np.ndarray, "places labels"],
    totals: Float64[np.ndarray, " sentences"],
    counts: Float64[np.ndarray, " edges"],
) -> Float64[np.ndarray, "places labels"]:
    """Return the marginals, and add the expected edges to counts."""
    transitions_LL, _, end_L = split_edges(edges, rows.shape[1])
    pairs_LL, begins_L, ends_L = split_edges(counts, rows.shape[1])
    beta = np.empty(rows.shape)
    beta[group.places_of_ends] = end_L
    for t in range(group.most - 2, -1, -1):
        size = int(group.sizes[t + 1])
        after, here = group.place(t + 1), group.place(t, size)
        paths = transitions_LL + (rows[after] + beta[after])[:, None, :]
        beta[here] = _log_sum(paths, axis=2)
        joint = alpha[here][:, :, None] + paths - totals[:size, None, None]
        pairs_LL += np.exp(joint).sum(axis=0)
    found: Float64[np.ndarray, "places labels"] = np.exp(
        alpha + beta - totals[group.sentence_of][:, None]
    )
    begins_L += found[group.place(0)].sum(axis=0)
    ends_L += found[group.places_of_ends].sum(axis=0)
    return found


def _log_sum(values: Sums, axis: int) -> Sums:
    most = values.max(axis=axis, keepdims=True)
    sums: Sums = np.exp(values - most).sum(axis=axis)
    return np.asarray(np.squeeze(most, axis) + np.log(sums))
