"""Who may ask, and how much: hashed keys, requests a minute, tokens a day, hosts and origins.

A key is 32 random bytes, so that its SHA-256 is as hard to find as the key itself; the file holds
nothing that opens a door.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError, SettingError
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.settings import LOOPBACK_NAMES, ServerSettings

_PREFIX = "sk-sparrow-"
_DAY_SECONDS = 86_400
_MINUTE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it stands in the file.

    Attributes:
        name: of whoever has it.
        sha256: of the key, in hexadecimal digits.
        requests_per_minute: None for no limit.
        tokens_per_day: read and written; None for no limit.
    """

    name: str
    sha256: str
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "name": self.name, "sha256": self.sha256,
            "requests_per_minute": self.requests_per_minute,
            "tokens_per_day": self.tokens_per_day,
        }  # fmt: skip


def read_keys(path: Path) -> list[KeyRecord]:
    """Read the file of keys.

    Args:
        path: written by add_key.

    Raises:
        SettingError: there is no such file, or there are no keys in it.
        DamagedFileError: it is not what was written.
    """
    try:
        found = json.loads(path.read_bytes())
        records = [KeyRecord(**fields) for fields in found["keys"]]
    except OSError as error:
        raise SettingError("serving.no-file", path=path) from error
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error
    if not records:
        raise SettingError("serving.no-keys", path=path)
    return records


def add_key(
    path: Path,
    name: str,
    requests_per_minute: int | None = None,
    tokens_per_day: int | None = None,
) -> str:
    """Make a key, keep its hash, and return the key itself, which nobody can show again.

    Args:
        path: file of keys; made where it is not there, readable for its owner alone.
        name: of whoever gets the key; a key that the name had before is replaced.
        requests_per_minute: >= 1; None for no limit.
        tokens_per_day: >= 1; None for no limit.

    Raises:
        DamagedFileError: the file is there and is not what was written.
    """
    key = _PREFIX + secrets.token_urlsafe(32)
    known = read_keys(path) if path.exists() else []
    records = [record for record in known if record.name != name]
    records.append(KeyRecord(name, _hash(key), requests_per_minute, tokens_per_day))
    content = {"keys": [record.as_json() for record in records]}
    atomic.write_bytes(path, json.dumps(content, indent=1, ensure_ascii=False).encode())
    path.chmod(0o600)
    return key


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(eq=False)
class Caller:
    """Someone who asks, and what they have used.

    Attributes:
        record: of their key; of nobody in particular where no key is needed.
        clock: seconds, never going back.
    """

    record: KeyRecord
    clock: Callable[[], float] = time.monotonic
    _allowance: float = field(init=False)
    _refilled_at: float = field(init=False)
    _day_began_at: float = field(init=False)
    _tokens_today: int = 0

    def __post_init__(self) -> None:
        """Begin with everything that is allowed."""
        self._allowance = float(self.record.requests_per_minute or 0)
        self._refilled_at = self._day_began_at = self.clock()

    def ask(self) -> None:
        """Count a request.

        Raises:
            Refusal: 429, with when to come again.
        """
        self._check_tokens()
        rate = self.record.requests_per_minute
        if rate is None:
            return
        now = self.clock()
        gained = (now - self._refilled_at) * rate / _MINUTE_SECONDS
        self._allowance, self._refilled_at = min(self._allowance + gained, float(rate)), now
        if self._allowance < 1:
            wait = (1 - self._allowance) * _MINUTE_SECONDS / rate
            raise Refusal(429, "serving.too-often", retry_after_seconds=wait, most=rate)
        self._allowance -= 1

    def use(self, num_tokens: int) -> None:
        """Count tokens read or written."""
        self._tokens_today += num_tokens

    def _check_tokens(self) -> None:
        most = self.record.tokens_per_day
        if most is None:
            return
        now = self.clock()
        if now - self._day_began_at >= _DAY_SECONDS:
            self._day_began_at, self._tokens_today = now, 0
        if self._tokens_today >= most:
            wait = self._day_began_at + _DAY_SECONDS - now
            raise Refusal(429, "serving.tokens-used-up", retry_after_seconds=wait, most=most)


class Gate:
    """Lets requests in, or not.

    Args:
        settings: of the server.
        clock: seconds, never going back.
    """

    def __init__(
        self, settings: ServerSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._anyone = Caller(KeyRecord("anyone", ""), clock)
        self._callers = [
            Caller(record, clock)
            for record in (read_keys(settings.keys_file) if settings.keys_file else [])
        ]
        self._hosts = {host.lower() for host in (*LOOPBACK_NAMES, *settings.allowed_hosts)}
        if settings.host not in ("0.0.0.0", "::"):
            self._hosts.add(settings.host.lower())
        self._origins = {origin.lower().rstrip("/") for origin in settings.allowed_origins}

    def check_place(self, headers: Mapping[str, str], scheme: str) -> None:
        """Refuse what a page of another server made a browser ask (DNS rebinding, cross-site).

        Args:
            headers: of the request.
            scheme: "http" or "https".

        Raises:
            Refusal: 421 for a foreign Host, 403 for a foreign Origin.
        """
        host = headers.get("host", "").lower()
        if "*" not in self._hosts and _without_port(host) not in self._hosts:
            raise Refusal(421, "serving.host", received=host[:100])
        origin = headers.get("origin", "").lower()
        if origin and not self.allows_origin(origin, f"{scheme}://{host}"):
            raise Refusal(403, "serving.origin", received=origin[:100])

    def allows_origin(self, origin: str, own: str) -> bool:
        """Say whether a page may ask.

        Args:
            origin: of the page.
            own: of the server, as the request calls it.
        """
        return origin == own or origin in self._origins or "*" in self._origins

    def caller(self, headers: Mapping[str, str]) -> Caller:
        """Return who asks.

        Args:
            headers: of the request.

        Raises:
            Refusal: 401, no key or one that is not known.
        """
        if not self._callers:
            return self._anyone
        scheme, _space, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Refusal(401, "serving.no-key")
        given = _hash(key.strip())
        found = None
        for caller in self._callers:  # all of them, so that time tells nothing
            if hmac.compare_digest(caller.record.sha256, given):
                found = caller
        if found is None:
            raise Refusal(401, "serving.wrong-key")
        return found


def _without_port(host: str) -> str:
    """Return a host's name.

    >>> _without_port("localhost:8000"), _without_port("[::1]:80"), _without_port("::1")
    ('localhost', '::1', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]
