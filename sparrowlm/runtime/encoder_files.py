"""The encoder's files in a model directory.

    config.json, model.safetensors   the Transformer of a model that only reads, as transformers
                                     reads it (float16)
    encoder.bin                      n-gram tables and a table of the task's columns (8 bits, one
                                     scale a row), and the task's head; in a model of a task the
                                     Transformer too, its matrices in 8 bits

Half the room for the same answers: what is saved belongs to the n-gram model beside it
(docs/decisions/031-classification.md). See encoder_engine.EncoderEngine.input_embeddings for what
transformers has to be given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.models.array_file import ArrayFile, file_bytes, read_arrays, write_arrays
from sparrowlm.models.quantised_rows import SCALE_SUFFIX, quantised, restored, stored
from sparrowlm.runtime.directory import CONFIG_FILE, ENCODER_FILE, TENSORS_FILE, ModelFiles
from sparrowlm.runtime.encoder_engine import EncoderEngine, NgramTables
from sparrowlm.runtime.weights import read_tensors

KIND = "encoder-parts"
TABLE_PREFIX = "ngrams.table."
COLUMN_TABLE = "columns.table"
_UP = "ngrams.up"
_BODY_PREFIX, _TABLES_PREFIX = "model.", "ngrams."
_MATRIX = 2

Arrays = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder ready to run.

    Attributes:
        engine: ids in, states out.
        head: the task's own weights by name, float32.
    """

    engine: EncoderEngine
    head: Mapping[str, Matrix]


def body_tensors(tensors: Arrays) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return the Transformer's weights, rounded to float16, for model.safetensors."""
    return {
        name: np.clip(tensor, -65_000, 65_000).astype(np.float16)
        for name, tensor in tensors.items()
        if name.startswith(_BODY_PREFIX)
    }


def parts(tensors: Arrays, *, has_body: bool = True) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return weights in the form they have in encoder.bin.

    Args:
        tensors: all weights by name.
        has_body: the Transformer among them; else it stands in model.safetensors.
    """
    arrays: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    for name, tensor in tensors.items():
        is_body = name.startswith(_BODY_PREFIX)
        if is_body and not has_body:
            continue
        if _is_table(name) or (is_body and tensor.ndim == _MATRIX):
            arrays.update(stored(name, quantised(tensor)))
        else:
            arrays[name] = np.clip(tensor, -65_000, 65_000).astype(np.float16)
    return arrays


def as_stored(tensors: Arrays) -> dict[str, Matrix]:
    """Return weights as they come back from encoder.bin, so that figures are the file's."""
    arrays = parts(tensors)
    return {name: _plain(name, arrays) for name in tensors}


def _plain(name: str, arrays: Arrays) -> Matrix:
    """Return one of the weights of encoder.bin, float32."""
    if name + SCALE_SUFFIX in arrays:
        return restored(name, arrays).plain()
    return np.asarray(arrays[name], dtype=np.float32)


def _is_table(name: str) -> bool:
    return name.startswith(TABLE_PREFIX) or name == COLUMN_TABLE


def parts_bytes(tensors: Arrays) -> int:
    """Return the length of encoder.bin."""
    return file_bytes(KIND, {"orders": [2, 3]}, parts(tensors))


def write_parts(
    path: Path, orders: tuple[int, ...], tensors: Arrays, *, has_body: bool = True
) -> None:
    """Write encoder.bin.

    Args:
        path: replaced atomically.
        orders: lengths of the n-grams of the tables.
        tensors: all weights of the encoder and its head, by name.
        has_body: the Transformer too; else it stands in model.safetensors.

    Raises:
        ResourceError: disk full or not writable.
    """
    write_arrays(path, KIND, {"orders": list(orders)}, parts(tensors, has_body=has_body))


def encoder_tensors(directory: ModelFiles) -> dict[str, Matrix]:
    """Return all weights of an encoder but its head by name, float32, to go on from them.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    arrays = _parts_of(directory).arrays
    return _body(directory, arrays) | _all_plain(arrays, _TABLES_PREFIX)


def transformer_tensors(directory: ModelFiles) -> dict[str, Matrix]:
    """Return the weights of an encoder's Transformer by name, float32.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    return _body(directory, _parts_of(directory).arrays)


def _parts_of(directory: ModelFiles) -> ArrayFile:
    return read_arrays(directory.mapped(ENCODER_FILE), KIND)


def _body(directory: ModelFiles, arrays: Arrays) -> dict[str, Matrix]:
    """Return the Transformer's weights from wherever they stand, float32."""
    if directory.holds(TENSORS_FILE):
        path = directory.path / TENSORS_FILE
        body = read_tensors(directory.read(TENSORS_FILE), path)
        return {name: np.asarray(tensor, dtype=np.float32) for name, tensor in body.items()}
    return _all_plain(arrays, _BODY_PREFIX)


def _all_plain(arrays: Arrays, prefix: str) -> dict[str, Matrix]:
    """Return the weights of encoder.bin whose names begin alike, float32."""
    return {
        name: _plain(name, arrays)
        for name in arrays
        if name.startswith(prefix) and not name.endswith(SCALE_SUFFIX)
    }


def load_encoder(directory: ModelFiles) -> LoadedEncoder:
    """Open the encoder of a model directory.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    path = directory.path / CONFIG_FILE
    shape = shape_from_config(directory.read_json(CONFIG_FILE), path)
    if not isinstance(shape, TransformerShape):
        raise DamagedFileError("foundation.file-damaged", path=path, reason="not an encoder")
    file = _parts_of(directory)
    parts_path = directory.path / ENCODER_FILE
    has_file = directory.holds(TENSORS_FILE)
    tensors_path = directory.path / TENSORS_FILE if has_file else parts_path
    orders = tuple(int(order) for order in file.metadata["orders"])
    try:
        tables = tuple(
            restored(f"{TABLE_PREFIX}{index}", file.arrays) for index in range(len(orders))
        )
        up_DW = file.arrays[_UP].astype(np.float32)
    except KeyError as error:
        raise DamagedFileError("foundation.file-damaged", path=parts_path, reason=error) from error
    parts = NgramTables(orders, tables, up_DW)
    engine = EncoderEngine(shape, _body(directory, file.arrays), parts, tensors_path)
    return LoadedEncoder(engine, _head(file.arrays))


def _head(arrays: Arrays) -> dict[str, Matrix]:
    """Return what is not the encoder's own, float32."""
    head = {
        name: array.astype(np.float32)
        for name, array in arrays.items()
        if not name.startswith((_TABLES_PREFIX, _BODY_PREFIX, COLUMN_TABLE))
    }
    if COLUMN_TABLE in arrays:
        head[COLUMN_TABLE] = restored(COLUMN_TABLE, arrays).plain()
    return head
