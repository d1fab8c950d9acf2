"""L-BFGS, and OWL-QN where the absolute values of the weights cost something too.

Source: Liu, Nocedal 1989, "On the limited memory BFGS method"; Andrew, Gao 2007, "Scalable training
of L1-regularized log-linear models" (OWL-QN). Stopping rules as in CRFsuite (delta, period).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sparrowlm.foundation.array_types import Float64

Vector = Float64[np.ndarray, " parameters"]
Loss = Callable[[Vector], tuple[float, Vector]]

_MEMORY = 6
_PERIOD = 10
_SUFFICIENT = 1e-4
_MOST_TRIALS = 20
_PIECE = 1 << 16


@dataclass
class Iteration:
    """Where the search stands after an iteration.

    Args:
        number: from 1.
        loss: with all penalties.
        weights: not to be changed.
        num_losses: how often the loss was computed so far.
    """

    number: int
    loss: float
    weights: Vector
    num_losses: int


def minimize(
    loss: Loss,
    weights: Vector,
    *,
    absolute_cost: float = 0.0,
    max_iterations: int = 1000,
    tolerance: float = 1e-5,
    after: Callable[[Iteration], bool] = lambda _: False,
) -> Iteration:
    """Find the weights of the smallest loss.

    Args:
        loss: returns a differentiable loss and its gradient.
        weights: where to start.
        absolute_cost: c1: the sum of absolute weights times this is added to the loss.
        max_iterations: at most so many.
        tolerance: ends when ten iterations have improved the loss by less than this share, or
            the gradient is shorter than this times the weights.
        after: called after every iteration; True ends the search.

    Returns:
        The last iteration, which is the best.
    """
    search = _Search(loss, weights.copy(), absolute_cost)
    history: deque[float] = deque(maxlen=_PERIOD)
    for number in range(1, max_iterations + 1):
        history.append(search.value)
        if not search.step():
            break
        state = Iteration(number, search.value, search.weights, search.num_losses)
        if after(state) or search.is_flat(tolerance):
            break
        gained = history[0] - search.value
        if len(history) == _PERIOD and gained < tolerance * abs(search.value):
            break
    return Iteration(number, search.value, search.weights, search.num_losses)


def dot(a: Vector, b: Vector) -> float:
    """Return the inner product, summed in one order whatever threads a library has."""
    pieces = [
        float(np.sum(a[i : i + _PIECE] * b[i : i + _PIECE])) for i in range(0, len(a), _PIECE)
    ]
    return float(np.sum(pieces))


class _Search:
    def __init__(self, loss: Loss, weights: Vector, absolute_cost: float) -> None:
        self._loss = loss
        self._cost = absolute_cost
        self._pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=_MEMORY)
        self.num_losses = 0
        self.weights = weights
        self.value, self.gradient = self._evaluate(weights)

    def step(self) -> bool:
        """Go one step downhill; False where none is to be found."""
        slope = self._pseudo_gradient()
        direction = self._direction(slope)
        descent = dot(direction, slope)
        if descent >= 0:
            self._pairs.clear()
            direction, descent = -slope, -dot(slope, slope)
        if descent == 0:
            return False
        size = 1.0 if self._pairs else 1.0 / np.sqrt(-dot(direction, slope))
        for _ in range(_MOST_TRIALS):
            weights = self._moved(direction, size, slope)
            value, gradient = self._evaluate(weights)
            if value <= self.value + _SUFFICIENT * dot(slope, weights - self.weights):
                self._remember(weights - self.weights, gradient - self.gradient)
                self.weights, self.value, self.gradient = weights, value, gradient
                return True
            size *= 0.5
        if not self._pairs:
            return False
        self._pairs.clear()
        return self.step()

    def is_flat(self, tolerance: float) -> bool:
        slope = self._pseudo_gradient()
        length = max(dot(self.weights, self.weights), 1.0)
        return dot(slope, slope) < tolerance * tolerance * length

    def _evaluate(self, weights: Vector) -> tuple[float, Vector]:
        self.num_losses += 1
        value, gradient = self._loss(weights)
        if self._cost:
            value += self._cost * float(np.abs(weights).sum())
        return value, gradient

    def _pseudo_gradient(self) -> Vector:
        if not self._cost:
            return self.gradient
        right, left = self.gradient + self._cost, self.gradient - self._cost
        at_zero = np.where(right < 0, right, np.where(left > 0, left, 0.0))
        other = self.gradient + np.sign(self.weights) * self._cost
        return np.where(self.weights == 0, at_zero, other)

    def _direction(self, slope: Vector) -> Vector:
        direction = -slope
        factors = []
        for change, difference, scale in reversed(self._pairs):
            factors.append(dot(change, direction) / scale)
            direction -= factors[-1] * difference
        if self._pairs:
            _, difference, scale = self._pairs[-1]
            direction *= scale / dot(difference, difference)
        for (change, difference, scale), factor in zip(self._pairs, reversed(factors), strict=True):
            direction += (factor - dot(difference, direction) / scale) * change
        if self._cost:
            direction[direction * slope >= 0] = 0.0
        return direction

    def _moved(self, direction: Vector, size: float, slope: Vector) -> Vector:
        weights = self.weights + size * direction
        if self._cost:
            # No step leaves the orthant that it began in: there the absolute value is smooth.
            orthant = np.where(self.weights == 0, -np.sign(slope), np.sign(self.weights))
            weights[weights * orthant <= 0] = 0.0
        return weights

    def _remember(self, change: Vector, difference: Vector) -> None:
        scale = dot(change, difference)
        if scale > 0:
            self._pairs.append((change, difference, scale))
