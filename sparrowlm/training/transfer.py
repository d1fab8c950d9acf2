"""How what an encoder has read becomes what a task needs: where it begins, and what of it learns.

    full      everything learns
    frozen    the encoder stays as it is, only what stands on top of it learns
    adapters  the same, with low-rank additions inside the encoder that are merged at the end
    gradual   what stands on top first, then everything

Source of "gradual": Kumar et al. 2022, arXiv:2202.10054 (a head that fits before the rest moves
distorts less of what was learnt before); of adapters: see models/adapters.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch

from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.adapters import (
    DEFAULT_RANK,
    add_adapters,
    freeze_encoder,
    merge_adapters,
)
from sparrowlm.models.encoder import BODY_PREFIXES, EncoderModel
from sparrowlm.training.encoder_stage import (
    StagePlace,
    StageSettings,
    SteppedObjective,
    run_stage,
)
from sparrowlm.training.loop import LoopResult

Transfer = Literal["full", "frozen", "adapters", "gradual"]

_HEAD_SHARE = 0.25
# Of a start that is no encoder: its n-gram tables are new, or all but its word vectors.
_EMBEDDING, _LAYERS, _TABLES = "model.embed_tokens.", "model.layers.", "ngrams."
# Weights that have read before are moved less far than new ones, unless labels say much
# (docs/decisions/032-transfer.md).
_LEAST_RATES, _BITS_OF_USUAL_RATES = 0.3, 5.0
# Once texts drawn for measuring have told what they could, they are learnt too, with the others:
# most of the time for labels is for what is measured.
SHARE_BEFORE_EVERYTHING = 0.85
_PASSES_OVER_EVERYTHING, _FEWER_STEPS = 3.0, 8


@runtime_checkable
class ReadingSettings(Protocol):
    """What decides whether an encoder reads before it learns labels; every task's settings do."""

    @property
    def start(self) -> Mapping[str, Any] | None:
        """Weights of another encoder to begin with."""
        ...

    @property
    def transfer(self) -> Transfer:
        """What learns, see above."""
        ...

    @property
    def unlabelled(self) -> Sequence[str]:
        """Further texts that were given."""
        ...


def has_read(start: Mapping[str, Any] | None) -> bool:
    """Say whether weights to begin with are those of a Transformer, and not word vectors alone."""
    return start is not None and any(name.startswith(_LAYERS) for name in start)


def known_prefixes(start: Mapping[str, Any]) -> tuple[str, ...]:
    """Return prefixes of the encoder's weights that are to be there in a start.

    All of an encoder's; those of the Transformer, of a decoder; the embedding, of other networks.
    """
    body = BODY_PREFIXES[:1] if has_read(start) else (_EMBEDDING,)
    has_tables = any(name.startswith(_TABLES) for name in start)
    return (*body, _TABLES) if has_tables else body


def reading_share(settings: ReadingSettings, new: float, further: float) -> float:
    """Return the share of the time for reading without labels; 0 where nothing is to be read.

    An encoder that begins with the weights of another and is to keep them reads only what was
    given for it to read.

    Args:
        settings: of the task.
        new: share of an encoder that has read nothing.
        further: share of one that has read before.
    """
    if not has_read(settings.start):
        return new
    keeps_body = settings.transfer in ("frozen", "adapters")
    return 0.0 if keeps_body and not settings.unlabelled else further


def rates_for_labels(num_labels: int) -> float:
    """Return the share of the usual rates at which weights that have read before learn labels.

    A label says at most log2(num_labels) bits about its text: reviews that are good or bad wear a
    network out at rates from which questions of 77 kinds gain.

    Returns:
        0.3 to 1.
    """
    share = math.log2(max(num_labels, 2)) / _BITS_OF_USUAL_RATES
    return min(max(share, _LEAST_RATES), 1.0)


def going_on(settings: StageSettings, rates: float = _LEAST_RATES) -> StageSettings:
    """Return the settings of a stage whose weights have learnt something before.

    Args:
        settings: of weights that begin anew.
        rates: share of the usual rates.
    """
    return replace(
        settings,
        matrix_rate=rates * settings.matrix_rate,
        other_rate=rates * settings.other_rate,
    )


def begin_with(
    model: EncoderModel, start: Mapping[str, Any], further: tuple[str, ...] = ()
) -> None:
    """Copy weights of another model; what it does not hold begins anew.

    Args:
        model: changed in place.
        start: weights by name; others than those asked for are left alone.
        further: prefixes of the names of others, beside the encoder's, that must be there and fit.

    Raises:
        ModelError: one is missing or has another shape.
    """
    prefixes = (*known_prefixes(start), *further)
    for name, view in model.tensors().items():
        if not name.startswith(prefixes):
            continue
        found = start.get(name)
        if found is None or tuple(found.shape) != tuple(view.shape):
            raise ModelError("training.start-differs", name=name)
        with torch.no_grad():
            view.copy_(torch.as_tensor(np.asarray(found), dtype=torch.float32))


def run_transfer(
    model: EncoderModel,
    objective: SteppedObjective,
    settings: StageSettings,
    place: StagePlace,
    transfer: Transfer,
    *,
    frozen: tuple[str, ...] = BODY_PREFIXES,
    rates: float = 1.0,
) -> LoopResult:
    """Train a model in place, as much of it as was asked for; nothing is frozen afterwards.

    Args:
        model: any encoder with something on top of it.
        objective: fits the model.
        settings: time and epochs are those of everything.
        place: see StagePlace.
        transfer: what learns.
        frozen: prefixes of the weights' names that stay where only the rest may learn.
        rates: share of the usual rates, for what began with the weights of another.

    Raises:
        StoppedBySignal: after saving.
    """
    if transfer == "gradual":
        first = _part_of(settings, _HEAD_SHARE)
        freeze_encoder(model, frozen)
        run_stage(model, objective, first, place.of("head"))
        merge_adapters(model)
        if settings.seconds is not None:
            settings = replace(settings, seconds=(1 - _HEAD_SHARE) * settings.seconds)
    if transfer in ("full", "gradual"):
        settings = going_on(settings, rates)
    if transfer == "frozen":
        freeze_encoder(model, frozen)
    elif transfer == "adapters":
        generator = torch_generator(settings.seed, "adapters")
        add_adapters(model, DEFAULT_RANK, generator, frozen)
    result = run_stage(model, objective, settings, place)
    merge_adapters(model)
    return result


def run_over_everything(
    model: EncoderModel,
    objective: SteppedObjective,
    settings: StageSettings,
    place: StagePlace,
    transfer: Transfer,
    *,
    frozen: tuple[str, ...] = BODY_PREFIXES,
) -> LoopResult:
    """Let a model that has been measured learn what was kept from it, and all else again, in place.

    Args:
        model: that has learnt the rest.
        objective: over everything.
        settings: of the stage in which the rest was learnt.
        place: see StagePlace.
        transfer: what learnt then; what stands on top needs no time of its own any more.
        frozen: see run_transfer.

    Raises:
        StoppedBySignal: after saving.
    """
    steps = settings.most_steps
    settings = replace(
        going_on(settings),
        most_epochs=_PASSES_OVER_EVERYTHING,
        most_steps=None if steps is None else max(steps // _FEWER_STEPS, 1),
    )
    again: Transfer = "full" if transfer == "gradual" else transfer
    return run_transfer(model, objective, settings, place, again, frozen=frozen)


def _part_of(settings: StageSettings, share: float) -> StageSettings:
    seconds = None if settings.seconds is None else share * settings.seconds
    return replace(settings, most_epochs=share * settings.most_epochs, seconds=seconds)
