"""A Transformer that was changed learns to predict what the whole one does (torch).

The loss is half the divergence from the whole network's distribution, half the cross-entropy of the
text. Where codes are given, every product is computed with rounded weights, the scales as they
stand in the file; the gradient goes to the weights before rounding, as though nothing had been
rounded. So what is learnt is what the file computes.

Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network",
arXiv:1503.02531, section 2 (temperature 1); Bengio, Léonard and Courville 2013, arXiv:1308.3432
(straight-through estimator); Liu et al. 2023, "LLM-QAT", arXiv:2305.17888 (both, and text that the
model wrote itself).

Shape letters: B windows, T positions, V vocabulary, O rows, I columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from sparrowlm.compression.inputs import EMBEDDING
from sparrowlm.compression.parts import Tensors, Weights
from sparrowlm.foundation.interrupts import StoppedBySignal, stop_on_signal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.block_codes import (
    BLOCK_COLUMNS,
    BlockCodes,
    as_blocks,
    code_range,
    nearest_codes,
)
from sparrowlm.models.network import Network
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.training.batches import WindowBatches, evaluation_windows
from sparrowlm.training.loop import CurvePoint, LoopSettings, TrainingLoop
from sparrowlm.training.optimizers import OptimizerSettings
from sparrowlm.training.schedule import Schedule

_TEXT_SHARE = 0.5
_BATCH_TOKENS = 2048
_HELD_OUT_TOKENS = 4096
_NUM_EVALUATIONS = 10
# A fifth of what a network learns with from nothing: it knows nearly everything already. On
# a network of 0.7 million weights 0.003 did better than 0.008 and 0.001 (decision 051).
_RATES = OptimizerSettings(matrix_rate=0.004, other_rate=0.0008)
# Slower where weights are rounded: what texts teach is learnt before, this is for the rounding.
_ROUNDED_RATES = OptimizerSettings(matrix_rate=0.002, other_rate=0.0003)
_SCHEDULE = Schedule(warm_up_steps=10, cool_down_share=0.7)
# Steps of a run whose time is given, until the clock has been read.
_FIRST_GUESS_STEPS = 1000

Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class HealingTime:
    """How long to train.

    Attributes:
        seconds: wall time; None trains num_steps, whatever they take.
        num_steps: used without seconds.
    """

    seconds: float | None = None
    num_steps: int = _FIRST_GUESS_STEPS


@dataclass(frozen=True)
class Healed:
    """What came of it.

    Attributes:
        weights: the best on text that was not trained on; with codes before rounding.
        codes: the rounded matrices, where codes were given.
        num_steps: after which they were the best; 0 where training made nothing better.
    """

    weights: Weights
    codes: Mapping[str, BlockCodes]
    num_steps: int


def healed(
    student: Weights,
    teacher: Weights,
    documents: Sequence[Ids],
    time: HealingTime,
    progress: Progress,
    codes: Mapping[str, BlockCodes] | None = None,
) -> Healed:
    """Train until the time is over, or until Ctrl-C; the best so far is kept.

    Args:
        student: a Transformer that was changed.
        teacher: the whole one, of the same vocabulary.
        documents: ids of texts, the separator in front of each.
        time: see HealingTime.
        progress: told about every step.
        codes: matrices that stay rounded while training, by name; their scales stay as they are.
    """
    network, whole = _network(student), _network(teacher)
    rounding = _Rounding(network, codes or {})
    objective = DistillationObjective(whole, rounding, documents, _window(student))
    best = _Best(network, objective)
    settings = LoopSettings(
        num_steps=time.num_steps, seconds=time.seconds,
        batch_windows=max(_BATCH_TOKENS // _window(student), 1), window_tokens=_window(student),
        optimizer=_ROUNDED_RATES if codes else _RATES, schedule=_SCHEDULE,
        num_evaluations=_NUM_EVALUATIONS, checkpoint_seconds=float("inf"),
    )  # fmt: skip
    with TemporaryDirectory() as folder, stop_on_signal() as stop:
        loop = TrainingLoop(network, objective, settings, Path(folder), "healing")
        try:
            loop.run(progress, stop, best.look)
        except StoppedBySignal:
            progress.finish()
            progress.note(say("compression.healing-stopped", steps=best.num_steps))
    tensors = {name: tensor.numpy() for name, tensor in best.tensors.items()}
    rounded = {name: _nearest(tensors[name], one) for name, one in (codes or {}).items()}
    return Healed(Weights(student.shape, tensors), rounded, best.num_steps)


class DistillationObjective:
    """Predict what another network predicts, and what the text says.

    Args:
        teacher: the other network.
        rounding: of the network that learns.
        documents: ids of texts, the separator in front of each; the last tenth measures.
        window_tokens: ids a window.
    """

    def __init__(
        self, teacher: Network, rounding: _Rounding, documents: Sequence[Ids], window_tokens: int
    ) -> None:
        self._teacher, self._rounding = teacher.eval(), rounding
        ids = np.concatenate([*documents, np.zeros(1, dtype=np.int64)])
        cut = max(len(ids) * 9 // 10, 2)
        starts = np.flatnonzero(ids[:cut] == 0)
        batch_windows = max(_BATCH_TOKENS // window_tokens, 1)
        self._batches = WindowBatches(ids[:cut], window_tokens, batch_windows, 0, starts)
        most = max(_HELD_OUT_TOKENS // window_tokens, 1)
        apart = ids[cut:] if len(ids) - cut >= 2 else ids
        self._held_out = evaluation_windows(apart, window_tokens, most)

    @property
    def targets_per_step(self) -> int:
        """Targets in one batch."""
        return self._batches.tokens_per_batch

    def loss(self, model: Network, step: int) -> Tensor:
        """Return the mean loss per target, nats; the whole network's entropy is part of it."""
        return self._loss(model, self._batches.batch(step))

    @torch.no_grad()
    def held_out_loss(self, model: Network) -> float:
        """Return the same on text that is not trained on."""
        model.eval()
        windows = self._held_out.split(max(_BATCH_TOKENS // self._held_out.shape[1], 1))  # type: ignore[no-untyped-call]
        total = sum(float(self._loss(model, part)) * len(part) for part in windows)
        return total / len(self._held_out)

    def _loss(self, model: Network, windows: Tensor) -> Tensor:
        ids_BT, targets_N1 = windows[:, :-1], windows[:, 1:].reshape(-1, 1)
        with torch.no_grad():
            wanted_NV = self._teacher(ids_BT).flatten(0, 1).float().softmax(dim=-1)
            # Both losses are linear in what is wanted, so one distribution stands for the two.
            wanted_NV.mul_(1.0 - _TEXT_SHARE)
            wanted_NV.scatter_add_(1, targets_N1, torch.full(targets_N1.shape, _TEXT_SHARE))
        logits_NV = self._rounding.logits(model, ids_BT).flatten(0, 1).float()
        return functional.cross_entropy(logits_NV, wanted_NV)


class _Best:
    """The weights that did best, those at the start among them."""

    def __init__(self, network: Network, objective: DistillationObjective) -> None:
        self.num_steps, self._nats = 0, objective.held_out_loss(network)
        self.tensors = _copied(network)

    def look(self, point: CurvePoint, network: Network) -> None:
        if point.held_out_nats is not None and point.held_out_nats < self._nats:
            self.num_steps, self._nats = point.step, point.held_out_nats
            self.tensors = _copied(network)


class _Rounding:
    """Lets a network compute with rounded weights.

    Args:
        network: whose weights are rounded.
        codes: bits and scales of its matrices, by their names in model.safetensors.
    """

    def __init__(self, network: TransformerModel, codes: Mapping[str, BlockCodes]) -> None:
        self._steps: dict[str, tuple[Tensor, Tensor, Tensor]] = {}
        for parameter, names in _joined(network.shape).items():
            if all(name in codes for name in names):
                parts = [_steps_of(codes[name]) for name in names]
                steps_OI, least_O1, most_O1 = (torch.cat(one) for one in zip(*parts, strict=True))
                self._steps[parameter] = steps_OI, least_O1, most_O1

    def logits(self, network: Network, ids_BT: Tensor) -> Tensor:
        """Return logits_BTV; gradients go to the weights before rounding."""
        if not self._steps:
            found: Tensor = network(ids_BT)
            return found
        weights = dict(network.named_parameters())
        rounded = {name: self._rounded(name, weights[name]) for name in self._steps}
        logits_BTV: Tensor = functional_call(network, rounded, (ids_BT,))
        return logits_BTV

    def _rounded(self, name: str, weight_OI: Tensor) -> Tensor:
        steps_OI, least_O1, most_O1 = self._steps[name]
        with torch.no_grad():
            codes_OI = (weight_OI / steps_OI).round_().clamp_(least_O1, most_O1)
            # A block of zeros has no step.
            codes_OI.nan_to_num_(0.0)
            change_OI = codes_OI.mul_(steps_OI).sub_(weight_OI)
        return weight_OI + change_OI


def _steps_of(codes: BlockCodes) -> tuple[Tensor, Tensor, Tensor]:
    """Return the scale of every weight, and the least and the largest code of every row."""
    num_rows, num_columns = codes.codes_OI.shape
    steps_OI = np.repeat(codes.scales_ON.astype(np.float32), BLOCK_COLUMNS, axis=1)
    least, most = code_range(codes.bits)
    return (
        torch.from_numpy(np.ascontiguousarray(steps_OI[:, :num_columns])),
        torch.full((num_rows, 1), float(least)),
        torch.full((num_rows, 1), float(most)),
    )


def _joined(shape: TransformerShape) -> dict[str, list[str]]:
    """Return which matrices stand in which parameter of the network, one below the other."""
    found = {"embedding_VD": [EMBEDDING]}
    for layer in range(shape.num_layers):
        own, stored = f"blocks.{layer}.", f"model.layers.{layer}."
        parts = {
            "attention.qkv_PD": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
            "attention.out_DQ": ("self_attn.o_proj",),
            "feed_forward.gate_up_GD": ("mlp.gate_proj", "mlp.up_proj"),
            "feed_forward.down_DF": ("mlp.down_proj",),
        }
        for part, names in parts.items():
            found[own + part] = [f"{stored}{name}.weight" for name in names]
    return found


def _nearest(matrix_OI: np.ndarray[Any, np.dtype[np.float32]], codes: BlockCodes) -> BlockCodes:
    """Round a matrix to the scales of codes."""
    blocks_ONW = nearest_codes(as_blocks(matrix_OI), codes.scales_ON, codes.bits)
    codes_OI = blocks_ONW.reshape(len(matrix_OI), -1)[:, : matrix_OI.shape[1]]
    return BlockCodes(codes.bits, np.ascontiguousarray(codes_OI), codes.scales_ON)


def _network(weights: Weights) -> TransformerModel:
    shape = weights.shape
    assert isinstance(shape, TransformerShape)  # noqa: S101 - callers ask first
    network = TransformerModel(shape)
    network.load_tensors(_as_torch(weights.tensors), "compression")
    return network


def _as_torch(tensors: Tensors) -> dict[str, Tensor]:
    return {
        name: torch.from_numpy(np.array(tensor, dtype=np.float32))
        for name, tensor in tensors.items()
    }


def _copied(network: Network) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.tensors().items()}


def _window(weights: Weights) -> int:
    assert isinstance(weights.shape, TransformerShape)  # noqa: S101 - callers ask first
    return weights.shape.context_tokens
