"""Whether a value is what a JSON schema asks for, and JSON out of what surrounds it.

The keywords are those a schema of answers needs; a schema with others is refused, for a check that
skips one would promise too much.

Source: JSON Schema 2020-12, https://json-schema.org/draft/2020-12/json-schema-validation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sparrowlm.foundation.errors import SettingError

Schema = Mapping[str, Any] | bool
_MOST_PLACES = 64
_MOST_DEPTH = 64
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: _is_number(value),  # noqa: PLW0108 - defined below
    "integer": lambda value: _is_number(value) and value == int(value),
}
_SILENT = frozenset((
    "$schema", "$id", "$defs", "definitions", "title", "description", "default", "examples",
    "format", "$comment", "deprecated", "readOnly", "writeOnly",
))  # fmt: skip
_SCHEMAS_UNDER = ("properties", "$defs", "definitions")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf")
_SCHEMAS = ("items", "additionalProperties")


def refuse_unknown(schema: Schema) -> None:
    """Refuse a schema that the check would not understand wholly.

    Raises:
        SettingError: "cooperation.large-schema-keyword" names what is not known.
    """
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise SettingError("cooperation.large-schema-keyword", received=str(schema)[:40])
    for keyword, value in schema.items():
        if keyword not in _CHECKS and keyword not in _SILENT:
            raise SettingError("cooperation.large-schema-keyword", received=keyword)
        if keyword == "pattern":
            _compiled(value)
    for inner in _inner(schema):
        refuse_unknown(inner)


def fits(value: Any, schema: Schema, root: Schema | None = None, depth: int = 0) -> bool:  # noqa: ANN401
    """Say whether a JSON value is what a schema asks for.

    Args:
        value: as json.loads gives it.
        schema: refuse_unknown has seen it.
        root: where "$ref" begins; None: the schema itself.
        depth: of the value; deeper than 64 nothing fits.
    """
    if isinstance(schema, bool) or depth > _MOST_DEPTH:
        return schema is True
    whole = schema if root is None else root
    return all(
        _CHECKS[keyword](value, schema, whole, depth) for keyword in schema if keyword in _CHECKS
    )


def json_in(text: str) -> Iterator[Any]:
    r"""Yield the JSON values of a text: the whole, or objects and lists among prose.

    >>> list(json_in('Sure! ```json\n{"label": "a"}\n```'))
    [{'label': 'a'}]
    """
    decoder = json.JSONDecoder()
    try:
        yield json.loads(text)
        return
    except (ValueError, RecursionError):
        end = 0
    places = [found.start() for found in re.finditer(r"[{\[]", text)]
    for place in places[:_MOST_PLACES]:
        if place < end:
            continue
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            continue
        yield value


def value_in(text: str, schema: Schema) -> tuple[bool, Any]:
    """Return whether a text holds a value that fits a schema, and the first that does."""
    for value in json_in(text):
        if fits(value, schema):
            return True, value
    return False, None


def _inner(schema: Mapping[str, Any]) -> Iterator[Schema]:
    for keyword in _SCHEMAS_UNDER:
        yield from schema.get(keyword, {}).values()
    for keyword in _SCHEMA_LISTS:
        yield from schema.get(keyword, ())
    for keyword in _SCHEMAS:
        if keyword in schema:
            yield schema[keyword]


def _is_number(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < float("inf")


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise SettingError(
            "cooperation.large-schema-keyword", received=str(pattern)[:80]
        ) from error


def _same(a: Any, b: Any) -> bool:  # noqa: ANN401
    # True is no 1 in JSON, and 1.0 is.
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _are_different(values: list[Any]) -> bool:
    return len({json.dumps(value, sort_keys=True) for value in values}) == len(values)


def _has_type(value: Any, schema: Mapping[str, Any], _root: Schema, _depth: int) -> bool:  # noqa: ANN401
    names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(name in _TYPES and _TYPES[name](value) for name in names)


def _has_properties(value: Any, schema: Mapping[str, Any], root: Schema, depth: int) -> bool:  # noqa: ANN401
    if not isinstance(value, dict):
        return True
    known = schema["properties"]
    return all(fits(value[k], known[k], root, depth + 1) for k in value if k in known)


def _has_no_more(value: Any, schema: Mapping[str, Any], root: Schema, depth: int) -> bool:  # noqa: ANN401
    if not isinstance(value, dict):
        return True
    other = [value[k] for k in value if k not in schema.get("properties", {})]
    return all(fits(v, schema["additionalProperties"], root, depth + 1) for v in other)


def _has_items(value: Any, schema: Mapping[str, Any], root: Schema, depth: int) -> bool:  # noqa: ANN401
    if not isinstance(value, list):
        return True
    return all(fits(v, schema["items"], root, depth + 1) for v in value)


def _follows(value: Any, schema: Mapping[str, Any], root: Schema, depth: int) -> bool:  # noqa: ANN401
    target: Any = root
    for part in str(schema["$ref"]).removeprefix("#").split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, Mapping) or name not in target:
            return False
        target = target[name]
    return fits(value, target, root, depth + 1)


def _among(kind: str) -> Callable[..., bool]:
    def check(value: Any, schema: Mapping[str, Any], root: Schema, depth: int) -> bool:  # noqa: ANN401
        num_fit = sum(fits(value, one, root, depth + 1) for one in schema[kind])
        return {"anyOf": num_fit > 0, "oneOf": num_fit == 1}.get(kind, num_fit == len(schema[kind]))

    return check


def _bound(
    keyword: str, kind: type | tuple[type, ...], holds: Callable[..., bool]
) -> Callable[..., bool]:
    def check(value: Any, schema: Mapping[str, Any], _root: Schema, _depth: int) -> bool:  # noqa: ANN401
        is_meant = isinstance(value, kind) and not isinstance(value, bool)
        return not is_meant or holds(value, schema[keyword])

    return check


_CHECKS: dict[str, Callable[..., bool]] = {
    "type": _has_type,
    "enum": lambda value, schema, *_: any(_same(value, one) for one in schema["enum"]),
    "const": lambda value, schema, *_: _same(value, schema["const"]),
    "properties": _has_properties,
    "additionalProperties": _has_no_more,
    "items": _has_items,
    "$ref": _follows,
    "anyOf": _among("anyOf"),
    "oneOf": _among("oneOf"),
    "allOf": _among("allOf"),
    "required": _bound("required", dict, lambda value, names: all(n in value for n in names)),
    "minItems": _bound("minItems", list, lambda value, n: len(value) >= n),
    "maxItems": _bound("maxItems", list, lambda value, n: len(value) <= n),
    "uniqueItems": _bound(
        "uniqueItems", list, lambda value, yes: not yes or _are_different(value)
    ),
    "minLength": _bound("minLength", str, lambda value, n: len(value) >= n),
    "maxLength": _bound("maxLength", str, lambda value, n: len(value) <= n),
    "pattern": _bound("pattern", str, lambda value, p: _compiled(p).search(value) is not None),
    "minimum": _bound("minimum", (int, float), lambda value, n: value >= n),
    "maximum": _bound("maximum", (int, float), lambda value, n: value <= n),
    "exclusiveMinimum": _bound("exclusiveMinimum", (int, float), lambda value, n: value > n),
    "exclusiveMaximum": _bound("exclusiveMaximum", (int, float), lambda value, n: value < n),
}  # fmt: skip
