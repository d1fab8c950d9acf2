"""An encoder of a finished model as the start of another."""

from __future__ import annotations

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


@dataclass(frozen=True)
class EncoderStart:
    """What another training goes on from.

    Attributes:
        size: of the encoder.
        tensors: its weights by name, without a head.
        kind: of the model, e.g. "classify".
    """

    size: EncoderSize
    tensors: dict[str, np.ndarray[Any, np.dtype[np.float32]]]
    kind: str


def start_codec(request: TrainRequest) -> TokenCodec | None:
    """Return the tokenizer of the model to start from; None where there is none to start from.

    Raises:
        ModelError: there is no model.
        SettingError: another kind of tokenizer was asked for.
    """
    if request.start_from is None:
        return None
    codec = load_tokenizer(request.start_from)
    if request.tokenizer not in ("auto", codec.kind):
        raise SettingError(
            "api.start-tokenizer",
            path=request.start_from,
            kind=codec.kind,
            received=request.tokenizer,
        )
    return codec


def encoder_start(path: Path) -> EncoderStart:
    """Read the encoder of a model directory.

    Raises:
        ModelError: there is no model, or none with an encoder.
        DamagedFileError: a file fails its checks.
    """
    from sparrowlm.models.encoder import NgramTableShape
    from sparrowlm.training.encoder_stage import EncoderSize

    directory = ModelDirectory(path)
    if not directory.holds(ENCODER_FILE):
        raise ModelError("api.no-encoder", path=path, kind=directory.manifest.get("kind"))
    engine = load_encoder(directory).engine
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
    return EncoderStart(size, encoder_tensors(directory), str(directory.manifest.get("kind")))
