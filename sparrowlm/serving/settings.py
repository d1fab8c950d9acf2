"""How a server is run: where it listens, who may ask, and how much of everything."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sparrowlm.foundation.errors import SettingError

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much of everything one request, one client and all of them may take.

    Attributes:
        body_bytes: of a request.
        header_bytes: of a request, its first line included.
        connections: open at once.
        waiting: requests that may wait for one model.
        header_seconds: from the first byte of a request to the end of its headers.
        body_seconds: for a request's body.
        write_seconds: for a client to take what was sent.
        request_seconds: from the end of a request to the end of its answer.
        idle_seconds: that a connection may stay open without a request.
        drain_seconds: for the answers under way when the server is told to end.
        prompt_tokens: of a prompt.
        output_tokens: of one text.
        total_output_tokens: of all texts that one request asks for.
        default_output_tokens: of an answer to a chat that names no number.
    """

    body_bytes: int = 4 * 1024 * 1024
    header_bytes: int = 32 * 1024
    connections: int = 1024
    waiting: int = 512
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 60.0
    request_seconds: float = 600.0
    idle_seconds: float = 75.0
    drain_seconds: float = 30.0
    prompt_tokens: int = 16_384
    output_tokens: int = 8_192
    total_output_tokens: int = 131_072
    default_output_tokens: int = 512


def limits_from(given: Sequence[str]) -> Limits:
    """Return the limits of a command line.

    Args:
        given: "name=number" for each that is not the usual one.

    Raises:
        SettingError: a name is unknown, or a number is not above 0.

    >>> limits_from(["output_tokens=99", "idle_seconds=2.5"]).output_tokens
    99
    """
    usual = {entry.name: entry.default for entry in fields(Limits)}
    found: dict[str, Any] = {}
    for word in given:
        name, _equals, number = word.partition("=")
        try:
            value = int(number) if isinstance(usual[name], int) else float(number)
            is_sound = value > 0 and math.isfinite(value)
        except (KeyError, ValueError):
            is_sound = False
        if not is_sound:
            raise SettingError("serving.limit", received=word, known=", ".join(usual))
        found[name] = value
    return Limits(**found)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """How a server is run.

    Attributes:
        host: address to listen on.
        port: 0 takes any that is free.
        keys_file: keys of those who may ask; None for none.
        allowed_hosts: names under which the server may be called, beside those of this machine.
        allowed_origins: pages of other servers that may ask, "https://name".
        certificate: of TLS, a file in PEM.
        private_key: that belongs to it.
        memory_bytes: that models may take together; None for no limit.
        limits: see Limits.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    memory_bytes: int | None = None
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuse what is not safe.

        Raises:
            SettingError: others could ask without a key; a port or a certificate makes no sense.
        """
        if not 0 <= self.port <= 65535:
            raise SettingError("serving.port", received=self.port)
        if (self.certificate is None) != (self.private_key is None):
            raise SettingError("serving.certificate-alone")
        for path in (self.certificate, self.private_key):
            if path is not None and not path.is_file():
                raise SettingError("serving.no-file", path=path)
        if not is_loopback(self.host) and self.keys_file is None:
            raise SettingError("serving.key-needed", host=self.host)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach an address.

    >>> is_loopback("localhost"), is_loopback("127.0.0.2"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
