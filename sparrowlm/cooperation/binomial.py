"""Counts of errors and what they prove: exact binomial tails and bounds, in numpy alone.

    P(X <= k) = sum over i <= k of C(n, i) p^i (1 - p)^(n - i)

Source: Clopper and Pearson 1934, "The use of confidence or fiducial limits illustrated in the case
of the binomial" (the bounds).
"""

from __future__ import annotations

import math

import numpy as np

_HALVINGS = 100
_MOST_ANSWERS = 1_000_000


def chance_of_so_few(num_errors: int, num_answers: int, error_rate: float) -> float:
    """Return the probability of at most so many errors: the p-value of "more often wrong".

    Args:
        num_errors: observed, 0 to num_answers.
        num_answers: answers given, >= 0; none prove nothing.
        error_rate: of each answer, 0 to 1.
    """
    if num_errors >= num_answers or error_rate <= 0.0:
        return 1.0
    if error_rate >= 1.0:
        return 0.0
    steps = np.arange(num_errors)
    log_odds = math.log(error_rate) - math.log1p(-error_rate)
    ratios = np.log(num_answers - steps) - np.log(steps + 1) + log_odds
    first = num_answers * math.log1p(-error_rate)
    logs = first + np.concatenate([[0.0], np.cumsum(ratios)])
    largest = float(logs.max())
    return min(math.exp(largest) * float(np.exp(logs - largest).sum()), 1.0)


def upper_bound(num_errors: int, num_answers: int, confidence: float) -> float:
    """Return the error rate that is not exceeded, with the given confidence (Clopper-Pearson).

    Args:
        num_errors: observed, 0 to num_answers.
        num_answers: answers given, >= 0.
        confidence: 0 to 1, both excluded.
    """
    if num_errors >= num_answers:
        return 1.0
    low, high = num_errors / num_answers, 1.0
    for _halving in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if chance_of_so_few(num_errors, num_answers, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high


def fewest_answers(max_error: float, confidence: float, error_rate: float = 0.0) -> int | None:
    """Return how many answers it takes to prove a largest error rate.

    Args:
        max_error: to be proven, 0 to 1, both excluded.
        confidence: of the proof, 0 to 1, both excluded.
        error_rate: share of errors that will be observed, >= 0.

    Returns:
        None where no number would do, because errors are as frequent as may be, or none below a
        million.
    """
    if error_rate >= max_error:
        return None

    def is_enough(number: int) -> bool:
        errors = math.ceil(error_rate * number)
        return chance_of_so_few(errors, number, max_error) <= 1.0 - confidence

    high = math.ceil(math.log(1.0 - confidence) / math.log1p(-max_error))
    while not is_enough(high):
        high *= 2
        if high > _MOST_ANSWERS:
            return None
    low = high // 2
    # Not monotone by one or two, because errors are whole: a number that suffices is found.
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high
