"""Stages of an encoder's life: reading without labels, then learning labels, each on a clock.

Every stage is one run of the loop with its own checkpoints, and keeps its last one: a killed
training finds finished stages finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.architectures import TransformerShape, rounded_width
from sparrowlm.models.encoder import EncoderModel, NgramTableShape
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.training.loop import CurvePoint, LoopResult, LoopSettings, TrainingLoop
from sparrowlm.training.objectives import Objective
from sparrowlm.training.optimizers import OptimizerSettings
from sparrowlm.training.pretraining import (
    PretrainingObjective,
    PretrainingSettings,
    cut_sequences,
)
from sparrowlm.training.schedule import Schedule
from sparrowlm.training.sequences import Ids

_HEAD_WIDTH = 64
# Of tokenizer.json, measured: a character has its id there, a piece or word a score or a merge too.
_BYTES_PER_CHARACTER, _BYTES_PER_PIECE = 12, 36
_WARM_UP_SHARE, _MOST_WARM_UP_STEPS = 0.1, 100
_HELD_OUT_TEXTS = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderSize:
    """Sizes of an encoder; the rest follows.

    Attributes:
        width: D, a multiple of 64.
        num_layers: blocks.
        tables: of the n-grams.
        context_tokens: longest sequence.
        like: a decoder whose sizes it has instead of width and layers, to begin with its weights.
    """

    width: int = 128
    num_layers: int = 3
    tables: NgramTableShape = field(default_factory=NgramTableShape)
    context_tokens: int = 128
    like: TransformerShape | None = None

    def shape(self, vocab_size: int) -> TransformerShape:
        """Return all sizes of the Transformer."""
        if self.like is not None:
            return replace(
                self.like, vocab_size=vocab_size, context_tokens=self.context_tokens,
                is_causal=False,
            )  # fmt: skip
        heads = max(self.width // _HEAD_WIDTH, 1)
        return TransformerShape(
            vocab_size=vocab_size,
            width=self.width,
            num_layers=self.num_layers,
            num_heads=heads,
            num_kv_heads=heads,
            head_width=_HEAD_WIDTH,
            feed_forward_width=rounded_width(8 * self.width / 3),
            context_tokens=self.context_tokens,
            is_causal=False,
        )

    def file_bytes(self, vocab_size: int) -> int:
        """Return what the weights take in a model of a task: 8 bits, one scale a row."""
        shape = self.shape(vocab_size)
        attention = (shape.num_heads + 2 * shape.num_kv_heads) * shape.head_width
        of_block = attention + 2 * shape.width + 2 * shape.feed_forward_width
        rows = vocab_size + shape.num_layers * of_block
        rows += len(self.tables.orders) * self.tables.num_buckets
        matrices = shape.num_parameters() + self.tables.num_parameters()
        return matrices + 2 * rows + 2 * shape.width * self.tables.width

    def directory_bytes(self, codec: TokenCodec) -> int:
        """Return what the weights and their tokenizer take on disk, about.

        Args:
            codec: the tokenizer.
        """
        per_id = _BYTES_PER_CHARACTER if codec.kind == "character" else _BYTES_PER_PIECE
        return self.file_bytes(codec.vocab_size) + per_id * codec.vocab_size


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSettings:
    """One stage.

    Attributes:
        most_epochs: no text is seen more often.
        most_steps: optimisation steps instead; None for epochs.
        seconds: wall time; None runs all epochs.
        matrix_rate: Muon's learning rate.
        other_rate: AdamW's.
        dropout: inside the Transformer.
        feature_dropout: of n-gram features and pooled states.
        average_decay: of the moving average of the weights.
        num_evaluations: on held-out texts.
        seed: of everything random.
        precision: of the products.
    """

    most_epochs: float
    most_steps: int | None = None
    seconds: float | None = None
    matrix_rate: float = 0.01
    other_rate: float = 0.002
    dropout: float = 0.0
    feature_dropout: float = 0.0
    average_decay: float = 0.98
    num_evaluations: int = 8
    seed: int = 0
    precision: torch.dtype = torch.float32

    def of_loop(self, num_steps: int) -> LoopSettings:
        """Return the settings of the loop.

        Args:
            num_steps: no more than these.
        """
        warm_up = min(int(_WARM_UP_SHARE * num_steps) + 1, _MOST_WARM_UP_STEPS)
        return LoopSettings(
            num_steps=num_steps,
            most_steps=num_steps,
            seconds=self.seconds,
            optimizer=OptimizerSettings(matrix_rate=self.matrix_rate, other_rate=self.other_rate),
            schedule=Schedule(warm_up_steps=warm_up),
            dropout=self.dropout,
            average_decay=self.average_decay,
            num_evaluations=self.num_evaluations,
            seed=self.seed,
        )


@dataclass(frozen=True)
class StagePlace:
    """Where a stage keeps its checkpoints and whom it tells.

    Attributes:
        directory: of the checkpoints.
        fingerprint: names data and settings.
        progress: told about everything.
        stop: looked at after every step.
        note: says one evaluation aloud; None says nothing.
    """

    directory: Path
    fingerprint: str
    progress: Progress
    stop: StopRequest
    note: Callable[[CurvePoint], None] | None = None

    def of(self, name: str, message: str | None = None) -> StagePlace:
        """Return the place of one stage among several.

        Args:
            name: of the stage.
            message: said after every evaluation, with step and nats; None keeps what is said.
        """

        def note(point: CurvePoint) -> None:
            if message is not None and point.held_out_nats is not None:
                nats = f"{point.held_out_nats:.4f}"
                self.progress.note(say(message, step=point.step, nats=nats))

        return replace(
            self,
            directory=self.directory / name,
            fingerprint=f"{self.fingerprint}:{name}",
            note=self.note if message is None else note,
        )


class Clock:
    """The time that several stages share; it runs from the moment it is made.

    Args:
        seconds: wall time for everything; None knows no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._limit = seconds
        self._began = time.monotonic()

    def passed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self._began

    def left(self, share: float = 1.0) -> float | None:
        """Return a share of the seconds left, of at least one; None where there is no limit."""
        return None if self._limit is None else share * max(self._limit - self.passed(), 1.0)


@runtime_checkable
class SteppedObjective(Objective[Any], Protocol):
    """An objective that knows its epochs."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps that see every example once."""
        ...


def run_stage(
    model: EncoderModel,
    objective: SteppedObjective,
    settings: StageSettings,
    place: StagePlace,
) -> LoopResult:
    """Train a model in place, from the newest checkpoint where there is one.

    Args:
        model: any encoder, with or without a head.
        objective: fits the model.
        settings: see StageSettings.
        place: see StagePlace.

    Raises:
        StoppedBySignal: after saving.
    """
    in_epochs = max(round(settings.most_epochs * objective.steps_per_epoch), 1)
    num_steps = settings.most_steps or in_epochs
    model.feature_dropout = settings.feature_dropout
    model.compute_dtype = settings.precision
    loop = TrainingLoop(
        model,
        objective,
        settings.of_loop(num_steps),
        place.directory,
        place.fingerprint,
    )
    loop.resume(place.progress.note)

    def observe(point: CurvePoint, _model: object) -> None:
        if place.note is not None:
            place.note(point)

    result = loop.run(place.progress, place.stop, observe)
    loop.save()
    model.feature_dropout = model.dropout = 0.0
    return result


def pretrain(
    model: EncoderModel,
    texts: Sequence[Ids],
    settings: StageSettings,
    place: StagePlace,
    pretraining: PretrainingSettings | None = None,
) -> LoopResult:
    """Let an encoder read texts without labels.

    Args:
        model: trained in place.
        texts: ids of every text, without separators; long ones are cut.
        settings: see StageSettings.
        place: see StagePlace.
        pretraining: what is hidden, how often.

    Raises:
        StoppedBySignal: after saving.
    """
    sequences = cut_sequences(texts, model.shape.context_tokens)
    order = torch.randperm(
        len(sequences), generator=torch_generator(settings.seed, "held-out texts")
    ).tolist()
    num_held_out = min(_HELD_OUT_TEXTS, len(sequences) // 20)
    held_out = [sequences[index] for index in order[:num_held_out]]
    training = [sequences[index] for index in sorted(order[num_held_out:])]
    objective = PretrainingObjective(
        training, held_out, pretraining or PretrainingSettings(seed=settings.seed)
    )
    return run_stage(model, objective, settings, place)
