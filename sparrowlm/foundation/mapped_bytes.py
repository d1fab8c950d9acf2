"""The bytes of a file where they lie: a file of its own, or a part of another one."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.errors import DamagedFileError

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class MappedBytes(NamedTuple):
    """Bytes, read-only.

    Attributes:
        path: named in errors.
        data: mapped into memory; only what is looked at is read.
    """

    path: Path
    data: Bytes


FileSource = Path | MappedBytes
"""Where the content of a file comes from."""


def mapped(source: FileSource) -> MappedBytes:
    """Map a file; bytes that are mapped already stay as they are.

    Raises:
        DamagedFileError: it is missing or cannot be read.
    """
    if isinstance(source, MappedBytes):
        return source
    try:
        with source.open("rb") as handle:
            # Nothing can be mapped of an empty file.
            if source.stat().st_size == 0:
                return MappedBytes(source, np.zeros(0, dtype=np.uint8))
            content = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        reason = error.strerror or error
        raise DamagedFileError("foundation.file-damaged", path=source, reason=reason) from error
    return MappedBytes(source, np.frombuffer(content, dtype=np.uint8))


def path_of(source: FileSource) -> Path:
    """Return the path to name in an error."""
    return source if isinstance(source, Path) else source.path
