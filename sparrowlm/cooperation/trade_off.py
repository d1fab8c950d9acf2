"""What the large model is worth: accuracy against the share of questions it is asked.

    A(c)    accuracy when the share c of the questions, the least sure ones, go to the large model
    gap     A(1) - A(0)
    APGR    mean over c of (A(c) - A(0)) / gap: 0.5 for questions drawn by chance

Shape letters: B questions, C shares.

Source: Ong et al. 2024, "RouteLLM: learning to route LLMs with preference data", arXiv:2406.18665,
section 3 (performance gap recovered, its average, calls needed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float64

_NUM_POINTS = 101
GAP_SHARES = (0.5, 0.8, 0.95)

Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class TradeOff:
    """A curve and what is read from it.

    Attributes:
        num_questions: that it was measured on.
        calls_C: shares of questions that the large model is asked, 0 to 1.
        accuracy_C: of the final answers at these shares.
        small_accuracy: at 0.
        large_accuracy: at 1.
        average_gap_recovered: APGR; None where the large model is not better.
        calls_for_gap: least share of calls that recovers .5, .8 and .95 of the gap; None as above.
        cost_per_call: in any currency.
        policy_calls: share of calls under the policy.
        policy_accuracy: under the policy.
    """

    num_questions: int
    calls_C: Float64[np.ndarray, " shares"]
    accuracy_C: Float64[np.ndarray, " shares"]
    small_accuracy: float
    large_accuracy: float
    average_gap_recovered: float | None
    calls_for_gap: dict[float, float] | None
    cost_per_call: float
    policy_calls: float
    policy_accuracy: float

    @property
    def random_accuracy_C(self) -> Float64[np.ndarray, " shares"]:
        """Accuracy expected where the questions to pass on are drawn by chance."""
        gap = self.large_accuracy - self.small_accuracy
        line_C: Numbers = self.small_accuracy + self.calls_C * gap
        return line_C

    def cost(self, share: float, num_questions: int = 1000) -> float:
        """Return what so many questions cost.

        Args:
            share: of them that the large model is asked, 0 to 1.
            num_questions: >= 0.
        """
        return share * num_questions * self.cost_per_call

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        gaps = self.calls_for_gap
        return {
            "num_questions": self.num_questions,
            "small_accuracy": self.small_accuracy,
            "large_accuracy": self.large_accuracy,
            "average_gap_recovered": self.average_gap_recovered,
            "calls_for_gap": None if gaps is None else {f"{k:g}": v for k, v in gaps.items()},
            "policy_calls": self.policy_calls,
            "policy_accuracy": self.policy_accuracy,
            "cost_per_call": self.cost_per_call,
            "cost_per_1000": self.cost(self.policy_calls),
            "cost_per_1000_without": self.cost(1.0),
            "calls": self.calls_C.tolist(),
            "accuracy": self.accuracy_C.tolist(),
            "random_accuracy": self.random_accuracy_C.tolist(),
        }


def trade_off(
    scores_B: Float64[np.ndarray, " questions"],
    small_is_right_B: Bool[np.ndarray, " questions"],
    large_is_right_B: Bool[np.ndarray, " questions"],
    is_small_B: Bool[np.ndarray, " questions"] | None = None,
    cost_per_call: float = 0.0,
) -> TradeOff:
    """Measure the curve.

    Args:
        scores_B: how sure the small model is; equal ones are passed on in the order given.
        small_is_right_B: whether its answers are right.
        large_is_right_B: the same of the large model.
        is_small_B: which the small model answers under the policy; None for all.
        cost_per_call: in any currency, >= 0.
    """
    order_B = np.argsort(scores_B, kind="stable")
    changes_B = large_is_right_B[order_B].astype(np.int64) - small_is_right_B[order_B]
    count = len(scores_B)
    right_B = small_is_right_B.sum() + np.concatenate([[0], np.cumsum(changes_B)])
    accuracy_B: Numbers = right_B / max(count, 1)
    shares_B = np.arange(count + 1) / max(count, 1)
    calls_C = np.linspace(0.0, 1.0, _NUM_POINTS)
    small, large = float(accuracy_B[0]), float(accuracy_B[-1])
    average = gaps = None
    if large > small:
        gained_B = (accuracy_B - small) / (large - small)
        average = float(np.trapezoid(gained_B, shares_B))
        gaps = {share: float(shares_B[(gained_B >= share).argmax()]) for share in GAP_SHARES}
    kept_B = np.ones(count, dtype=bool) if is_small_B is None else is_small_B
    final_B = np.where(kept_B, small_is_right_B, large_is_right_B)
    return TradeOff(
        num_questions=count,
        calls_C=calls_C,
        accuracy_C=np.interp(calls_C, shares_B, accuracy_B),
        small_accuracy=small,
        large_accuracy=large,
        average_gap_recovered=average,
        calls_for_gap=gaps,
        cost_per_call=cost_per_call,
        policy_calls=float(1.0 - kept_B.mean()) if count else 0.0,
        policy_accuracy=float(final_B.mean()) if count else 0.0,
    )
