"""What the trainings of all tasks do alike: clock, tokenizer, facts, files."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparrowlm.api.labels import TaskData
from sparrowlm.api.request import TrainRequest
from sparrowlm.export.model_directory import ModelParts
from sparrowlm.runtime.encoder_files import LoadedEncoder, body_tensors
from sparrowlm.text.segmentation import HAN, read_user_words
from sparrowlm.text.tokenizers import TokenCodec, TokenizerKind, train_tokenizer
from sparrowlm.text.tokenizers.sequences import whole

if TYPE_CHECKING:
    from sparrowlm.training.loop import LoopResult

DEFAULT_BYTES = 5_000_000
# Tasks of the tagger: names, slots with intents, words.
TAG_TASKS = ("tag", "intent", "segment")
_CLOSING_SECONDS = 2.0
_LEAST_SECONDS = 1.0
_HAN_SHARE = 0.2
_SAMPLE_TEXTS, _SAMPLE_CHARACTERS = 1000, 200_000


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


def user_words(request: TrainRequest) -> tuple[str, ...]:
    """Return the words of the user's dictionary.

    Raises:
        DataError: it cannot be read.
    """
    if request.user_dictionary is None:
        return ()
    return tuple(read_user_words(request.user_dictionary))


def unlabelled_texts(request: TrainRequest) -> list[str]:
    """Return the further texts that a network reads before it learns labels.

    Raises:
        DataError: they cannot be read.
    """
    if request.unlabelled is None:
        return []
    from sparrowlm.corpora.labelled import iterate_texts

    rows = iterate_texts(request.unlabelled, request.work / "labels")
    return [row.text for row in rows if row.text.strip()]


def learnt_codec(
    request: TrainRequest, texts: Sequence[str], words: Sequence[str] = ()
) -> TokenCodec:
    """Learn a tokenizer: characters where the texts are mostly Chinese, words elsewhere.

    Args:
        request: may name another kind.
        texts: what it is learnt from.
        words: of the user's dictionary.
    """
    sample = [whole(text) for text in texts]
    kind: TokenizerKind = "character" if is_mostly_han(sample) else "word"
    if request.tokenizer != "auto":
        kind = request.tokenizer
    return train_tokenizer(kind, lambda: iter(sample), sum(map(len, sample)), user_words=words)


def is_mostly_han(texts: Sequence[str]) -> bool:
    """Say whether Han characters are at least a fifth of what is no white space."""
    some = texts[:: max(len(texts) // _SAMPLE_TEXTS, 1)]
    sample = "".join(some)[:_SAMPLE_CHARACTERS]
    num_han = len(re.findall(f"[{HAN}]", sample))
    num_signs = sum(not sign.isspace() for sign in sample)
    return num_han >= _HAN_SHARE * max(num_signs, 1)


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
        tensors=body_tensors(outcome.arrays) if encoder else {},
        binaries=outcome.binaries,
        facts=facts,
    )


def fingerprint_of(request: TrainRequest, data: TaskData) -> str:
    """Name this training: the same for the same examples and settings."""
    return request.fingerprint(bytes.fromhex(data.fingerprint))
