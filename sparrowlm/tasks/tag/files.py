"""A trained tagger as files of a model directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparrowlm.runtime.directory import (
    CRF_FILE,
    DICTIONARY_FILE,
    ENCODER_FILE,
    ModelFiles,
)
from sparrowlm.runtime.encoder_files import (
    encoder_tensors,
    load_encoder,
    write_parts,
)

if TYPE_CHECKING:
    import numpy as np

    from sparrowlm.tasks.tag.training import TrainedTagger


def binaries(trained: TrainedTagger) -> dict[str, Callable[[Path], None]]:
    """Return the files beside config.json, weights and tokenizer, each with what writes it."""
    writers: dict[str, Callable[[Path], None]] = {CRF_FILE: trained.tagger.floor.save}
    dictionary = trained.tagger.dictionary
    if dictionary is not None:
        writers[DICTIONARY_FILE] = dictionary.save
    if trained.tagger.network is not None:
        arrays, orders = trained.model_arrays, trained.orders
        writers[ENCODER_FILE] = lambda path: write_parts(path, orders, arrays)
    return writers


def start_tensors(
    directory: ModelFiles,
) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return the weights of a tagger that the training of another may begin with.

    Those of its columns are among them: the table is "columns.table".

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    head = load_encoder(directory).head
    columns = {name: array for name, array in head.items() if name.startswith("columns.")}
    return {**encoder_tensors(directory), **columns}
