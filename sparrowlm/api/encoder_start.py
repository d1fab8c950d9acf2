"""An encoder of a finished model as the start of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api.request import TrainRequest
from sparrowlm.foundation.errors import ModelError, SettingError
from sparrowlm.runtime.directory import ENCODER_FILE, ModelDirectory
from sparrowlm.runtime.encoder_files import encoder_tensors, load_encoder
from sparrowlm.text.tokenizers import TokenCodec, load_tokenizer

if TYPE_CHECKING:
    from sparrowlm.training.encoder_stage import EncoderSize

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class EncoderStart:
    """What another training goes on from.

    Attributes:
        size: of the encoder.
        tensors: its weights by name; with a head where labels were asked for and it knows some.
        kind: of the model, e.g. "classify".
    """

    size: EncoderSize
    tensors: dict[str, np.ndarray[Any, np.dtype[np.float32]]]
    kind: str

    def most_reading(self, default: float | None, unlabelled: Sequence[str]) -> float | None:
        """Return how many epochs of reading come before the labels.

        An encoder that has learnt labels has forgotten how to read: it would learn that again,
        and unlearn what it was chosen for, unless somebody gave it texts to read.

        Args:
            default: of the task.
            unlabelled: texts that were given.
        """
        return default if self.kind == "encoder" or unlabelled else 0.0


def starting_path(request: TrainRequest) -> Path | None:
    """Return the model whose encoder is gone on from; None where there is none to go on from.

    A model without a network can be gone on from for its answers, and for nothing else.
    """
    path = request.start_from
    if path is None or not (request.keep_answers or request.replay is not None):
        return path
    return path if ModelDirectory(path).holds(ENCODER_FILE) else None


def start_codec(request: TrainRequest) -> TokenCodec | None:
    """Return the tokenizer of the model to start from; None where there is none to start from.

    Raises:
        ModelError: there is no model.
        SettingError: another kind of tokenizer was asked for.
    """
    path = starting_path(request)
    if path is None:
        return None
    codec = load_tokenizer(path)
    if request.tokenizer not in ("auto", codec.kind):
        raise SettingError(
            "api.start-tokenizer",
            path=path,
            kind=codec.kind,
            received=request.tokenizer,
        )
    return codec


def encoder_start(path: Path, labels: Sequence[str] = ()) -> EncoderStart:
    """Read the encoder of a model directory.

    Args:
        path: the directory.
        labels: of the classifier that is to be trained; those that a classifier in the directory
            knows keep their weights, the others begin with none.

    Raises:
        ModelError: there is no model, or none with an encoder.
        DamagedFileError: a file fails its checks.
    """
    from sparrowlm.models.encoder import NgramTableShape
    from sparrowlm.training.encoder_stage import EncoderSize

    directory = ModelDirectory(path)
    if not directory.holds(ENCODER_FILE):
        raise ModelError("api.no-encoder", path=path, kind=directory.manifest.get("kind"))
    loaded = load_encoder(directory)
    engine = loaded.engine
    tables = engine.tables
    num_buckets, width = (
        tables.tables_RW[0].integers_RD.shape if tables.orders else (1, tables.up_DW.shape[1])
    )
    size = EncoderSize(
        width=engine.shape.width,
        num_layers=engine.shape.num_layers,
        tables=NgramTableShape(orders=tables.orders, num_buckets=num_buckets, width=width),
        context_tokens=engine.shape.context_tokens,
    )
    head = _head(directory, loaded.head, labels)
    kind = str(directory.manifest.get("kind"))
    return EncoderStart(size, {**encoder_tensors(directory), **head}, kind)


def _head(
    directory: ModelDirectory, head: Mapping[str, Matrix], labels: Sequence[str]
) -> dict[str, Matrix]:
    """Return a head for labels, with the rows of those that an old head knows."""
    if directory.manifest.get("kind") != "classify":
        return {}
    known: list[str] = directory.manifest["task"]["labels"]
    found = [(row, known.index(name)) for row, name in enumerate(labels) if name in known]
    if not found:
        return {}
    tensors = {}
    for name in ("head.weight", "head.bias"):
        old: Matrix = head[name]
        tensors[name] = np.zeros((len(labels), *old.shape[1:]), dtype=np.float32)
        for row, old_row in found:
            tensors[name][row] = old[old_row]
    return tensors
