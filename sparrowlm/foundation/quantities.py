"""Sizes and durations as people write them, to and from numbers.

>>> parse_size("4MB")
4000000
>>> parse_duration("5")
300.0
"""

from __future__ import annotations

import math
import re

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import Language, render

_BYTES_PER_UNIT = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SECONDS_PER_UNIT = {"": 60.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([a-z]*)", re.IGNORECASE | re.ASCII)


def _split_quantity(received: str) -> tuple[float, str] | None:
    match = _QUANTITY.fullmatch(received.strip())
    if match is None:
        return None
    return float(match[1]), match[2].lower()


def parse_size(received: str | int) -> int:
    """Read a size with its unit.

    Args:
        received: "500kB", "4 MB", "1.5GB" (powers of 1000) or "4MiB" (powers of 1024), case
            ignored; a whole number means bytes.

    Returns:
        Bytes, at least 1.

    Raises:
        SettingError: "foundation.size-unreadable" for anything else, a bare "4" included.
    """
    if isinstance(received, int) and not isinstance(received, bool):
        num_bytes = received
    else:
        quantity = _split_quantity(str(received))
        if quantity is None or quantity[1] not in _BYTES_PER_UNIT:
            raise SettingError("foundation.size-unreadable", received=received)
        num_bytes = round(quantity[0] * _BYTES_PER_UNIT[quantity[1]])
    if num_bytes < 1:
        raise SettingError("foundation.size-unreadable", received=received)
    return num_bytes


def parse_duration(received: str | float | int) -> float:
    """Read a duration; a bare number means minutes.

    Args:
        received: 5, "5", "0.5", "90s", "5min" or "1h"; above 0 and finite.

    Returns:
        Seconds.

    Raises:
        SettingError: "foundation.duration-unreadable" for anything else.
    """
    if isinstance(received, str):
        quantity = _split_quantity(received)
        if quantity is None or quantity[1] not in _SECONDS_PER_UNIT:
            raise SettingError("foundation.duration-unreadable", received=received)
        seconds = quantity[0] * _SECONDS_PER_UNIT[quantity[1]]
    else:
        seconds = float(received) * 60.0
    if not math.isfinite(seconds) or seconds <= 0:
        raise SettingError("foundation.duration-unreadable", received=received)
    return seconds


def format_size(num_bytes: int) -> str:
    """Write a size with two to three significant digits, the same in both languages.

    >>> format_size(1234567)
    '1.23 MB'
    >>> format_size(999)
    '999 B'
    """
    if num_bytes < 1000:
        return f"{num_bytes} B"
    value = float(num_bytes)
    units = ["TB", "GB", "MB", "kB"]
    unit = ""
    while units and value >= 999.5:
        value /= 1000
        unit = units.pop()
    num_decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{num_decimals}f} {unit}"


def format_duration(seconds: float | int, language: Language | None = None) -> str:
    """Write a duration with its two largest units.

    Args:
        seconds: duration, >= 0; below ten seconds one decimal is kept.
        language: "zh" or "en"; None means the user's own.

    >>> format_duration(83, "en")
    '1 min 23 s'
    >>> format_duration(83, "zh")
    '1 分 23 秒'
    """
    if seconds < 9.95:
        return render("foundation.seconds", {"seconds": f"{seconds:.1f}"}, language)
    whole_seconds = round(seconds)
    minutes, rest_seconds = divmod(whole_seconds, 60)
    if minutes == 0:
        return render("foundation.seconds", {"seconds": whole_seconds}, language)
    if minutes < 60:
        fields = {"minutes": minutes, "seconds": rest_seconds}
        return render("foundation.minutes-seconds", fields, language)
    hours, rest_minutes = divmod(round(seconds / 60), 60)
    return render("foundation.hours-minutes", {"hours": hours, "minutes": rest_minutes}, language)


def format_count(count: float | int) -> str:
    """Write a large count with a short suffix: parameters, tokens, characters.

    >>> format_count(3_480_000)
    '3.48M'
    >>> format_count(950)
    '950'
    """
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if count >= limit * 0.9995:
            value = count / limit
            num_decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{num_decimals}f}{suffix}"
    return f"{count:g}"
