"""Memory that was freed goes back to the system where the C library would keep it."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

# Numbers of glibc's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 16 * 1024 * 1024


@cache
def glibc() -> Any | None:  # noqa: ANN401 - functions of C
    """Return the C library of this process where it is glibc, else None."""
    try:
        library = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return library if hasattr(library, "gnu_get_libc_version") else None


def give_memory_back() -> None:
    """Give back what is free, on Linux with glibc; elsewhere nothing is done.

    A long text takes a hundred megabytes for a moment, and glibc keeps them for the next one.
    """
    library = glibc()
    if library is not None:
        library.malloc_trim(0)


def give_large_pieces_back() -> bool:
    """Let large pieces go back as soon as they are freed, for the rest of the process's life.

    By itself glibc learns from the first one that is freed to keep those that follow, among the
    small ones: a server's memory grows by what all its texts ever took together.

    Returns:
        Whether it does: glibc only.
    """
    library = glibc()
    return library is not None and bool(library.mallopt(TRIM_THRESHOLD, _KEPT_BYTES))
