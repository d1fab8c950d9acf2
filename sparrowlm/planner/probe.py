"""Short measurements on this machine, with this data, before anything is promised."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.network import Network
from sparrowlm.models.recurrent import RecurrentModel
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.training.batches import WindowBatches
from sparrowlm.training.loop import LoopSettings, TrainingLoop
from sparrowlm.training.objectives import NextIdObjective, cross_entropy

Shape = TransformerShape | RecurrentShape
_TIMED_STEPS = 4


def build_network(shape: Shape, seed: int, compute_dtype: torch.dtype) -> Network:
    """Make a network with fresh weights.

    Args:
        shape: its kind and sizes.
        seed: of the weights.
        compute_dtype: of the products; recurrent networks always compute in float32.
    """
    generator = torch_generator(seed, "initial weights")
    if isinstance(shape, RecurrentShape):
        return RecurrentModel(shape, generator)
    network = TransformerModel(shape, generator)
    network.compute_dtype = compute_dtype
    return network


def fastest_step(
    shape: Shape,
    batch_windows: int,
    window_tokens: int,
    compute_dtype: torch.dtype,
    num_cores: int,
) -> tuple[int, float]:
    """Find the number of threads with which a step of this network is fastest.

    Small networks are slower with two threads than with one, much slower where another program
    keeps a core busy: every product then waits for the later of the two.

    Args:
        shape: the network.
        batch_windows: B.
        window_tokens: T.
        compute_dtype: of the products.
        num_cores: most threads to try.

    Returns:
        Threads, and seconds per forward and backward pass with them.
    """
    network = build_network(shape, 0, compute_dtype)
    generator = torch.Generator().manual_seed(0)
    windows = torch.randint(
        shape.vocab_size, (batch_windows, window_tokens + 1), generator=generator
    )
    found: dict[int, float] = {}
    before = torch.get_num_threads()
    try:
        for num_threads in sorted({1, max(num_cores // 2, 1), num_cores}):
            torch.set_num_threads(num_threads)
            durations = [_timed_step(network, windows) for _step in range(_TIMED_STEPS + 1)][1:]
            found[num_threads] = sorted(durations)[len(durations) // 2]
    finally:
        torch.set_num_threads(before)
    best = min(found, key=lambda num_threads: found[num_threads])
    return best, found[best]


def _timed_step(network: Network, windows: Tensor) -> float:
    began = time.perf_counter()
    loss = cross_entropy(network(windows[:, :-1]), windows[:, 1:])
    loss.backward()  # type: ignore[no-untyped-call]
    for weight in network.parameters():
        weight.grad = None
    return time.perf_counter() - began


@dataclass(frozen=True, slots=True)
class LearningProbe:
    """What two short trainings tell about a long one.

    Attributes:
        tokens: targets seen by each.
        held_out_nats: loss per token of each afterwards.
        seconds_per_step: of the longer one, everything included.
    """

    tokens: tuple[int, int]
    held_out_nats: tuple[float, float]
    seconds_per_step: float

    def expected_nats(self, num_tokens: float | int, floor_nats: float) -> float:
        """Follow the power law through both points to a longer run.

        Args:
            num_tokens: targets of the long run.
            floor_nats: what no run is expected to get below (see calibrated constants there).

        Returns:
            Nats per token, never above the longer probe's.
        """
        (first, second), (worse, better) = self.tokens, self.held_out_nats
        above_first, above_second = worse - floor_nats, better - floor_nats
        if above_second <= 0 or above_first <= above_second:
            return better
        exponent = math.log(above_first / above_second) / math.log(second / first)
        shrunk = (second / max(num_tokens, float(second))) ** exponent
        return floor_nats + above_second * float(shrunk)


def probe_learning(
    shape: Shape,
    ids: np.ndarray[Any, np.dtype[Any]],
    held_out: Tensor,
    settings: LoopSettings,
    compute_dtype: torch.dtype,
) -> LearningProbe:
    """Train twice, shortly, with the whole schedule squeezed into each.

    Args:
        shape: the network.
        ids: the training ids.
        held_out: windows of held-out ids.
        settings: of the long run; num_steps is the length of the longer probe.
        compute_dtype: of the products.
    """
    lengths = (max(settings.num_steps // 2, 1), max(settings.num_steps, 2))
    losses: list[float] = []
    seconds = 0.0
    for num_steps in lengths:
        batches = WindowBatches(ids, settings.window_tokens, settings.batch_windows, settings.seed)
        short = replace(settings, num_steps=num_steps, seconds=None, num_evaluations=1)
        network = build_network(shape, settings.seed, compute_dtype)
        with TemporaryDirectory() as directory:
            loop = TrainingLoop(
                network, NextIdObjective(batches, held_out), short, Path(directory), "probe"
            )
            result = loop.run(SilentProgress(), StopRequest(lambda _text: None))
        losses.append(float(result.best.held_out_nats or 0.0))
        seconds = result.seconds / num_steps
    per_step = batches.tokens_per_batch
    tokens = (lengths[0] * per_step, lengths[1] * per_step)
    return LearningProbe(tokens, (losses[0], losses[1]), seconds)
