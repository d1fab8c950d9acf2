"""Where every room finds the compiled code, or learns that there is none.

SPARROW_NATIVE=0 in the environment switches it off: everything then runs in NumPy, slower, with
the same numbers.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any


@cache
def _imported() -> Any | None:  # noqa: ANN401 - a compiled module without types
    try:
        return importlib.import_module("sparrowlm._native")
    except ImportError:
        return None


def native_part() -> Any | None:  # noqa: ANN401 - a compiled module without types
    """Return the compiled module, or None when it was not built or is switched off."""
    return None if _is_switched_off() else _imported()


def is_missing() -> bool:
    """Say whether it was not built, though nobody switched it off."""
    return not _is_switched_off() and _imported() is None


def _is_switched_off() -> bool:
    return os.environ.get("SPARROW_NATIVE", "1") == "0"
