"""JSON as a pattern: any value that a schema allows, written without needless white space.

Known: type (one or several), properties with required, items with minItems and maxItems, enum,
const, anyOf, oneOf, minLength and maxLength, pattern. Properties come in the schema's order. Values
without a schema go three levels deep. A schema that refers to itself has no end and is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.patterns.parsing import parse_pattern
from sparrowlm.text.patterns.tree import (
    EMPTY,
    Choice,
    Pattern,
    Repeat,
    Sequence,
    literal,
)

_CHARACTER = r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})'
_INTEGER = r"-?(?:0|[1-9][0-9]{0,14})"
_NUMBER = _INTEGER + r"(?:\.[0-9]{1,9})?(?:[eE][+-]?[0-9]{1,2})?"
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_MOST_ITEMS, _DEEPEST, _FREE_DEPTH = 64, 16, 3
_IGNORED = frozenset({"title", "description", "default", "examples", "$schema", "$id", "format"})
_KNOWN = frozenset(
    {"type", "properties", "required", "items", "minItems", "maxItems", "enum", "const", "anyOf",
     "oneOf", "minLength", "maxLength", "pattern", "additionalProperties"}
)  # fmt: skip


# Of what many schemas have.
_common = cache(parse_pattern)


def json_pattern(schema: Mapping[str, Any] | bool) -> Pattern:
    """Return the pattern of all values of a schema.

    Args:
        schema: as json.loads gives it; {} or True allows any value.

    Raises:
        SettingError: a keyword is unknown, or has a value without meaning.
    """
    return _value(schema, 0)


def _value(schema: Any, depth: int) -> Pattern:  # noqa: ANN401 - whatever the schema says
    if depth > _DEEPEST:
        raise _refusal("nesting", depth)
    if schema is True or schema == {}:
        return _anything(_FREE_DEPTH)
    if not isinstance(schema, Mapping):
        raise _refusal("schema", schema)
    unknown = set(schema) - _KNOWN - _IGNORED
    if unknown:
        raise _refusal("keyword", sorted(unknown)[0])
    if "const" in schema:
        return literal(_written(schema["const"]))
    if "enum" in schema:
        return Choice(tuple(literal(_written(value)) for value in schema["enum"]))
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return Choice(tuple(_value(one, depth + 1) for one in schema[name]))
    kinds = schema.get("type", "object" if "properties" in schema else list(_TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if not isinstance(kinds, list) or not kinds or not set(kinds) <= set(_TYPES):
        raise _refusal("type", kinds)
    parts = tuple(_MAKERS[kind](schema, depth) for kind in kinds)
    return parts[0] if len(parts) == 1 else Choice(parts)


def _object(schema: Mapping[str, Any], depth: int) -> Pattern:
    properties = schema.get("properties")
    if not properties:
        return _free_object(_FREE_DEPTH - 1)
    required = schema.get("required", list(properties))
    if not isinstance(properties, Mapping) or not isinstance(required, list):
        raise _refusal("properties, required", (properties, required))
    members: list[tuple[Pattern, bool]] = []
    for name, inside in properties.items():
        member: Pattern = Sequence((literal(_written(name) + ":"), _value(inside, depth + 1)))
        members.append((member, name in required))
    return Sequence((literal("{"), _members(members), literal("}")))


def _members(members: list[tuple[Pattern, bool]]) -> Pattern:
    """Return members in their order, those that are not required here or not, commas between."""
    # behind: what may come after at least one member; whole: what may come at the beginning.
    behind: Pattern = EMPTY
    whole: Pattern = EMPTY
    for member, is_required in reversed(members):
        with_comma = Sequence((literal(","), member))
        first = Sequence((member, behind))
        whole = first if is_required else Choice((first, whole))
        # Each stands here once: what may be missing must not double all that follows.
        behind = Sequence((with_comma if is_required else Repeat(with_comma, 0, 1), behind))
    return whole


def _array(schema: Mapping[str, Any], depth: int) -> Pattern:
    item = _value(schema.get("items", True), depth + 1)
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if not isinstance(least, int) or not 0 <= least <= _MOST_ITEMS:
        raise _refusal("minItems", least)
    if most is not None and not (isinstance(most, int) and least <= most <= _MOST_ITEMS):
        raise _refusal("maxItems", most)
    return _listed(item, least, most)


def _listed(item: Pattern, least: int, most: int | None) -> Pattern:
    more = Sequence((literal(","), item))
    if most == 0:
        return literal("[]")
    rest = Repeat(more, max(least - 1, 0), None if most is None else most - 1)
    some = Sequence((literal("["), item, rest, literal("]")))
    return some if least > 0 else Choice((literal("[]"), some))


def _string(schema: Mapping[str, Any], _depth: int) -> Pattern:
    if "pattern" in schema:
        inside = parse_pattern(str(schema["pattern"]).removeprefix("^").removesuffix("$"))
        return Sequence((literal('"'), inside, literal('"')))
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if not isinstance(least, int) or least < 0:
        raise _refusal("minLength", least)
    if most is not None and not (isinstance(most, int) and most >= least):
        raise _refusal("maxLength", most)
    signs = Repeat(_common(_CHARACTER), least, most)
    return Sequence((literal('"'), signs, literal('"')))


def _anything(depth: int) -> Pattern:
    parts = [
        _string({}, 0), _common(_NUMBER), literal("true"), literal("false"), literal("null"),
    ]  # fmt: skip
    if depth > 0:
        parts += [_listed(_anything(depth - 1), 0, None), _free_object(depth - 1)]
    return Choice(tuple(parts))


def _free_object(depth: int) -> Pattern:
    member = Sequence((_string({}, 0), literal(":"), _anything(depth)))
    rest = Repeat(Sequence((literal(","), member)), 0, None)
    return Choice((literal("{}"), Sequence((literal("{"), member, rest, literal("}")))))


_MAKERS: dict[str, Callable[[Mapping[str, Any], int], Pattern]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "number": lambda _schema, _depth: _common(_NUMBER),
    "integer": lambda _schema, _depth: _common(_INTEGER),
    "boolean": lambda _schema, _depth: Choice((literal("true"), literal("false"))),
    "null": lambda _schema, _depth: literal("null"),
}


def _written(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _refusal(what: str, received: object) -> SettingError:
    return SettingError("text.json-schema", what=what, received=received)
