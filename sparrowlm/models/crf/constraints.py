"""What is forbidden in a sequence of labels, as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float64

# Far beyond every score, and small enough that float64 keeps four digits behind the point beside
# it: where nothing is allowed, the path that breaks the fewest rules wins.
FORBIDDEN = -1e12


@dataclass(frozen=True)
class Constraints:
    """Which labels may follow one another, begin a sentence and end it.

    Args:
        transitions_LL: True where the label of the row may be followed by that of the column.
        begins_L: True where a sentence may begin with the label.
        ends_L: True where it may end with it.
    """

    transitions_LL: Bool[np.ndarray, "labels labels"]
    begins_L: Bool[np.ndarray, " labels"]
    ends_L: Bool[np.ndarray, " labels"]

    @classmethod
    def none(cls, num_labels: int) -> Constraints:
        """Return constraints that forbid nothing."""
        anything = np.ones(num_labels, dtype=np.bool_)
        return cls(np.ones((num_labels, num_labels), dtype=np.bool_), anything, anything)

    def penalties(self) -> Float64[np.ndarray, " edges"]:
        """Return FORBIDDEN where something is forbidden, else 0, laid out like edge weights."""
        allowed = np.concatenate([self.transitions_LL.ravel(), self.begins_L, self.ends_L])
        return np.where(allowed, 0.0, FORBIDDEN)

    def allows(self, labels: list[int]) -> bool:
        """Say whether one sentence's labels break no rule."""
        if not labels:
            return True
        pairs = pairwise(labels)
        return bool(
            self.begins_L[labels[0]]
            and self.ends_L[labels[-1]]
            and all(self.transitions_LL[a, b] for a, b in pairs)
        )
