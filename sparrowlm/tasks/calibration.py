"""How far confidence is from the truth: the same figure for every task."""

from __future__ import annotations

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float, Int64

NUM_BINS = 15


def confidence_bins(confidence_B: Float[np.ndarray, " answers"]) -> Int64[np.ndarray, " answers"]:
    """Return which of 15 equal bins each confidence, 0 to 1, falls into."""
    return np.clip((confidence_B * NUM_BINS).astype(np.int64), 0, NUM_BINS - 1)


def calibration_error(
    confidence_B: Float[np.ndarray, " answers"], is_right_B: Bool[np.ndarray, " answers"]
) -> float:
    """Return the mean distance between confidence and share of right answers over the bins.

    Args:
        confidence_B: probability given to each answer.
        is_right_B: whether it was right.

    Source: Guo et al. 2017, "On calibration of modern neural networks", arXiv:1706.04599,
    equation 3.
    """
    if not len(confidence_B):
        return 0.0
    gaps = np.bincount(confidence_bins(confidence_B), is_right_B - confidence_B.astype(np.float64))
    return float(np.abs(gaps).sum() / len(confidence_B))


def error_by_chance(confidence_B: Float[np.ndarray, " answers"]) -> float:
    """Return the calibration error that answers would show if every confidence were exactly right.

    Of a few hundred answers it is .03 and more: shares of right answers in a bin differ from what
    they should be by chance, on average by the root of 2/pi of their variance.

    Args:
        confidence_B: probability given to each answer.
    """
    if not len(confidence_B):
        return 0.0
    own_B = confidence_B.astype(np.float64)
    variances = np.bincount(confidence_bins(confidence_B), own_B * (1 - own_B))
    return float(np.sqrt(2 / np.pi * np.maximum(variances, 0)).sum() / len(confidence_B))
