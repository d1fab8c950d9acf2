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
from typing import Any

import numpy as np
from jaxtyping import Float64

from sparrowlm.models.ngram.statistics import EventStatistics, class_of, interpolated

NUM_CLASSES = 3
# Where counts of counts are missing or absurd, as in very small texts.
_FALLBACK = (0.5, 1.0, 1.5)
_NUM_STEPS = 120
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
    start_NC: Discounts, statistics: Sequence[EventStatistics], vocab_size: int
) -> Discounts:
    """Move discounts to where held-out events become most probable.

    Gradient steps (Adam) on the logits of D / count, which keep every discount in its range.

    Args:
        start_NC: discounts to begin with.
        statistics: of held-out events, one per order.
        vocab_size: V.

    Returns:
        discounts_NC, never worse on these events than start_NC.
    """
    ceilings_C = np.arange(1, NUM_CLASSES + 1, dtype=np.float64)
    shares_NC = np.clip(start_NC / ceilings_C, 0.01, 0.99)
    logits_NC = np.log(shares_NC / (1 - shares_NC))
    best_NC, best_nats = start_NC, _nats(start_NC, statistics, vocab_size)
    mean_NC, square_NC = np.zeros_like(logits_NC), np.zeros_like(logits_NC)
    for step in range(1, _NUM_STEPS + 1):
        shares_NC = 1 / (1 + np.exp(-logits_NC))
        discounts_NC = shares_NC * ceilings_C
        nats, slopes_NC = _slopes(discounts_NC, statistics, vocab_size)
        if nats < best_nats:
            best_NC, best_nats = discounts_NC, nats
        slopes_NC = slopes_NC * ceilings_C * shares_NC * (1 - shares_NC)
        mean_NC = 0.9 * mean_NC + 0.1 * slopes_NC
        square_NC = 0.99 * square_NC + 0.01 * slopes_NC**2
        scaled_NC = np.sqrt(square_NC / (1 - 0.99**step)) + 1e-12
        logits_NC = logits_NC - _RATE * mean_NC / (1 - 0.9**step) / scaled_NC
    return np.asarray(best_NC, dtype=np.float64)


def _nats(discounts_NC: Discounts, statistics: Sequence[EventStatistics], vocab_size: int) -> float:
    rows = interpolated(statistics, discounts_NC, vocab_size)
    return float(-np.log(np.maximum(rows[-1], _SMALLEST)).mean())


def _slopes(
    discounts_NC: Discounts, statistics: Sequence[EventStatistics], vocab_size: int
) -> tuple[float, Discounts]:
    """Return the mean loss and its derivatives by the discounts."""
    rows = interpolated(statistics, discounts_NC, vocab_size)
    slopes_NC = np.zeros_like(discounts_NC)
    # What one unit of p_n adds to the logarithm of the highest order's probability.
    weight_T = 1 / np.maximum(rows[-1], _SMALLEST)
    num_events = len(weight_T)
    for n in range(len(statistics) - 1, -1, -1):
        one = statistics[n]
        lower_T = rows[n - 1] if n else np.full(num_events, 1 / vocab_size)
        share_T = np.where(one.mass > 0, weight_T / np.maximum(one.mass, 1), 0.0)
        classes_T = class_of(one.adjusted)
        for k, free_T in enumerate((one.ones, one.twos, one.more)):
            own_T = classes_T == k + 1
            slopes_NC[n, k] = -(share_T * (free_T * lower_T - own_T)).sum() / num_events
        weight_T = weight_T * one.back_off(discounts_NC[n])
    nats = float(-np.log(np.maximum(rows[-1], _SMALLEST)).mean())
    return nats, slopes_NC
