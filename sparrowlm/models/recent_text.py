"""What the text so far says about what comes next: an n-gram of the last pages alone.

A name that the training text never saw is likely to come again once it has come. Every order m
looks up the last m ids in the recent text and mixes in the order below by Witten and Bell's rule:

    p_m(id) = (c_m(id) + k_m p_{m-1}(id)) / (n_m + k_m)      p_{-1}(id) = 1 / V

c_m(id) counts how often the id followed the last m ids, n_m is the sum, k_m the number of different
ids that did; k_0 is taken as 1/2.

What is recent: the ids since the separator; of a long text the last 4,096 to 8,191, the older half
being forgotten whenever 8,192 are reached. What a model drafts itself is context, but no evidence:
otherwise a phrase said twice would be said for ever.

Source: Kuhn and De Mori 1990, "A cache-based natural language model for speech recognition"; Witten
and Bell 1991, "The zero-frequency problem".

Shape letters: T positions, V vocabulary, R ids of recent text, F features, M orders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int, Int64, Integer

RECENT_ORDERS = 4
NUM_RECENT_FEATURES = 2 * RECENT_ORDERS
_SEPARATOR = 0
_FORGOTTEN_AT_ONCE = 4096
_UNSEEN = 0.5

Vector = np.ndarray[Any, np.dtype[np.float64]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]
Whole = np.ndarray[Any, np.dtype[np.int64]]


def _nothing() -> Whole:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class RecentText:
    """The ids that count; never changed in place.

    Attributes:
        given_R: read, since the last separator.
        drafted_D: proposed by a model after it.
    """

    given_R: Int64[np.ndarray, " recent"] = field(default_factory=_nothing)
    drafted_D: Int64[np.ndarray, " drafted"] = field(default_factory=_nothing)

    def read(self, ids_T: Int[np.ndarray, " time"]) -> RecentText:
        """Read on; what was drafted is thereby accepted, and a separator begins a new text."""
        ids_T = np.concatenate([self.given_R, self.drafted_D, ids_T])
        separators = np.flatnonzero(ids_T == _SEPARATOR)
        if len(separators):
            ids_T = ids_T[separators[-1] + 1 :]
        surplus = len(ids_T) // _FORGOTTEN_AT_ONCE - 1
        return RecentText(ids_T[max(surplus, 0) * _FORGOTTEN_AT_ONCE :])

    def draft(self, token_id: int) -> RecentText:
        """Go on with an id that nobody has given."""
        if token_id == _SEPARATOR:
            return RecentText()
        return RecentText(self.given_R, np.append(self.drafted_D, token_id))

    def predict(
        self, vocab_size: int
    ) -> tuple[Float32[np.ndarray, " vocab"], Float32[np.ndarray, " features"]]:
        """Return the distribution of what follows, and what is known: ln(1 + n_m), ln(1 + k_m).

        Args:
            vocab_size: V.
        """
        given_R = self.given_R
        context = np.concatenate([given_R[1 - RECENT_ORDERS :], self.drafted_D])
        probabilities_V = np.full(vocab_size, 1.0 / vocab_size)
        known_F = np.zeros(NUM_RECENT_FEATURES)
        follows_R = np.ones(len(given_R), dtype=bool)
        for order in range(min(RECENT_ORDERS, len(context) + 1)):
            if order:  # what follows the last `order` ids: extend by one id to the left
                follows_R[order:] &= given_R[:-order] == context[-order]
                follows_R[:order] = False
            counts_V = np.bincount(given_R[follows_R], minlength=vocab_size)
            total, kinds = int(counts_V.sum()), int(np.count_nonzero(counts_V))
            if total == 0:
                break
            escape = kinds if order else _UNSEEN
            probabilities_V = (counts_V + escape * probabilities_V) / (total + escape)
            known_F[2 * order : 2 * order + 2] = total, kinds
        return probabilities_V.astype(np.float32), np.log1p(known_F).astype(np.float32)


def score_by_recent(
    ids_T: Integer[np.ndarray, " time"], vocab_size: int
) -> Iterator[tuple[Float32[np.ndarray, " rows"], Float32[np.ndarray, "rows features"]]]:
    """Score a text by its own past, in bounded memory.

    Args:
        ids_T: a separator and the text; further separators begin new texts.
        vocab_size: V.

    Yields:
        Probabilities of the ids that came and features of RecentText.predict, in order, together
        one row for each of ids_T[1:].
    """
    separators = (np.flatnonzero(ids_T[1:] == _SEPARATOR) + 2).tolist()
    begin = int(len(ids_T) > 0 and ids_T[0] == _SEPARATOR)
    # The separator that ends a text is predicted from it.
    for end in (*separators, len(ids_T)):
        for first in range(begin, end, _FORGOTTEN_AT_ONCE):
            remembered = max(first - _FORGOTTEN_AT_ONCE, begin)
            piece_T = ids_T[remembered : min(first + _FORGOTTEN_AT_ONCE, end)]
            yield _scored(piece_T.astype(np.int64), max(first, 1) - remembered, vocab_size)
        begin = end


def _scored(piece_T: Whole, skipped: int, vocab_size: int) -> tuple[Matrix, Matrix]:
    """Score the ids of a piece from `skipped` on, each by all before it in the piece."""
    length = len(piece_T)
    _ids, local_T = np.unique(piece_T, return_inverse=True)
    local_T = local_T.astype(np.int64)
    base = len(_ids)
    probabilities_T: Vector = np.full(length, 1.0 / vocab_size)
    known_TF = np.zeros((length, NUM_RECENT_FEATURES))
    contexts_T = np.zeros(length, dtype=np.int64)
    for order in range(min(RECENT_ORDERS, length)):
        if order:  # position t: the ids t - order to t - 1 as one number
            contexts_T[order:] += local_T[:-order] * base ** (order - 1)
        hits_T, totals_T, kinds_T = _seen_before(contexts_T[order:], local_T[order:], base)
        escapes_T = kinds_T if order else np.full(length, _UNSEEN)
        below_T = probabilities_T[order:]
        mixed_T = (hits_T + escapes_T * below_T) / np.maximum(totals_T + escapes_T, 1e-9)
        probabilities_T[order:] = np.where(totals_T > 0, mixed_T, below_T)
        known_TF[order:, 2 * order] = totals_T
        known_TF[order:, 2 * order + 1] = kinds_T
    return (
        probabilities_T[skipped:].astype(np.float32),
        np.log1p(known_TF[skipped:]).astype(np.float32),
    )


def _seen_before(contexts_T: Whole, ids_T: Whole, base: int) -> tuple[Whole, Whole, Whole]:
    """Count for every position what came before it: the pair, the context, ids after the context.

    Returns:
        c, n and k of the module's formula.
    """
    hits_T, totals_T, kinds_T = (np.empty_like(ids_T) for _result in range(3))
    order, begins_T = _grouped(contexts_T * base + ids_T)
    hits_T[order] = np.arange(len(order)) - begins_T
    order, begins_T = _grouped(contexts_T)
    totals_T[order] = np.arange(len(order)) - begins_T
    is_new_T = hits_T[order] == 0
    new_before_T = np.cumsum(is_new_T) - is_new_T
    kinds_T[order] = new_before_T - new_before_T[begins_T]
    return hits_T, totals_T, kinds_T


def _grouped(keys_T: Whole) -> tuple[Whole, Whole]:
    """Return positions sorted by key, then time, and for each where its group begins there."""
    order = np.argsort(keys_T, kind="stable")
    sorted_T = keys_T[order]
    is_first = np.ones(len(sorted_T), dtype=bool)
    is_first[1:] = sorted_T[1:] != sorted_T[:-1]
    return order, np.maximum.accumulate(np.where(is_first, np.arange(len(sorted_T)), 0))
