"""Keep freed memory in the process while training, instead of giving it back at every step.

A step allocates and frees the same few hundred megabytes as the one before. glibc returns large
pieces to the system at once, and the system clears every page anew when they are asked for again:
a tenth of a step's time.
"""

from __future__ import annotations

from functools import cache

from sparrowlm.foundation.memory import MMAP_THRESHOLD, TRIM_THRESHOLD, glibc

_MOST_KEPT_BYTES = (1 << 31) - 1
_LARGEST_THRESHOLD_BYTES = 1 << 25  # glibc refuses more


@cache
def keep_freed_memory() -> bool:
    """Ask the C library to keep freed memory for the rest of the process's life.

    Returns:
        Whether it does: glibc only.
    """
    library = glibc()
    if library is None:
        return False
    is_kept = bool(library.mallopt(TRIM_THRESHOLD, _MOST_KEPT_BYTES))
    return bool(library.mallopt(MMAP_THRESHOLD, _LARGEST_THRESHOLD_BYTES)) and is_kept
