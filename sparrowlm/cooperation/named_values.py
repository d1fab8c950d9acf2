"""Records of numbers that stand in a policy under their name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

_Kind = TypeVar("_Kind")


def named_json(record: Any) -> dict[str, Any]:  # noqa: ANN401 - a dataclass with a name
    """Return a record's name and fields as JSON values."""
    return {"name": record.name, **asdict(record)}


def from_named_json(
    values: Mapping[str, Any], kinds: Mapping[str, Callable[..., _Kind]]
) -> _Kind:  # fmt: skip
    """Rebuild from named_json.

    Args:
        values: name and fields: numbers, or lists of numbers.
        kinds: what makes a record of each name.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    fields = {
        name: tuple(map(float, value)) if isinstance(value, list) else float(value)
        for name, value in values.items()
        if name != "name"
    }
    return kinds[values["name"]](**fields)
