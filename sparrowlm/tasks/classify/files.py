"""A trained classifier as files of a model directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sparrowlm.runtime.directory import ENCODER_FILE, LINEAR_FILE
from sparrowlm.runtime.encoder_files import write_parts

if TYPE_CHECKING:
    from sparrowlm.tasks.classify.training import TrainedClassifier


def binaries(trained: TrainedClassifier) -> dict[str, Callable[[Path], None]]:
    """Return the files beside config.json, weights and tokenizer, each with what writes it."""
    writers: dict[str, Callable[[Path], None]] = {}
    linear = trained.classifier.linear
    if linear is not None:
        settings = linear.features.settings.as_json()
        writers[LINEAR_FILE] = lambda path: linear.model.save(path, settings)
    if trained.classifier.encoder is not None:
        arrays, orders = trained.model_arrays, trained.orders
        writers[ENCODER_FILE] = lambda path: write_parts(path, orders, arrays)
    return writers
