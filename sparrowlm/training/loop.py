"""The training loop of all networks: steps, evaluations, checkpoints, a clock that is kept.

A run is a function of its settings and seed: data order and dropout depend on the number of the
step alone, so a run that was killed and continued ends with the same bits as one that was not.
Only a run that must end at a certain time may change its number of steps on the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sparrowlm.foundation.hardware import usable_cores
from sparrowlm.foundation.interrupts import StoppedBySignal, StopRequest
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.foundation.randomness import derive_seed
from sparrowlm.models.network import Network
from sparrowlm.training.checkpoints import (
    Checkpoint,
    newest_checkpoint,
    prefixed,
    save_checkpoint,
    unprefixed,
)
from sparrowlm.training.memory import keep_freed_memory
from sparrowlm.training.objectives import CountsErrors, Objective
from sparrowlm.training.optimizers import HybridOptimizer, OptimizerSettings, WeightAverage
from sparrowlm.training.schedule import Schedule
from sparrowlm.training.threads import ThreadChooser, threads

_CLOCK_EVERY_STEPS = 10
# The plan follows the clock only when it is off by more than this.
_CLOCK_TOLERANCE = 0.02
_PATIENCE_EVALUATIONS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopSettings:
    """Everything a run of the loop depends on, besides model and data.

    Attributes:
        num_steps: optimisation steps, >= 1.
        seconds: wall time for the loop; None keeps num_steps whatever it takes.
        most_steps: steps that even a faster machine than expected does not exceed.
        batch_windows: windows per step.
        window_tokens: ids per window.
        optimizer: learning rates.
        schedule: the shape of a run.
        dropout: 0 to below 1.
        average_decay: of the moving average of the weights; 0 uses the last weights.
        num_evaluations: held-out evaluations per run.
        checkpoint_seconds: time between two checkpoints.
        seed: of data order and dropout.
        num_threads: of torch during the run; None leaves them as they are. The last bits of a
            result depend on it, so a run by steps keeps it; a run by the clock may change it.
    """

    num_steps: int
    seconds: float | None = None
    most_steps: int = 1 << 40
    batch_windows: int = 32
    window_tokens: int = 64
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: Schedule = field(default_factory=Schedule)
    dropout: float = 0.0
    average_decay: float = 0.0
    num_evaluations: int = 20
    checkpoint_seconds: float = 30.0
    seed: int = 0
    num_threads: int | None = None


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One evaluation.

    Attributes:
        seconds: training time so far.
        step: steps done.
        tokens: targets seen.
        train_nats: mean loss per token since the last point.
        held_out_nats: loss per token on the held-out windows; None where there are none.
        held_out_error: share of held-out answers that are wrong, where the objective knows it.
    """

    seconds: float
    step: int
    tokens: int
    train_nats: float
    held_out_nats: float | None
    held_out_error: float | None = None


@dataclass(frozen=True)
class LoopResult:
    """What came of a run; the model holds the best weights.

    Attributes:
        curve: all evaluations.
        best: the one whose weights were kept.
        num_steps: steps done.
        seconds: training time, earlier sessions included.
        flattened_at_step: where held-out text stopped getting better, None where it never did.
        num_threads: that the last steps ran with.
    """

    curve: list[CurvePoint]
    best: CurvePoint
    num_steps: int
    seconds: float
    flattened_at_step: int | None
    num_threads: int


Observer = Callable[[CurvePoint, Network], None]


def _unobserved(point: CurvePoint, model: Network) -> None:
    """Watch nothing."""


class TrainingLoop:
    """Trains one network.

    Args:
        model: trained in place.
        objective: examples and loss.
        settings: see LoopSettings.
        directory: for checkpoints.
        fingerprint: names data, model and settings, so that no foreign checkpoint is continued.
    """

    def __init__(
        self,
        model: Network,
        objective: Objective[Any],
        settings: LoopSettings,
        directory: Path,
        fingerprint: str,
    ) -> None:
        self.model = model
        self._objective = objective
        self._settings = settings
        self._directory = directory
        self._fingerprint = fingerprint
        self._optimizer = HybridOptimizer(model, settings.optimizer, model.compute_dtype)
        self._average = WeightAverage(model.parameters(), settings.average_decay)
        self._num_steps = settings.num_steps
        self._step = 0
        self._seconds_before = 0.0
        self._curve: list[CurvePoint] = []
        self._best: dict[str, Tensor] = {}
        self._flattened_at: int | None = None
        self._losses: list[Tensor] = []
        model.dropout = settings.dropout

    def resume(self, note: Callable[[str], None]) -> bool:
        """Continue from the newest whole checkpoint, if there is one.

        Args:
            note: told about checkpoints passed over.

        Returns:
            Whether there was one.
        """
        found = newest_checkpoint(self._directory, self._fingerprint, note)
        if found is None:
            return False
        state, tensors = found.state, found.tensors
        self._step = found.step
        self._num_steps = state["num_steps"]
        self._seconds_before = state["seconds"]
        self._curve = [CurvePoint(**point) for point in state["curve"]]
        self._flattened_at = state["flattened_at"]
        self.model.load_tensors(unprefixed("model", tensors), self._directory)
        self._optimizer.load_state_tensors(unprefixed("optimizer", tensors))
        averages = unprefixed("average", tensors)
        for index, average in enumerate(self._average.averages):
            average.copy_(averages[str(index)])
        self._best = unprefixed("best", tensors)
        self._losses = list(unprefixed("losses", tensors).get("all", torch.zeros(0)))
        return True

    def run(
        self, progress: Progress, stop: StopRequest, observe: Observer = _unobserved
    ) -> LoopResult:
        """Train to the end, or to a signal.

        Args:
            progress: told about every step and evaluation.
            stop: looked at after every step.
            observe: called after every evaluation, e.g. to let the model write a sample.

        Returns:
            The curve; the model holds the weights that did best on held-out text.

        Raises:
            StoppedBySignal: after saving.
        """
        keep_freed_memory()
        self._began = self._last_saved = time.monotonic()
        self._first_step = self._step
        display = _Display(progress, self._settings.seconds, self._num_steps)
        display.show(self._step, self._seconds())
        chooser = None if self._settings.seconds is None else ThreadChooser(usable_cores())
        with torch.random.fork_rng(devices=[]), threads(self._settings.num_threads):
            while self._step < self._num_steps:
                step_began = time.monotonic()
                self._one_step()
                if self._step == self._first_step + 1:
                    self._first_step_ended = time.monotonic()
                elif chooser is not None:
                    chooser.after_step(time.monotonic() - step_began)
                display.show(self._step, self._seconds())
                if self._step >= min(self._next_evaluation(), self._num_steps):
                    self._evaluate(progress, observe)
                self._keep_time()
                if stop.is_requested:
                    self.save()
                    raise StoppedBySignal(stop.signal_number, self._directory)
                if time.monotonic() - self._last_saved > self._settings.checkpoint_seconds:
                    self.save()
            if not self._curve or self._curve[-1].step < self._step:
                self._evaluate(progress, observe)  # the clock ended the run between two of them
            num_threads = torch.get_num_threads()
        progress.finish()
        return self._finish(num_threads)

    def save(self) -> None:
        """Write a checkpoint now."""
        state = {
            "fingerprint": self._fingerprint,
            "num_steps": self._num_steps,
            "seconds": self._seconds(),
            "curve": [asdict(point) for point in self._curve],
            "flattened_at": self._flattened_at,
        }
        losses = torch.stack(self._losses) if self._losses else torch.zeros(0)
        averages = {str(index): t for index, t in enumerate(self._average.averages)}
        tensors = {
            **prefixed("model", self.model.tensors()),
            **prefixed("optimizer", self._optimizer.state_tensors()),
            **prefixed("average", averages),
            **prefixed("best", self._best),
            **prefixed("losses", {"all": losses}),
        }
        save_checkpoint(self._directory, Checkpoint(self._step, state, tensors))
        self._last_saved = time.monotonic()

    def _next_evaluation(self) -> int:
        last = self._curve[-1].step if self._curve else 0
        return last + max(self._num_steps // self._settings.num_evaluations, 1)

    def _one_step(self) -> None:
        settings = self._settings
        if settings.dropout > 0:
            torch.manual_seed(derive_seed(settings.seed, f"dropout of step {self._step}"))
        self.model.train()
        loss = self._objective.loss(self.model, self._step)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step(settings.schedule.scale(self._step, self._num_steps))
        self._average.update(self._step)
        self._losses.append(loss.detach())
        self._step += 1

    def _evaluate(self, progress: Progress, observe: Observer) -> None:
        train_nats = float(torch.stack(self._losses).mean())
        self._losses = []
        self._average.swap()
        held_out_nats = self._objective.held_out_loss(self.model)
        error = None
        if isinstance(self._objective, CountsErrors):
            error = self._objective.held_out_error(self.model)
        tokens = self._step * self._objective.targets_per_step
        point = CurvePoint(self._seconds(), self._step, tokens, train_nats, held_out_nats, error)
        self._curve.append(point)
        if best_point(self._curve) is point:
            self._best = {n: t.detach().clone() for n, t in self.model.tensors().items()}
        observe(point, self.model)
        self._average.swap()
        self._watch_flattening(progress)

    def _watch_flattening(self, progress: Progress) -> None:
        """Begin to cool down when held-out text has not got better for several evaluations."""
        since_best = len(self._curve) - 1 - self._curve.index(best_point(self._curve))
        if self._flattened_at is not None or since_best < _PATIENCE_EVALUATIONS:
            return
        self._flattened_at = best_point(self._curve).step
        share = self._settings.schedule.cool_down_share
        if self._step < self._num_steps * (1 - share):
            # What follows is the cooling alone, as long as it would be in a run ending now.
            self._num_steps = round(self._step / (1 - share)) if share < 1 else self._num_steps
        progress.note(say("training.flattened", step=self._flattened_at))

    def _keep_time(self) -> None:
        seconds = self._settings.seconds
        if seconds is None or self._step % _CLOCK_EVERY_STEPS or self._flattened_at is not None:
            return
        left_seconds = seconds - self._seconds()
        # The first step meets cold caches; what it took says nothing about the others.
        since_first = time.monotonic() - self._first_step_ended
        rate = since_first / max(self._step - self._first_step - 1, 1)
        fitting = self._step + max(int(left_seconds / rate), 0)
        fitting = min(fitting, self._settings.most_steps)
        if abs(fitting - self._num_steps) > _CLOCK_TOLERANCE * self._num_steps:
            self._num_steps = max(fitting, self._step)

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._began

    def _finish(self, num_threads: int) -> LoopResult:
        best = best_point(self._curve)
        self.model.load_tensors(self._best, self._directory)
        self.model.eval()
        return LoopResult(
            self._curve, best, self._step, self._seconds(), self._flattened_at, num_threads
        )


class _Display:
    """Progress in steps, or in seconds where time is what limits the run."""

    def __init__(self, progress: Progress, seconds: float | None, num_steps: int) -> None:
        self._progress = progress
        self._is_timed = seconds is not None
        self._shown = 0
        if seconds is None:
            progress.start(say("training.stage"), num_steps, say("training.unit-steps"))
        else:
            progress.start(say("training.stage"), round(seconds), say("training.unit-seconds"))

    def show(self, step: int, seconds: float) -> None:
        now = int(seconds) if self._is_timed else step
        if now > self._shown:
            self._progress.advance(now - self._shown)
            self._shown = now


def best_point(curve: list[CurvePoint]) -> CurvePoint:
    """Return the evaluation with the fewest errors, else with the lowest held-out loss.

    The last one where nothing is held out.

    Args:
        curve: at least one point.
    """
    if any(point.held_out_nats is None for point in curve):
        return curve[-1]
    if any(point.held_out_error is None for point in curve):
        return min(curve, key=lambda point: (point.held_out_nats, -point.step))
    return min(curve, key=lambda point: (point.held_out_error, point.held_out_nats))
