"""A schema whose parts refer to one another, as one without references, where that has an end.

What programs make of nested types ("$defs" and "$ref") needs no stack: a part stands for itself
wherever it is referred to. A part that holds itself has no end and stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

# Parts that refer to others twice each grow like powers of two.
_MOST_PARTS = 10_000
_DEFINITIONS = frozenset(("$defs", "definitions"))


class _NoEnd(Exception):
    """A part holds itself, points nowhere, or there are too many."""


def without_references(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a schema in which every reference is replaced by what it refers to.

    Args:
        schema: as json.loads gives it; references begin with "#".

    Returns:
        None where a part holds itself, a reference points nowhere, or it would be too large.

    >>> without_references({"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}})
    {'type': 'null'}
    """
    try:
        found = _Expansion(schema).expanded(schema, frozenset())
    except _NoEnd:
        return None
    return found if isinstance(found, dict) else None


class _Expansion:
    """Counts what it makes.

    Args:
        root: that references begin at.
    """

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._num_parts = 0

    def expanded(self, part: Any, within: frozenset[str]) -> Any:  # noqa: ANN401 - any JSON value
        """Return a part without references; within: those that lead to it."""
        self._num_parts += 1
        if self._num_parts > _MOST_PARTS:
            raise _NoEnd
        if not isinstance(part, Mapping):
            return part
        rest = {name: value for name, value in part.items() if name not in _DEFINITIONS}
        reference = rest.pop("$ref", None)
        if isinstance(reference, str):
            if reference in within:
                raise _NoEnd
            target = self.expanded(self._target(reference), within | {reference})
            if not isinstance(target, dict):
                return target
            return {**target, **self._members(rest, within)}
        alone = rest.get("allOf")
        if isinstance(alone, list) and len(alone) == 1:  # how descriptions stand beside references
            del rest["allOf"]
            target = self.expanded(alone[0], within)
            return {**target, **self._members(rest, within)} if isinstance(target, dict) else target
        return self._members(rest, within)

    def _members(self, part: Mapping[str, Any], within: frozenset[str]) -> dict[str, Any]:
        """Expand what is a schema in a schema; values of enumerations are none."""
        found: dict[str, Any] = {}
        for name, value in part.items():
            if name == "properties" and isinstance(value, Mapping):
                found[name] = {key: self.expanded(one, within) for key, one in value.items()}
            elif name in ("anyOf", "oneOf", "allOf") and isinstance(value, list):
                found[name] = [self.expanded(one, within) for one in value]
            elif name == "items":
                found[name] = self.expanded(value, within)
            else:
                found[name] = value
        return found

    def _target(self, reference: str) -> Any:  # noqa: ANN401 - any JSON value
        if reference == "#":
            return self._root
        if not reference.startswith("#/"):
            raise _NoEnd
        part: Any = self._root
        for step in reference[2:].split("/"):
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if not isinstance(part, Mapping) or name not in part:
                raise _NoEnd
            part = part[name]
        return part
