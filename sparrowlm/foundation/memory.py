"""Memory that was freed goes back to the system where the C library would keep it."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def give_memory_back() -> None:
    """Give back what is free, on Linux with glibc; elsewhere nothing is done.

    A long text takes a hundred megabytes for a moment, and glibc keeps them for the next one.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any | None:  # noqa: ANN401 - a function of C
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError):  # musl has none
        return None
