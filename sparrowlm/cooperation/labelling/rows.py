"""Rows on disk as they come, and those of an earlier run replaced only when all are there again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from sparrowlm.foundation.atomic import resource_error, sync_directory, temporary_path


class RowFile:
    """JSON lines that grow in order.

    A run that goes on with an earlier one first writes the earlier rows again, out of paid answers,
    beside the file; it takes the file's place when the first new row comes, or at the end. Whenever
    the run is killed, the file has all its rows.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = temporary_path(path)
        self._is_placed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._handle: IO[bytes] = self._temporary.open("wb")
        except OSError as error:
            raise resource_error(error, path) from error

    def write(self, row: Mapping[str, Any], *, is_new: bool) -> None:
        """Add a row.

        Args:
            row: JSON values.
            is_new: whether no earlier run can have written it.

        Raises:
            ResourceError: it cannot be written.
        """
        text = json.dumps(row, ensure_ascii=False, default=str)
        try:
            self._handle.write(text.encode("utf-8", "replace") + b"\n")
            if is_new or self._is_placed:
                self._place()
                self._handle.flush()
        except OSError as error:
            raise resource_error(error, self._path) from error

    def close(self, *, keeps: bool) -> None:
        """Close the file.

        Args:
            keeps: whether what was written takes the place of what was there.
        """
        try:
            if keeps:
                self._place()
                os.fsync(self._handle.fileno())
        except OSError as error:
            raise resource_error(error, self._path) from error
        finally:
            self._handle.close()
            self._temporary.unlink(missing_ok=True)

    def _place(self) -> None:
        if self._is_placed:
            return
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._temporary.chmod(0o644)
        self._temporary.replace(self._path)
        sync_directory(self._path.parent)
        self._is_placed = True

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        # Stopped before the earlier rows were all there again: those stay.
        self.close(keeps=kind is None or self._is_placed)
