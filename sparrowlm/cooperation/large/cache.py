"""Answers that were paid for, kept so that nobody pays for them again.

The key is a hash: what was asked stands nowhere in the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparrowlm.cooperation.large.database import Database

_LAYOUT = "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, answer TEXT NOT NULL)"


def request_key(url: str, endpoint: str, body: Mapping[str, Any]) -> bytes:
    """Return what tells one request from every other.

    Args:
        url: of the server.
        endpoint: path behind the version.
        body: what is sent, the model's name included.
    """
    text = json.dumps([url, endpoint, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


class AnswerCache:
    """Answers by request.

    Args:
        path: SQLite file; None keeps answers in memory.

    Raises:
        DamagedFileError: the file is damaged.
        ResourceError: it cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._database = Database(path, _LAYOUT)

    def find(self, key: bytes) -> dict[str, Any] | None:
        """Return the server's JSON, None where it is not known."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        found: dict[str, Any] = json.loads(row[0])
        return found

    def keep(self, key: bytes, answer: Mapping[str, Any]) -> None:
        """Write the server's JSON down; once this returns it survives a power cut."""
        text = json.dumps(answer, separators=(",", ":"))
        with self._database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, text))

    def __len__(self) -> int:
        with self._database.reading() as connection:
            return int(connection.execute("SELECT COUNT(*) FROM answers").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()
