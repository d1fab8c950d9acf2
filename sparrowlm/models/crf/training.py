"""Learning a linear-chain conditional random field.

    L-BFGS (OWL-QN with c1)   the exact minimum, in many passes over the examples
    AdaGrad                   nearly the same answers, in a few passes

Both minimise the negative log-likelihood + c1 |w| + c2 w², summed over all sentences: the objective
of CRFsuite.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.interrupts import StopRequest, stop_on_signal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.models.crf.minimizing import Iteration, minimize
from sparrowlm.models.crf.problem import CrfProblem
from sparrowlm.models.crf.stochastic import AdaGrad
from sparrowlm.models.crf.weights import CrfWeights

Watch = Callable[[int, CrfWeights], bool]
Vector = Float64[np.ndarray, " parameters"]


@dataclass(frozen=True)
class CrfSettings:
    """How a conditional random field is learnt.

    Args:
        method: "lbfgs" or "adagrad".
        c1: cost of absolute weights (L-BFGS only).
        c2: cost of squared weights.
        max_iterations: iterations of L-BFGS, passes of AdaGrad.
        tolerance: L-BFGS ends where ten iterations improve the loss by a smaller share.
        rate: size of AdaGrad's steps.
        num_averaged: AdaGrad's weights are the mean after so many last passes.
        has_ends: learn weights for the first and the last label of a sentence.
        seed: order of the sentences in AdaGrad.
        num_threads: of L-BFGS; results do not depend on it.
    """

    method: Literal["lbfgs", "adagrad"] = "lbfgs"
    c1: float = 0.0
    c2: float = 1.0
    max_iterations: int = 200
    tolerance: float = 1e-5
    rate: float = 0.2
    num_averaged: int = 1
    has_ends: bool = True
    seed: int = 0
    num_threads: int = 1


@dataclass(frozen=True)
class LearntCrf:
    """What came out.

    Args:
        weights: the parameters.
        loss: negative log-likelihood and penalties; of AdaGrad, of the last pass.
        num_iterations: iterations or passes made.
        was_stopped: Ctrl-C ended the search; the weights are those of the last iteration.
    """

    weights: CrfWeights
    loss: float
    num_iterations: int
    was_stopped: bool


def train_crf(
    problem: CrfProblem,
    settings: CrfSettings | None = None,
    *,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> LearntCrf:
    """Learn the weights of a problem.

    Args:
        problem: examples and the parameters that there are.
        settings: None means the defaults.
        progress: counts iterations.
        watch: called after every iteration with its number and the weights; True ends the search.
    """
    settings = settings or CrfSettings()
    progress = progress or SilentProgress()
    progress.start(say("models.crf-learning"), settings.max_iterations, "")
    learn = _with_lbfgs if settings.method == "lbfgs" else _with_adagrad
    with stop_on_signal() as stop:
        try:
            return learn(problem, settings, _Watcher(problem, progress, watch, stop))
        finally:
            progress.finish()


@dataclass
class _Watcher:
    problem: CrfProblem
    progress: Progress
    watch: Watch | None
    stop: StopRequest

    def __call__(self, number: int, weights: Callable[[], Vector]) -> bool:
        self.progress.advance(1)
        if self.watch is not None and self.watch(number, as_weights(self.problem, weights())):
            return True
        return self.stop.is_requested


def as_weights(problem: CrfProblem, parameters: Vector) -> CrfWeights:
    """Give a vector of all parameters the form in which they are used."""
    return CrfWeights(
        problem.row_starts,
        problem.entry_labels,
        parameters[: problem.num_entries].astype(np.float32),
        np.ones(problem.num_labels, dtype=np.float32),
        parameters[problem.num_entries :].copy(),
    )


def _with_lbfgs(problem: CrfProblem, settings: CrfSettings, watcher: _Watcher) -> LearntCrf:
    def loss(weights: Vector) -> tuple[float, Vector]:
        value, gradient = problem.loss(weights, settings.num_threads)
        value += settings.c2 * float(np.sum(weights * weights))
        gradient += 2.0 * settings.c2 * weights
        if not settings.has_ends:
            gradient[-2 * problem.num_labels :] = 0.0
        return value, gradient

    def after(state: Iteration) -> bool:
        return watcher(state.number, lambda: state.weights)

    last = minimize(
        loss,
        np.zeros(problem.num_parameters),
        absolute_cost=settings.c1,
        max_iterations=settings.max_iterations,
        tolerance=settings.tolerance,
        after=after,
    )
    weights = as_weights(problem, last.weights)
    return LearntCrf(weights, last.loss, last.number, watcher.stop.is_requested)


def _with_adagrad(problem: CrfProblem, settings: CrfSettings, watcher: _Watcher) -> LearntCrf:
    num_sentences = problem.examples.num_sentences
    decay = 2.0 * settings.c2 / num_sentences
    state = AdaGrad(problem, settings.rate, decay)
    last: deque[Vector] = deque(maxlen=settings.num_averaged)
    generator = random_generator(settings.seed, "crf")
    loss, number = 0.0, 0
    for number in range(1, settings.max_iterations + 1):
        loss = state.epoch(generator.permutation(num_sentences))
        if number > settings.max_iterations - settings.num_averaged or watcher.watch is not None:
            last.append(state.settled())
        if watcher(number, lambda: _mean(last)):
            break
    weights = as_weights(problem, _mean(last) if last else state.settled())
    return LearntCrf(weights, loss, number, watcher.stop.is_requested)


def _mean(several: Iterable[Vector]) -> Vector:
    every = list(several)
    total = every[0].copy()
    for one in every[1:]:
        total += one
    return total / len(every)
