"""Discounts of modified Kneser–Ney smoothing: estimated from counts, refined on held-out text.

    p_n(w | h) = max(a(hw) - D(a(hw)), 0) / A(h) + gamma(h) p_{n-1}(w | h')        p_0(w) = 1 / V

a is the occurrence count at the highest order and the number of distinct ids seen in front below
it; A(h) sums it over w; h' drops the first id of h; D is one of three numbers for a = 1, a = 2 and
a >= 3; gamma(h) is the share of A(h) that the discounts set free, so that the sum over w is 1.

Source: Kneser and Ney 1995, "Improved backing-off for m-gram language modeling"; Chen and Goodman
1998, "An empirical study of smoothing techniques for language modeling", equations 26 and 27;
Heafield et al. 2013, "Scalable modified Kneser-Ney language model estimation" (sentence starts,
uniform distribution at the bottom).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.models.ngram.statistics import EventStatistics, Real, class_of

NUM_CLASSES = 3
# Where counts of counts are missing or absurd, as in very small texts.
_FALLBACK = (0.5, 1.0, 1.5)
_RATE = 0.08
_SMALLEST = 1e-30

Discounts = Float64[np.ndarray, "orders classes"]


def estimated_discounts(adjusted_counts: np.ndarray[Any, np.dtype[Any]]) -> tuple[float, ...]:
    """Estimate D for a = 1, 2 and 3 or more of one order.

    Args:
        adjusted_counts: a of every distinct n-gram of the order.

    Returns:
        Three discounts, each at least a hundredth of its count and at most the count, so that no
        id ever gets probability 0; (0.5, 1, 1.5) where counts 1 to 4 give no estimate.
    """
    occurring = np.bincount(np.minimum(adjusted_counts, 5), minlength=6)[1:5].astype(np.float64)
    if occurring.min() == 0:
        return _FALLBACK
    scale = occurring[0] / (occurring[0] + 2 * occurring[1])
    discounts = tuple(
        float(k - (k + 1) * scale * occurring[k] / occurring[k - 1])
        for k in range(1, NUM_CLASSES + 1)
    )
    if any(not 0 <= discount <= k for k, discount in enumerate(discounts, start=1)):
        return _FALLBACK
    return tuple(max(discount, 0.01 * k) for k, discount in enumerate(discounts, start=1))


def refined_discounts(
    start_NC: Discounts,
    statistics: Sequence[EventStatistics],
    vocab_size: int,
    num_steps: int = 100,
) -> tuple[Discounts, float]:
    """Move discounts to where held-out events become most probable.

    Gradient steps (Adam) on the logits of D / count, which keep every discount in its range.

    Args:
        start_NC: discounts to begin with.
        statistics: of held-out events, one per order.
        vocab_size: V.
        num_steps: gradient steps.

    Returns:
        discounts_NC, never worse on these events than start_NC; the mean loss of the events, nats.
    """
    terms = [_Terms.of(one) for one in statistics]
    ceilings_C = np.arange(1, NUM_CLASSES + 1, dtype=np.float64)
    shares_NC = np.clip(start_NC / ceilings_C, 0.01, 0.99)
    logits_NC = np.log(shares_NC / (1 - shares_NC))
    best_NC, best_nats = start_NC, _slopes(start_NC, terms, vocab_size)[0]
    mean_NC, square_NC = np.zeros_like(logits_NC), np.zeros_like(logits_NC)
    for step in range(1, num_steps + 1):
        shares_NC = 1 / (1 + np.exp(-logits_NC))
        discounts_NC = shares_NC * ceilings_C
        nats, slopes_NC = _slopes(discounts_NC, terms, vocab_size)
        if nats < best_nats:
            best_NC, best_nats = discounts_NC, nats
        slopes_NC = slopes_NC * ceilings_C * shares_NC * (1 - shares_NC)
        mean_NC = 0.9 * mean_NC + 0.1 * slopes_NC
        square_NC = 0.99 * square_NC + 0.01 * slopes_NC**2
        scaled_NC = np.sqrt(square_NC / (1 - 0.99**step)) + 1e-12
        logits_NC = logits_NC - _RATE * mean_NC / (1 - 0.9**step) / scaled_NC
    return np.asarray(best_NC, dtype=np.float64), best_nats


@dataclass(frozen=True)
class _Terms:
    """One order of the events, divided by A: p = whole - own D + (free D + lost) p_lower."""

    whole_T: Real
    own_CT: Real
    free_CT: Real
    lost_T: Real

    @classmethod
    def of(cls, one: EventStatistics) -> _Terms:
        is_known_T = one.mass > 0
        scale_T = is_known_T / np.maximum(one.mass, 1)
        classes_CT = class_of(one.adjusted) == np.arange(1, NUM_CLASSES + 1)[:, None]
        return cls(
            one.adjusted * scale_T,
            classes_CT * scale_T,
            np.stack([one.ones, one.twos, one.more]) * scale_T,
            # An unknown context hands everything down.
            np.where(is_known_T, one.lost * scale_T, 1.0),
        )


def _slopes(
    discounts_NC: Discounts, terms: Sequence[_Terms], vocab_size: int
) -> tuple[float, Discounts]:
    """Return the mean loss and its derivatives by the discounts.

    Sums are NumPy's own, not BLAS's, whose bits depend on the number of threads.
    """
    lower_T = np.full(len(terms[0].whole_T), 1.0 / vocab_size)
    lowers, weights = [], []
    for one, discounts_C in zip(terms, discounts_NC, strict=True):
        column_C1 = discounts_C[:, None]
        lowers.append(lower_T)
        weights.append((column_C1 * one.free_CT).sum(axis=0) + one.lost_T)
        lower_T = one.whole_T - (column_C1 * one.own_CT).sum(axis=0) + weights[-1] * lower_T
    lower_T = np.maximum(lower_T, _SMALLEST)
    slopes_NC = np.zeros_like(discounts_NC)
    # What one unit of p_n adds to the logarithm of the highest order's probability.
    share_T = 1 / lower_T / len(lower_T)
    for n in range(len(terms) - 1, -1, -1):
        one = terms[n]
        slopes_NC[n] = -((one.free_CT * lowers[n] - one.own_CT) * share_T).sum(axis=1)
        share_T = share_T * weights[n]
    return float(-np.log(lower_T).mean()), slopes_NC
