"""A trained tagger as files of a model directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sparrowlm.runtime.directory import CRF_FILE, ENCODER_FILE
from sparrowlm.runtime.encoder_files import write_parts

if TYPE_CHECKING:
    from sparrowlm.tasks.tag.training import TrainedTagger


def binaries(trained: TrainedTagger) -> dict[str, Callable[[Path], None]]:
    """Return the files beside config.json, weights and tokenizer, each with what writes it."""
    writers: dict[str, Callable[[Path], None]] = {CRF_FILE: trained.tagger.floor.save}
    if trained.tagger.network is not None:
        arrays, orders = trained.model_arrays, trained.orders
        writers[ENCODER_FILE] = lambda path: write_parts(path, orders, arrays)
    return writers
