"""The key of a large model: from an environment variable or a file, shown to nobody."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from sparrowlm.foundation.errors import SettingError


@dataclass(frozen=True, slots=True)
class Key:
    """A key that neither repr nor str nor an error shows.

    Attributes:
        secret: sent as "Authorization: Bearer ..." and used for nothing else.
    """

    secret: str = field(repr=False)

    def __str__(self) -> str:
        return "Key(…)"

    def __post_init__(self) -> None:
        """Refuse what cannot stand in a header.

        Raises:
            SettingError: "cooperation.large-key-signs".
        """
        if not self.secret or not all(33 <= ord(sign) <= 126 for sign in self.secret):
            raise SettingError("cooperation.large-key-signs")

    def hidden_in(self, text: str) -> str:
        """Return text without the key: servers repeat keys in what they complain about."""
        return text.replace(self.secret, "…")


def key_from_environment(variable: str) -> Key:
    """Read the key from an environment variable.

    Raises:
        SettingError: "cooperation.large-key-missing" where it is not set.
    """
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise SettingError("cooperation.large-key-missing", variable=variable)
    return Key(secret)


def key_from_file(path: Path) -> Key:
    """Read the key from the first line of a file.

    Raises:
        SettingError: "cooperation.large-key-unreadable" where there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SettingError("cooperation.large-key-unreadable", path=path, reason=reason) from error
    secret = lines[0].strip() if lines else ""
    if not secret:
        raise SettingError("cooperation.large-key-unreadable", path=path, reason="empty")
    return Key(secret)
