"""Files that are either the old version or the new one, never half of each.

Every writer goes through a temporary file in the same directory, fsync, rename, fsync of the
directory. A power cut or kill -9 leaves the old file, plus at most a temporary file that the next
writer of the same name removes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from sparrowlm.foundation.errors import DamagedFileError, ResourceError

TEMPORARY_SUFFIX = ".sparrow-tmp"

_NUMBER = r"-?[0-9][0-9.eE+-]*"
_NUMBER_LIST = re.compile(rf"\[\s+{_NUMBER}(?:,\s+{_NUMBER})*\s+\]")


def resource_error(error: OSError, path: Path) -> ResourceError:
    """Translate an operating-system error about writing path into one clear sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ResourceError("foundation.disk-full", path=path)
    return ResourceError("foundation.not-writable", path=path, reason=error.strerror or error)


def sync_directory(directory: Path) -> None:
    """Make renames inside a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_path(path: Path) -> Path:
    """Return the hidden temporary name used while path is being written."""
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path to fill by any means; on success it replaces path atomically.

    Args:
        path: final file; its directory is created when missing.

    Raises:
        ResourceError: disk full or not writable; path is left as it was.
    """
    temporary = temporary_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.chmod(0o644)  # some writers (safetensors) create files as 0600
        temporary.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise resource_error(error, path) from error
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Yield a binary file to write; on success it becomes path atomically."""
    with replaced(path) as temporary, temporary.open("wb") as handle:
        yield handle
        handle.flush()


def write_bytes(path: Path, data: bytes) -> None:
    """Replace path by data, atomically and durably."""
    with opened(path) as handle:
        handle.write(data)


def saved_bytes(save: Callable[[Path], None]) -> bytes:
    """Return what a part writes as its file.

    Args:
        save: writes it to a path.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "part"
        save(path)
        return path.read_bytes()


def write_text(path: Path, text: str) -> None:
    """Replace path by text as UTF-8, atomically and durably."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Replace path by readable JSON: UTF-8, Chinese as it is, lists of numbers on one line."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # No string holds a line break: JSON writes it as two signs.
    text = _NUMBER_LIST.sub(lambda found: " ".join(found[0].split()), text)
    write_text(path, text + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object written by write_json.

    Raises:
        DamagedFileError: the file is not UTF-8 JSON with an object at the top.
    """
    return json_object(path.read_bytes(), path)


def json_object(content: bytes, path: Path) -> dict[str, Any]:
    """Parse a JSON object.

    Args:
        content: UTF-8.
        path: named in the error.

    Raises:
        DamagedFileError: it is not UTF-8 JSON with an object at the top.
    """
    try:
        value = json.loads(content.decode("utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error
    if not isinstance(value, dict):
        raise DamagedFileError("foundation.file-damaged", path=path, reason="no JSON object")
    return value


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in pieces of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while piece := handle.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def remove_leftovers(directory: Path) -> None:
    """Delete temporary files that a killed writer left in directory."""
    for leftover in directory.glob(f".*{TEMPORARY_SUFFIX}"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
