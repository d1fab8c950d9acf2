"""How fast to learn at every moment of a run, as a share of the top rate.

Warm up, stay, cool down to zero in a straight line. The middle is flat, so that a run that is
given more time, or stopped early, has wasted nothing.

Source: Hu et al. 2024, "MiniCPM", arXiv:2404.06395, section 4 (warm-up, stable, decay).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A trapezoid over the steps of a run.

    Attributes:
        warm_up_steps: steps from 0 to the top.
        cool_down_share: share of all steps spent going down, above 0 to 1.
    """

    warm_up_steps: int = 20
    cool_down_share: float = 0.6

    def scale(self, step: int, num_steps: int) -> float:
        """Return the share of the top rate for a step counted from 0.

        >>> [Schedule(warm_up_steps=2, cool_down_share=0.5).scale(s, 8) for s in (0, 1, 3, 6, 7)]
        [0.5, 1.0, 1.0, 0.5, 0.25]
        """
        up = min((step + 1) / max(self.warm_up_steps, 1), 1.0)
        left = max(num_steps - step, 0) / max(num_steps, 1)
        return up * min(left / self.cool_down_share, 1.0)
