"""The plan of a training: what will be trained, how long, how large, how good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.hardware import Machine
from sparrowlm.foundation.quantities import format_count, format_duration, format_size
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.planner.shapes import recurrent_ladder, transformer_ladder
from sparrowlm.training.loop import LoopSettings
from sparrowlm.training.optimizers import OptimizerSettings
from sparrowlm.training.schedule import Schedule

Shape = TransformerShape | RecurrentShape

BYTES_PER_STORED_WEIGHT = 2  # model.safetensors holds float16
_BYTES_PER_TRAINED_WEIGHT = 28  # weight, gradient, two moments, average, best and their copies
_ACTIVATIONS_PER_WIDTH = 24  # floats kept per token, layer and unit of width for the way back
_BASE_RAM_MIB = 450  # Python with torch
_NGRAM_SHARE_OF_SIZE = 0.35
_DEFAULT_NGRAM_BYTES = 32_000_000
# Targets per weight (inner weights) in a run that time limits: fewer, and a smaller network that
# sees more text is better; docs/decisions/001-muon-and-small-batches.md.
_TOKENS_PER_WEIGHT = 3.5
# Inner weights per different token of training text beyond which a network learns by heart.
_MOST_WEIGHTS_PER_TOKEN = 4.0
_LEAST_INNER_WEIGHTS = 60_000
_MOST_EPOCHS = 40.0
_LEAST_STEPS = 300
_FEW_TOKENS = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What the user allows.

    Attributes:
        size_bytes: of everything that loading the model needs; None for no limit.
        seconds: wall time for the network's training; None where steps are given.
        steps: optimisation steps; None where seconds are given.
    """

    size_bytes: int | None
    seconds: float | None
    steps: int | None

    def ngram_bytes(self, *, has_network: bool) -> int:
        """Return the n-gram's share of the size; without a size, what a laptop never notices."""
        if self.size_bytes is None:
            return _DEFAULT_NGRAM_BYTES
        return int(self.size_bytes * (_NGRAM_SHARE_OF_SIZE if has_network else 0.95))


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is going to happen, with the numbers it was decided on.

    Attributes:
        kind: "transformer", "lstm" or "rnn".
        shape: sizes of the network.
        settings: of the training loop.
        precision: "float32" or "bfloat16".
        num_parameters: weights of the network.
        num_tokens: targets the network will see.
        num_epochs: how often it will see every id.
        predicted_seconds: wall time of the loop.
        predicted_ram_mib: peak memory of the process.
        predicted_file_bytes: network and n-gram.
        expected_bits_per_character: of the mixture on held-out text; None without probes.
        floor_bits_per_character: the n-gram alone, measured.
    """

    kind: str
    shape: Shape
    settings: LoopSettings
    precision: str
    num_parameters: int
    num_tokens: int
    num_epochs: float
    predicted_seconds: float
    predicted_ram_mib: int
    predicted_file_bytes: int
    expected_bits_per_character: float | None
    floor_bits_per_character: float | None

    def record(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        return asdict(self)

    def facts(self) -> dict[str, str]:
        """Return what the user is shown, as message name and value."""
        facts = {
            "plan-network": f"{self.kind}, {format_count(self.num_parameters)}",
            "plan-tokens": f"{format_count(self.num_tokens)} ({self.num_epochs:.1f} ×)",
            "plan-time": format_duration(self.predicted_seconds),
            "plan-ram": format_size(self.predicted_ram_mib * 2**20),
            "plan-size": format_size(self.predicted_file_bytes),
            "plan-precision": self.precision,
        }
        if self.floor_bits_per_character is not None:
            facts["plan-floor"] = f"{self.floor_bits_per_character:.3f}"
        if self.expected_bits_per_character is not None:
            facts["plan-expected"] = f"{self.expected_bits_per_character:.3f}"
        return facts


def inner_weights(shape: Shape) -> int:
    """Count the weights that multiply activations, the embedding table left out."""
    if isinstance(shape, RecurrentShape):
        return shape.num_parameters() - shape.vocab_size * (shape.embedding_width + 1)
    return shape.num_parameters() - shape.vocab_size * shape.width


def work_per_token(shape: Shape) -> int:
    """Count the weights that take part in one prediction; the output product counts."""
    return shape.num_parameters()


def candidates(kind: str, vocab_size: int, context_tokens: int, budget: Budget) -> Sequence[Shape]:
    """Return the networks that fit the size, smallest first.

    Raises:
        SettingError: not even the smallest fits.
    """
    ladder: Sequence[Shape]
    if kind == "transformer":
        ladder = transformer_ladder(vocab_size, context_tokens)
    else:
        ladder = recurrent_ladder(kind, vocab_size)
    if budget.size_bytes is None:
        return ladder
    room = budget.size_bytes * (1 - _NGRAM_SHARE_OF_SIZE)
    fitting = [s for s in ladder if s.num_parameters() * BYTES_PER_STORED_WEIGHT <= room]
    if not fitting:
        smallest = ladder[0].num_parameters() * BYTES_PER_STORED_WEIGHT
        needed = format_size(math.ceil(smallest / (1 - _NGRAM_SHARE_OF_SIZE)))
        raise SettingError(
            "planner.size-too-small", received=format_size(budget.size_bytes), needed=needed
        )
    return fitting


def filled_by_text(shapes: Sequence[Shape], num_train_tokens: int) -> Sequence[Shape]:
    """Leave out networks that would learn so short a text by heart.

    Args:
        shapes: smallest first; the first always stays.
        num_train_tokens: ids of the training text.
    """
    most = max(_MOST_WEIGHTS_PER_TOKEN * num_train_tokens, _LEAST_INNER_WEIGHTS)
    return [shapes[0], *(shape for shape in shapes[1:] if inner_weights(shape) <= most)]


def choose_shape(shapes: Sequence[Shape], budget: Budget, weights_per_second: float) -> Shape:
    """Choose the largest network that the time can feed.

    Args:
        shapes: smallest first.
        budget: time or steps.
        weights_per_second: measured speed: weights times targets per second.
    """
    best = shapes[0]
    for shape in shapes[1:]:
        inner = inner_weights(shape)
        if budget.seconds is not None:
            tokens = budget.seconds * weights_per_second / work_per_token(shape)
            if tokens < _TOKENS_PER_WEIGHT * inner:
                break
        best = shape
    return best


def regularisation(num_epochs: float, shape: Shape) -> tuple[float, float]:
    """Return dropout and weight decay by how often the text will be seen.

    Up to about four epochs a repeated text is nearly as good as a new one; beyond, the network
    must be kept from learning it by heart.

    Source: Muennighoff et al. 2023, arXiv:2305.16264; our own figures in docs/decisions.
    """
    if isinstance(shape, RecurrentShape):
        return (0.0 if num_epochs < 3 else 0.2), 0.0
    if num_epochs < 4:
        return 0.0, 0.0
    return min(0.05 * math.log2(num_epochs / 2), 0.25), 0.1


def loop_settings(
    shape: Shape, num_train_tokens: int, num_steps: int, budget: Budget, seed: int
) -> LoopSettings:
    """Derive everything about the loop from the number of steps.

    Args:
        shape: the network.
        num_train_tokens: ids of the training text.
        num_steps: planned.
        budget: seconds are handed on to the loop's clock.
        seed: the run's.
    """
    window = 128 if isinstance(shape, RecurrentShape) else shape.context_tokens
    batch = batch_windows(num_train_tokens, window)
    epochs = num_steps * batch * window / max(num_train_tokens, 1)
    dropout, decay = regularisation(epochs, shape)
    return LoopSettings(
        num_steps=num_steps,
        seconds=budget.seconds,
        most_steps=num_steps if budget.seconds is None else most_steps(num_train_tokens, shape),
        batch_windows=batch,
        window_tokens=window,
        optimizer=optimizer_settings(shape, num_train_tokens, decay),
        schedule=Schedule(warm_up_steps=min(20, max(num_steps // 10, 1)), cool_down_share=0.6),
        dropout=dropout,
        average_decay=0.98,
        seed=seed,
    )


def optimizer_settings(
    shape: Shape, num_train_tokens: int, weight_decay: float
) -> OptimizerSettings:
    """Return the learning rates that did best for this kind of network.

    A recurrent network learns a few sentences by heart, from the first word to the last, when its
    matrices move fast; moved slowly it learns which word follows which.
    """
    if not isinstance(shape, RecurrentShape):
        return OptimizerSettings(matrix_rate=0.01, other_rate=0.004, weight_decay=weight_decay)
    if num_train_tokens < _FEW_TOKENS:
        return OptimizerSettings(matrix_rate=0.001, other_rate=0.02, weight_decay=weight_decay)
    return OptimizerSettings(matrix_rate=0.02, other_rate=0.004, weight_decay=weight_decay)


def batch_windows(num_train_tokens: int, window_tokens: int) -> int:
    """Return B: small batches learn most per target, as long as the machine is kept busy."""
    return max(min(2048 // window_tokens, num_train_tokens // (4 * window_tokens)), 1)


def most_steps(num_train_tokens: int, shape: Shape) -> int:
    """Return the steps beyond which a text has nothing new to say: forty epochs, at least 300.

    A few sentences are learnt in seconds, however many minutes were allowed.
    """
    window = 128 if isinstance(shape, RecurrentShape) else shape.context_tokens
    per_step = batch_windows(num_train_tokens, window) * min(window, num_train_tokens)
    return max(int(_MOST_EPOCHS * num_train_tokens / max(per_step, 1)), _LEAST_STEPS)


def ram_mib(shape: Shape, settings: LoopSettings, num_mapped_bytes: int) -> int:
    """Predict the peak memory of training.

    Args:
        shape: the network.
        settings: batch and window.
        num_mapped_bytes: n-gram and ids.
    """
    tokens = settings.batch_windows * settings.window_tokens
    if isinstance(shape, RecurrentShape):
        layers, width = shape.num_layers, shape.state_width
    else:
        layers, width = shape.num_layers, shape.width
    activations = tokens * (layers * width * _ACTIVATIONS_PER_WIDTH + 4 * shape.vocab_size) * 4
    weights = shape.num_parameters() * _BYTES_PER_TRAINED_WEIGHT
    return _BASE_RAM_MIB + (activations + weights + num_mapped_bytes) // 2**20


def refuse_too_little_ram(needed_mib: int, machine: Machine) -> None:
    """Refuse a training that this machine cannot hold.

    Raises:
        SettingError: names both numbers.
    """
    if needed_mib > machine.ram_available_mib:
        raise SettingError(
            "planner.too-little-ram",
            needed=format_size(needed_mib * 2**20),
            available=format_size(machine.ram_available_mib * 2**20),
        )
