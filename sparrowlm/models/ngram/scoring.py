"""Probabilities of ids in their contexts, at every order.

Shape letters: T positions, N orders, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int64
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.ngram.counting import SEPARATOR, available_context
from sparrowlm.models.ngram.statistics import (
    EventStatistics,
    class_of,
    interpolated,
    without_the_event,
)
from sparrowlm.models.ngram.table import Table

# Positions described at a time by NumPy: bounds its memory to some tens of MB.
_CHUNK = 1 << 16
# Probabilities of forward held in double precision at a time.
_CHUNK_PROBABILITIES = 1 << 20

Whole = np.ndarray[Any, np.dtype[np.int64]]
Discounts = Float64[np.ndarray, "orders classes"]


@dataclass(frozen=True)
class NgramScores:
    """What every order of an n-gram model gave to the ids of a text.

    Attributes:
        probabilities_TN: column n - 1 is the probability of ids[t] after ids[:t] at order n; the
            last column is the model's own.
        context_counts_TN: how often the context of order n (n - 1 ids) was seen, 0 for never.
        num_continuations_TN: how many different ids followed it.
    """

    probabilities_TN: Float32[np.ndarray, "time orders"]
    context_counts_TN: Float32[np.ndarray, "time orders"]
    num_continuations_TN: Float32[np.ndarray, "time orders"]


@dataclass(frozen=True)
class NgramPrediction:
    """The next id's distribution at every order; rows sum to 1.

    Attributes:
        probabilities_NV: row n - 1 is the distribution of order n.
        context_counts_N: as in NgramScores.
        num_continuations_N: as in NgramScores.
    """

    probabilities_NV: Float32[np.ndarray, "orders vocab"]
    context_counts_N: Float32[np.ndarray, " orders"]
    num_continuations_N: Float32[np.ndarray, " orders"]


@dataclass(frozen=True)
class NgramPredictions:
    """Predictions after several contexts.

    Attributes:
        probabilities_BNV: [b, n - 1] is the distribution of order n after context b.
        context_counts_BN: as in NgramScores.
        num_continuations_BN: as in NgramScores.
    """

    probabilities_BNV: Float32[np.ndarray, "contexts orders vocab"]
    context_counts_BN: Float32[np.ndarray, "contexts orders"]
    num_continuations_BN: Float32[np.ndarray, "contexts orders"]

    def rows(self, chosen: slice) -> NgramPredictions:
        """Return what is known after some of the contexts."""
        return NgramPredictions(
            self.probabilities_BNV[chosen],
            self.context_counts_BN[chosen],
            self.num_continuations_BN[chosen],
        )


def predict(
    table: Table, discounts_NC: Discounts, contexts: Sequence[Int64[np.ndarray, " _"]]
) -> NgramPredictions:
    """Predict the id after each of several contexts, at every order.

    Args:
        table: counts.
        discounts_NC: one row per order.
        contexts: ids, each inside the vocabulary; nothing is known before the first of each.
    """
    sizes = (len(contexts), table.order)
    found = NgramPredictions(
        np.empty((*sizes, table.vocab_size), dtype=np.float32),
        np.empty(sizes, dtype=np.float32),
        np.empty(sizes, dtype=np.float32),
    )
    native = native_part()
    if native is not None:
        ends = np.cumsum([len(ids) for ids in contexts], dtype=np.int64)
        ids = np.concatenate([*contexts, np.zeros(0, dtype=np.int64)])
        native.predict(
            table.native(native), discounts_NC, ids, ends, found.probabilities_BNV,
            found.context_counts_BN, found.num_continuations_BN,
        )  # fmt: skip
        return found
    for b, ids in enumerate(contexts):
        nodes = context_nodes(table, ids)
        ended = [0, *(int(found_T[-1]) if len(found_T) else -1 for found_T in nodes)]
        found.probabilities_BNV[b] = distribution(table, discounts_NC, ended)
        for n, context in enumerate(ended):
            sums = table.sums(n, np.array([context], dtype=np.int64))
            found.num_continuations_BN[b, n] = sums.ones[0] + sums.twos[0] + sums.more[0]
            found.context_counts_BN[b, n] = table.context_count(n, context)
    return found


def score(
    table: Table, discounts_NC: Discounts, ids: Int64[np.ndarray, " time"], *, leave_one_out: bool
) -> NgramScores:
    """Score every id after the ids before it.

    Args:
        table: counts.
        discounts_NC: one row per order.
        ids: each inside the vocabulary.
        leave_one_out: see statistics.without_the_event.
    """
    shape = (len(ids), table.order)
    found = NgramScores(*(np.empty(shape, dtype=np.float32) for _ in range(3)))
    outputs = (found.probabilities_TN, found.context_counts_TN, found.num_continuations_TN)
    native = native_part()
    if native is not None:
        native.score(table.native(native), discounts_NC, ids, leave_one_out, *outputs)
        return found
    for start in range(0, len(ids), _CHUNK):
        first = max(0, start - table.order + 1)
        statistics = event_statistics(table, ids[first : start + _CHUNK])
        if leave_one_out:
            statistics = without_the_event(statistics)
        probabilities = interpolated(statistics, discounts_NC, table.vocab_size)
        rows = slice(start, start + _CHUNK)
        for n, one in enumerate(statistics):
            values = (probabilities[n], one.context_count, one.num_continuations)
            for output, value in zip(outputs, values, strict=True):
                output[rows, n] = value[start - first :]
    return found


def event_statistics(table: Table, ids: Whole) -> list[EventStatistics]:
    """Look up every id after the ids before it, at every order.

    Args:
        table: counts.
        ids: each inside the vocabulary; nothing is known before the first.
    """
    nothing = np.full(1, -1, dtype=np.int64)
    ended = context_nodes(table, ids)
    contexts = [np.concatenate([nothing, nodes])[:-1] for nodes in ended]
    contexts.insert(0, np.zeros(len(ids), dtype=np.int64))
    found = []
    for n, contexts_T in enumerate(contexts):
        level, sums = table.levels[n], table.sums(n, contexts_T)
        nodes_T = table.child(n, contexts_T, ids)
        is_there_T = nodes_T >= 0
        known_T = np.maximum(nodes_T, 0)
        separated_T = np.zeros(len(ids), dtype=np.bool_)
        if n:
            separated_T[n:] = ids[:-n] == SEPARATOR
        found.append(
            EventStatistics(
                count=np.where(is_there_T, level.counts.at(known_T), 0),
                adjusted=np.where(is_there_T, level.weights.at(known_T), 0),
                context_count=_context_counts(table, n, contexts_T),
                mass=sums.mass,
                ones=sums.ones,
                twos=sums.twos,
                more=sums.more,
                lost=sums.lost,
                is_separated=separated_T,
            )
        )
    return found


def context_nodes(table: Table, ids: Whole) -> list[Whole]:
    """Find the contexts that end with each id.

    Returns:
        Per length 1 to N - 1 the numbers of the contexts, shape (T,); -1 where the context is
        unseen, reaches over a separator or before the first id.
    """
    if table.order == 1 or len(ids) == 0:
        return [np.full(len(ids), -1, dtype=np.int64) for _ in range(table.order - 1)]
    available_T = available_context(ids, table.order - 1)
    contexts = [ids]
    for n in range(1, table.order - 1):
        before = np.concatenate([np.full(1, -1, dtype=np.int64), contexts[-1]])[:-1]
        nodes = table.child(n, before, ids)
        contexts.append(np.where(available_T >= n + 1, nodes, -1))
    return contexts


def _context_counts(table: Table, n: int, contexts: Whole) -> Whole:
    if n == 0:
        return np.full(len(contexts), table.num_events, dtype=np.int64)
    counts = table.levels[n - 1].counts.at(np.maximum(contexts, 0))
    return np.where(contexts >= 0, counts, 0)


def distributions(
    table: Table, discounts_NC: Discounts, ids: Whole
) -> Iterator[Float64[np.ndarray, "rows vocab"]]:
    """Yield the next id's distribution after every id, some rows at a time.

    Args:
        table: counts.
        discounts_NC: one row per order.
        ids: each inside the vocabulary; nothing is known before the first.
    """
    size = max(1, _CHUNK_PROBABILITIES // table.vocab_size)
    native = native_part()
    nodes = [] if native is not None else context_nodes(table, ids)
    for start in range(0, len(ids), size):
        num_rows = min(size, len(ids) - start)
        rows = np.empty((num_rows, table.vocab_size), dtype=np.float64)
        if native is not None:
            before = min(start, table.order - 1)
            seen = ids[start - before : start + num_rows]
            native.distributions(table.native(native), discounts_NC, seen, before, rows)
        else:
            for t in range(start, start + num_rows):
                contexts = [0, *(int(found[t]) for found in nodes)]
                rows[t - start] = distribution(table, discounts_NC, contexts)[-1]
        yield rows


def distribution(
    table: Table, discounts_NC: Discounts, contexts: Sequence[int]
) -> Float64[np.ndarray, "orders vocab"]:
    """Return the next id's distribution at every order.

    Args:
        table: counts.
        discounts_NC: one row per order.
        contexts: the contexts of length 0 to N - 1 as numbers, -1 where there is none.
    """
    rows_NV = np.empty((table.order, table.vocab_size), dtype=np.float64)
    lower_V = np.full(table.vocab_size, 1.0 / table.vocab_size)
    for n, context in enumerate(contexts):
        row_V = rows_NV[n]
        sums = table.sums(n, np.array([context], dtype=np.int64))
        mass = int(sums.mass[0])
        if mass == 0:
            row_V[:] = lower_V
            lower_V = row_V
            continue
        discounts_C = discounts_NC[n]
        one, two, more, lost = (int(x[0]) for x in (sums.ones, sums.twos, sums.more, sums.lost))
        free = (discounts_C[0] * one + discounts_C[1] * two) + (discounts_C[2] * more + lost)
        np.multiply(lower_V, free / mass, out=row_V)
        first, end = (int(x) for x in table.starts(n)[context : context + 2])
        weights = table.levels[n].weights.at(np.arange(first, end, dtype=np.int64))
        kept = (weights - np.array([0.0, *discounts_C])[class_of(weights)]) / mass
        tokens = table.levels[n].tokens
        row_V[slice(None) if tokens is None else tokens[first:end]] += kept
        lower_V = row_V
    return rows_NV
