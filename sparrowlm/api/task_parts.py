"""What the trainings of all tasks do alike: clock, tokenizer, facts, files."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sparrowlm.api.labels import TaskData
from sparrowlm.api.request import TrainRequest
from sparrowlm.export.model_directory import ModelParts
from sparrowlm.runtime.encoder_files import LoadedEncoder
from sparrowlm.text.segmentation import read_user_words
from sparrowlm.text.tokenizers import (
    SAMPLE_TEXTS,
    TokenCodec,
    derived_vocabulary_size,
    kind_for_reading,
    train_tokenizer,
)
from sparrowlm.text.tokenizers.sequences import whole

if TYPE_CHECKING:
    from sparrowlm.training.loop import LoopResult

DEFAULT_BYTES = 5_000_000
# Tasks of the tagger: names, slots with intents, words.
TAG_TASKS = ("tag", "intent", "segment")
_CLOSING_SECONDS = 2.0
# An id takes a row of the embedding in 8 bits and its place in the tokenizer.
_VOCABULARY_SHARE, _BYTES_PER_ID, _LEAST_IDS = 0.24, 128 + 36, 512
_LEAST_SECONDS = 1.0


def seconds_left(request: TrainRequest, began: float) -> float | None:
    """Return the time for the training itself; None where no limit was given.

    Args:
        request: with its minutes.
        began: time.monotonic() when the command began.
    """
    if request.minutes is None:
        return None
    left = request.minutes * 60 - (time.monotonic() - began) - _CLOSING_SECONDS
    return max(left, _LEAST_SECONDS)


def asked_parts(request: TrainRequest) -> Literal["auto", "linear", "encoder"]:
    """Return which models are trained: the one that was named, or whatever is best."""
    return request.model if request.model in ("linear", "encoder") else "auto"


def user_words(request: TrainRequest) -> tuple[str, ...]:
    """Return the words of the user's dictionary.

    Raises:
        DataError: it cannot be read.
    """
    if request.user_dictionary is None:
        return ()
    return tuple(read_user_words(request.user_dictionary))


def learnt_codec(
    request: TrainRequest, texts: Sequence[str], words: Sequence[str] = ()
) -> TokenCodec:
    """Learn a tokenizer: see kind_for_reading.

    Args:
        request: may name another kind.
        texts: what it is learnt from.
        words: of the user's dictionary.
    """
    sample = [whole(text) for text in texts]
    num_characters = sum(map(len, sample))
    kind = kind_for_reading(sample[:: max(len(sample) // SAMPLE_TEXTS, 1)], num_characters)
    if request.tokenizer != "auto":
        kind = request.tokenizer
    size = min(derived_vocabulary_size(kind, num_characters), most_ids(request))
    return train_tokenizer(kind, lambda: iter(sample), num_characters, size, words, is_uncased=True)


def most_ids(request: TrainRequest) -> int:
    """Return how many ids leave enough of the model's size to everything else."""
    affordable = _VOCABULARY_SHARE * (request.size_bytes or DEFAULT_BYTES) / _BYTES_PER_ID
    return max(int(affordable), _LEAST_IDS)


@dataclass(frozen=True, kw_only=True)
class TaskOutcome:
    """What differs between tasks when a training is over.

    Attributes:
        task: settings of the model as JSON values.
        measured: figures as JSON values.
        num_held_out: examples measured on.
        stages: every run of the network.
        encoder: the network that ships; None where none does.
        arrays: its weights by name.
        binaries: files beside config.json, weights and tokenizer, each with what writes it.
    """

    task: Mapping[str, Any]
    measured: Mapping[str, Any]
    num_held_out: int
    stages: Mapping[str, LoopResult]
    encoder: LoadedEncoder | None
    arrays: Mapping[str, Any]
    binaries: Mapping[str, Callable[[Path], None]]


def model_parts(
    request: TrainRequest, data: TaskData, codec: TokenCodec | None, outcome: TaskOutcome
) -> ModelParts:
    """Return the model directory of a task, without card and report.

    Args:
        request: all dials.
        data: what was learnt from.
        codec: of the network.
        outcome: see TaskOutcome.
    """
    encoder = outcome.encoder
    facts = {
        "fingerprint": fingerprint_of(request, data),
        "task": dict(outcome.task),
        "data": {
            "format": data.format,
            "evidence": data.evidence,
            "num_examples": len(data.examples),
            "num_held_out": outcome.num_held_out,
        },
        "recipe": {
            "task": data.task, "model": request.model, "minutes": request.minutes,
            "steps": request.steps, "seed": request.seed, "size_bytes": request.size_bytes,
            "transfer": request.transfer,
            **{name: path and str(path) for name, path in (
                ("from", request.start_from), ("unlabelled", request.unlabelled),
                ("user_dictionary", request.user_dictionary),
            )},
        },
        "measured": dict(outcome.measured),
        "curve": {
            name: [dataclasses.asdict(point) for point in result.curve]
            for name, result in outcome.stages.items()
        },
    }  # fmt: skip
    return ModelParts(
        kind=data.task,
        codec=codec if encoder else None,
        shape=encoder.engine.shape if encoder else None,
        binaries=outcome.binaries,
        facts=facts,
    )


def fingerprint_of(request: TrainRequest, data: TaskData) -> str:
    """Name this training: the same for the same examples and settings."""
    return request.fingerprint(bytes.fromhex(data.fingerprint))
