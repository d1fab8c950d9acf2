"""The encoder's files in a model directory.

    config.json, model.safetensors   the Transformer of a model that only reads, as transformers
                                     reads it (float16)
    encoder.bin                      n-gram tables and a table of the task's columns (8 bits, one
                                     scale a row), and the task's head; in a model of a task the
                                     Transformer too, its matrices in 8 bits

A matrix that compression gave fewer bits stands as tiles (models/tiles.py), with bits and sizes.

Half the room for the same answers: what is saved belongs to the n-gram model beside it
(docs/decisions/031-classification.md). See encoder_engine.EncoderEngine.input_embeddings for what
transformers has to be given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import DamagedFileError, DependencyError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.models.array_file import ArrayFile, file_bytes, read_arrays, write_arrays
from sparrowlm.models.block_codes import BlockCodes
from sparrowlm.models.quantised_rows import SCALE_SUFFIX, QuantisedRows, quantised, restored, stored
from sparrowlm.models.tiles import packed, unpacked
from sparrowlm.runtime.directory import CONFIG_FILE, ENCODER_FILE, TENSORS_FILE, ModelFiles
from sparrowlm.runtime.encoder_engine import EncoderEngine, NgramTables
from sparrowlm.runtime.weights import read_tensors

KIND = "encoder-parts"
TABLE_PREFIX = "ngrams.table."
COLUMN_TABLE = "columns.table"
_UP = "ngrams.up"
_BODY_PREFIX, _TABLES_PREFIX = "model.", "ngrams."
_TILES_SUFFIX, _FORM_SUFFIX = ".tiles", ".form"
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
        if _is_table(name) or is_body_matrix(name, tensor):
            arrays.update(stored(name, quantised(tensor)))
        else:
            arrays[name] = np.clip(tensor, -65_000, 65_000).astype(np.float16)
    return arrays


def as_stored(tensors: Arrays) -> dict[str, Matrix]:
    """Return weights as they come back from encoder.bin, so that figures are the file's."""
    arrays = parts(tensors)
    return {name: _plain(name, arrays) for name in tensors}


def stored_codes(name: str, codes: BlockCodes) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return the arrays of encoder.bin for a matrix of codes.

    Raises:
        DependencyError: tiles need the compiled part.
    """
    native = native_part()
    if native is None:
        raise DependencyError("runtime.tiles-need-native", bits=codes.bits)
    form = np.array([codes.bits, *codes.codes_OI.shape], dtype=np.int32)
    return {name + _TILES_SUFFIX: packed(native, codes), name + _FORM_SUFFIX: form}


def _codes(name: str, arrays: Arrays) -> BlockCodes | None:
    """Return a matrix that stands as tiles.

    Raises:
        ValueError: they are none.
    """
    if name + _TILES_SUFFIX not in arrays:
        return None
    bits, rows, columns = arrays[name + _FORM_SUFFIX].tolist()
    return unpacked(arrays[name + _TILES_SUFFIX], bits, rows, columns)


def _names(arrays: Arrays) -> list[str]:
    """Return the names of the weights."""
    suffixes = (SCALE_SUFFIX, _FORM_SUFFIX)
    return [name.removesuffix(_TILES_SUFFIX) for name in arrays if not name.endswith(suffixes)]


def without(arrays: Arrays, names: Iterable[str]) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Return the arrays of encoder.bin but those of some weights."""
    suffixes = ("", SCALE_SUFFIX, _TILES_SUFFIX, _FORM_SUFFIX)
    gone = {name + suffix for name in names for suffix in suffixes}
    return {name: array for name, array in arrays.items() if name not in gone}


def plain_weights(arrays: Arrays) -> dict[str, Matrix]:
    """Return all weights of encoder.bin by name, float32."""
    return _all_plain(arrays, "")


def _plain(name: str, arrays: Arrays) -> Matrix:
    """Return one of the weights of encoder.bin, float32."""
    codes = _codes(name, arrays)
    if codes is not None:
        return codes.plain()
    if name + SCALE_SUFFIX in arrays:
        return restored(name, arrays).plain()
    return np.asarray(arrays[name], dtype=np.float32)


def is_body_matrix(name: str, tensor: np.ndarray[Any, np.dtype[Any]]) -> bool:
    """Say whether a tensor is a matrix of the Transformer, which stands in 8 bits."""
    return name.startswith(_BODY_PREFIX) and tensor.ndim == _MATRIX


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
    return {name: _plain(name, arrays) for name in _names(arrays) if name.startswith(prefix)}


class _PlainBody(Mapping[str, Matrix]):
    """The Transformer's weights in encoder.bin, made float32 whenever one is asked for.

    Args:
        arrays: of encoder.bin.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._known = dict.fromkeys(n for n in _names(arrays) if n.startswith(_BODY_PREFIX))

    def __getitem__(self, name: str) -> Matrix:
        if name not in self._known:
            raise KeyError(name)
        return _plain(name, self._arrays)

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


def _body_codes(arrays: Arrays) -> dict[str, BlockCodes]:
    """Return the Transformer's matrices as they are stored."""
    found = {}
    for name in _names(arrays):
        codes = _codes(name, arrays)
        if codes is None and name.startswith(_BODY_PREFIX) and name + SCALE_SUFFIX in arrays:
            codes = restored(name, arrays).codes()
        if codes is not None and name.startswith(_BODY_PREFIX):
            found[name] = codes
    return found


def _table(name: str, arrays: Arrays) -> QuantisedRows:
    codes = _codes(name, arrays)
    if codes is None:
        return restored(name, arrays)
    if codes.scales_ON.shape[1] != 1:
        raise ValueError(f"{name}: more than one scale a row")
    return QuantisedRows(codes.codes_OI, codes.scales_ON[:, 0].astype(np.float32))


def table_width(arrays: Arrays) -> int:
    """Return how wide the rows of the n-gram tables are."""
    return int(arrays[_UP].shape[1])


def load_encoder(directory: ModelFiles) -> LoadedEncoder:
    """Open the encoder of a model directory.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    shape, orders, arrays = encoder_parts(directory)
    body = _body(directory, arrays) if directory.holds(TENSORS_FILE) else None
    return encoder_of(shape, orders, arrays, body, directory.path / ENCODER_FILE)


def encoder_parts(directory: ModelFiles) -> tuple[TransformerShape, tuple[int, ...], Arrays]:
    """Return an encoder's sizes, the lengths of its tables' n-grams, and what is in encoder.bin.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    path = directory.path / CONFIG_FILE
    shape = shape_from_config(directory.read_json(CONFIG_FILE), path)
    if not isinstance(shape, TransformerShape):
        raise DamagedFileError("foundation.file-damaged", path=path, reason="not an encoder")
    file = _parts_of(directory)
    return shape, tuple(int(order) for order in file.metadata["orders"]), file.arrays


def encoder_of(
    shape: TransformerShape,
    orders: tuple[int, ...],
    arrays: Arrays,
    body: Mapping[str, Matrix] | None,
    path: object,
) -> LoadedEncoder:
    """Make an encoder of what stands in encoder.bin.

    Args:
        shape: of the Transformer.
        orders: lengths of the n-grams of the tables.
        arrays: of encoder.bin.
        body: the Transformer's weights, where they stand elsewhere.
        path: named in errors.

    Raises:
        DamagedFileError: a weight is missing or of another form.
    """
    try:
        tables = tuple(_table(f"{TABLE_PREFIX}{index}", arrays) for index in range(len(orders)))
        parts = NgramTables(orders, tables, arrays[_UP].astype(np.float32))
        codes = _body_codes(arrays) if body is None else {}
        weights = _PlainBody(arrays) if body is None else body
        return LoadedEncoder(EncoderEngine(shape, weights, parts, path, codes), _head(arrays))
    except (KeyError, ValueError) as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error


def _head(arrays: Arrays) -> dict[str, Matrix]:
    """Return what is not the encoder's own, float32."""
    return {
        name: _plain(name, arrays)
        for name in _names(arrays)
        if not name.startswith((_TABLES_PREFIX, _BODY_PREFIX))
    }
