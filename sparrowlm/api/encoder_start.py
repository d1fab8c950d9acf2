"""An encoder of a finished model as the start of another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.foundation.errors import ModelError
from sparrowlm.runtime.directory import ENCODER_FILE, ModelDirectory
from sparrowlm.runtime.encoder_files import encoder_tensors, load_encoder

if TYPE_CHECKING:
    from sparrowlm.training.encoder_stage import EncoderSize


@dataclass(frozen=True)
class EncoderStart:
    """What another training goes on from.

    Attributes:
        size: of the encoder.
        tensors: its weights by name, without a head.
    """

    size: EncoderSize
    tensors: dict[str, np.ndarray[Any, np.dtype[np.float32]]]


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
    return EncoderStart(size, encoder_tensors(directory))
