r"""Named arrays in one memory-mapped file that refuses every damage.

    offset 0    "SPARROW-ARRAYS\n\0" (16 bytes)
    16          version (u4), length of the JSON header (u4), length of the file (u8)
    32          BLAKE2b-256 of bytes 0–31 and of everything from byte 64 on (32 bytes)
    64          JSON header: kind, metadata, arrays (name, type, shape, offset)
    ...         arrays, each at a multiple of 8, zero bytes between

All numbers little-endian. The same arrays and metadata give the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.mapped_bytes import FileSource, mapped

_MAGIC = b"SPARROW-ARRAYS\n\0"
_VERSION = 1
_FIXED = struct.Struct("<16sIIQ")
_DIGEST_BYTES = 32
_HEADER_OFFSET = 64
_ALIGNMENT = 8
_PIECE_BYTES = 1 << 24

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class ArrayFile:
    """What a file of arrays holds.

    Args:
        metadata: the JSON object given to write_arrays.
        arrays: name -> read-only array, mapped from the file.
    """

    metadata: dict[str, Any]
    arrays: dict[str, Array]


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


def _header(
    kind: str, metadata: Mapping[str, Any], arrays: Mapping[str, Array]
) -> tuple[bytes, int]:
    """Return the JSON header and the length of the file; offsets count from the header's end."""
    offset = 0
    entries = []
    for name, array in arrays.items():
        offset = _aligned(offset)
        entries.append([name, array.dtype.newbyteorder("<").str, list(array.shape), offset])
        offset += array.nbytes
    record = {"kind": kind, "metadata": dict(metadata), "arrays": entries}
    header = json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return header, _aligned(_HEADER_OFFSET + len(header)) + offset


def file_bytes(kind: str, metadata: Mapping[str, Any], arrays: Mapping[str, Array]) -> int:
    """Return how long the file of write_arrays would be, in bytes."""
    return _header(kind, metadata, arrays)[1]


def write_arrays(
    path: Path, kind: str, metadata: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """Replace path by the arrays, atomically.

    Args:
        path: the file.
        kind: what the file is, checked when it is read.
        metadata: a JSON object.
        arrays: name -> array of integers or floats.

    Raises:
        ResourceError: disk full or not writable; path is left as it was.
    """
    header, total = _header(kind, metadata, arrays)
    fixed = _FIXED.pack(_MAGIC, _VERSION, len(header), total)
    digest = hashlib.blake2b(fixed, digest_size=_DIGEST_BYTES)
    with atomic.replaced(path) as temporary, temporary.open("wb") as handle:
        handle.write(bytes(_HEADER_OFFSET))
        written = _HEADER_OFFSET

        def put(data: bytes | memoryview) -> None:
            nonlocal written
            handle.write(data)
            digest.update(data)
            written += len(data)

        put(header)
        for array in arrays.values():
            put(bytes(_aligned(written) - written))
            flat = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            if flat.size:
                put(flat.data.cast("B"))
        put(bytes(total - written))
        handle.seek(0)
        handle.write(fixed + digest.digest())


def read_arrays(source: FileSource, kind: str) -> ArrayFile:
    """Map a file of write_arrays into memory, after checking all of it.

    Args:
        source: the file.
        kind: what it must be.

    Raises:
        DamagedFileError: missing, truncated, changed, or of another kind.
    """
    path, data = mapped(source)
    if len(data) < _HEADER_OFFSET:
        raise _refusal(path, f"{len(data)} bytes")
    header_bytes = _checked(path, data)
    record = json.loads(data[_HEADER_OFFSET : _HEADER_OFFSET + header_bytes].tobytes())
    if record["kind"] != kind:
        raise _refusal(path, f"is {record['kind']!r}, not {kind!r}")
    start = _aligned(_HEADER_OFFSET + header_bytes)
    arrays = {}
    for name, dtype, shape, offset in record["arrays"]:
        item = np.dtype(dtype)
        num_bytes = item.itemsize * int(np.prod(shape, dtype=np.int64))
        piece = data[start + offset : start + offset + num_bytes]
        arrays[name] = piece.view(item).reshape(shape)
    return ArrayFile(record["metadata"], arrays)


def _checked(path: Path, data: Array) -> int:
    """Return the length of the JSON header of a file whose checksum is right."""
    fixed = data[: _FIXED.size].tobytes()
    magic, version, header_bytes, total = _FIXED.unpack(fixed)
    if magic != _MAGIC or version != _VERSION:
        raise _refusal(path, "not a file of arrays of this version")
    if total != len(data):
        raise _refusal(path, f"{len(data)} bytes instead of {total}")
    digest = hashlib.blake2b(fixed, digest_size=_DIGEST_BYTES)
    for start in range(_HEADER_OFFSET, len(data), _PIECE_BYTES):
        digest.update(data[start : start + _PIECE_BYTES].data)
    if digest.digest() != data[_FIXED.size : _HEADER_OFFSET].tobytes():
        raise _refusal(path, "checksum differs")
    return int(header_bytes)


def _refusal(path: Path, reason: str) -> DamagedFileError:
    return DamagedFileError("foundation.file-damaged", path=path, reason=reason)
