"""Settings of a GGUF file, by the kinds of their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def write_settings(writer: Any, settings: Mapping[str, str | int | float]) -> None:  # noqa: ANN401
    """Add texts, sizes and numbers to a gguf.GGUFWriter."""
    for key, value in settings.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        else:
            writer.add_uint32(key, value)
