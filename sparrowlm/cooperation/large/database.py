"""SQLite files that survive kill -9 and power cuts, with our errors instead of SQLite's."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparrowlm.foundation.errors import DamagedFileError, ResourceError, SparrowError

_BUSY_WAIT_S = 5.0


class Database:
    """One connection, used by one thread at a time.

    Args:
        path: created, readable by its owner alone, where it is missing; None keeps all in memory.
        layout: "CREATE TABLE IF NOT EXISTS ..." statements.

    Raises:
        DamagedFileError: the file is no SQLite file.
        ResourceError: it cannot be written.
    """

    def __init__(self, path: Path | None, layout: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        with self._translated():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                ":memory:" if path is None else path, timeout=_BUSY_WAIT_S,
                isolation_level=None, check_same_thread=False,
            )  # fmt: skip
            self._connection.execute("PRAGMA journal_mode=WAL")
            # In WAL mode only FULL waits for the disk at every commit.
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(layout)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection in a transaction that no other process writes into.

        Raises:
            DamagedFileError: the file is damaged.
            ResourceError: it cannot be written.
        """
        with self._lock, self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for one question; raises as transaction."""
        with self._lock, self._translated():
            yield self._connection

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SparrowError:
            raise
        except sqlite3.OperationalError as error:
            raise ResourceError("foundation.not-writable", path=self._path, reason=error) from error
        except sqlite3.DatabaseError as error:
            raise DamagedFileError(
                "foundation.file-damaged", path=self._path, reason=error
            ) from error
        except OSError as error:
            raise ResourceError(
                "foundation.not-writable", path=self._path, reason=error.strerror or error
            ) from error
