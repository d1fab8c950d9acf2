"""The encoder's files in a model directory.

    config.json, model.safetensors   the Transformer, as transformers reads it (float16)
    encoder.bin                      n-gram tables and a table of the task's columns (8 bits, one
                                     scale a row), and the task's head

See encoder_engine.EncoderEngine.input_embeddings for what transformers has to be given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.models.array_file import file_bytes, read_arrays, write_arrays
from sparrowlm.models.quantised_rows import quantised, restored, stored
from sparrowlm.runtime.directory import CONFIG_FILE, ENCODER_FILE, TENSORS_FILE, ModelDirectory
from sparrowlm.runtime.encoder_engine import EncoderEngine, NgramTables
from sparrowlm.runtime.weights import read_tensors

KIND = "encoder-parts"
TABLE_PREFIX = "ngrams.table."
COLUMN_TABLE = "columns.table"
_UP = "ngrams.up"
_BODY_PREFIX = "model."

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


def parts(tensors: Arrays) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return everything but the Transformer in the form it has in encoder.bin."""
    arrays: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    for name, tensor in tensors.items():
        if name.startswith(_BODY_PREFIX):
            continue
        if _is_table(name):
            arrays.update(stored(name, quantised(tensor)))
        else:
            arrays[name] = np.clip(tensor, -65_000, 65_000).astype(np.float16)
    return arrays


def as_stored(tensors: Arrays) -> dict[str, Matrix]:
    """Return weights as they come back from the files, float32, so that figures are the files'."""
    arrays = parts(tensors)
    found = {name: tensor.astype(np.float32) for name, tensor in body_tensors(tensors).items()}
    for name in tensors:
        if _is_table(name):
            found[name] = restored(name, arrays).plain()
        elif name not in found:
            found[name] = arrays[name].astype(np.float32)
    return found


def _is_table(name: str) -> bool:
    return name.startswith(TABLE_PREFIX) or name == COLUMN_TABLE


def parts_bytes(tensors: Arrays) -> int:
    """Return the length of encoder.bin."""
    return file_bytes(KIND, {"orders": [2, 3]}, parts(tensors))


def write_parts(path: Path, orders: tuple[int, ...], tensors: Arrays) -> None:
    """Write encoder.bin.

    Args:
        path: replaced atomically.
        orders: lengths of the n-grams of the tables.
        tensors: all weights of the encoder and its head, by name.

    Raises:
        ResourceError: disk full or not writable.
    """
    write_arrays(path, KIND, {"orders": list(orders)}, parts(tensors))


def encoder_tensors(directory: ModelDirectory) -> dict[str, Matrix]:
    """Return all weights of an encoder but its head by name, float32, to go on from them.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    encoder = load_encoder(directory)
    path = directory.path / TENSORS_FILE
    body = read_tensors(directory.read(TENSORS_FILE), path)
    found = {name: np.asarray(tensor, dtype=np.float32) for name, tensor in body.items()}
    tables = encoder.engine.tables
    for index, table_RW in enumerate(tables.tables_RW):
        found[f"{TABLE_PREFIX}{index}"] = table_RW.plain()
    return {**found, _UP: tables.up_DW}


def load_encoder(directory: ModelDirectory) -> LoadedEncoder:
    """Open the encoder of a model directory.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    path = directory.path / CONFIG_FILE
    shape = shape_from_config(directory.read_json(CONFIG_FILE), path)
    if not isinstance(shape, TransformerShape):
        raise DamagedFileError("foundation.file-damaged", path=path, reason="not an encoder")
    tensors_path = directory.path / TENSORS_FILE
    tensors = read_tensors(directory.read(TENSORS_FILE), tensors_path)
    parts_path = directory.checked_path(ENCODER_FILE)
    file = read_arrays(parts_path, KIND)
    orders = tuple(int(order) for order in file.metadata["orders"])
    try:
        tables = tuple(
            restored(f"{TABLE_PREFIX}{index}", file.arrays) for index in range(len(orders))
        )
        up_DW = file.arrays[_UP].astype(np.float32)
    except KeyError as error:
        raise DamagedFileError("foundation.file-damaged", path=parts_path, reason=error) from error
    engine = EncoderEngine(shape, tensors, NgramTables(orders, tables, up_DW), tensors_path)
    return LoadedEncoder(engine, _head(file.arrays))


def _head(arrays: Arrays) -> dict[str, Matrix]:
    """Return what is not the encoder's own, float32."""
    head = {
        name: array.astype(np.float32)
        for name, array in arrays.items()
        if not name.startswith(("ngrams.", COLUMN_TABLE))
    }
    if COLUMN_TABLE in arrays:
        head[COLUMN_TABLE] = restored(COLUMN_TABLE, arrays).plain()
    return head
