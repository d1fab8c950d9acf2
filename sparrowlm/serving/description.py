"""The interface described for programs: OpenAPI 3.1, made from the very types that are checked."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec

from sparrowlm import __version__
from sparrowlm.serving.routes import ROUTES

_GETS = {
    "/v1/models": "List the models",
    "/v1/models/{model}": "Describe a model",
    "/tokenizer_info": "Describe a tokenizer",
    "/health": "Whether the server runs",
    "/ready": "Whether models are loaded",
    "/metrics": "Counters for Prometheus",
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


@cache
def description() -> dict[str, Any]:
    """Return the description of all endpoints."""
    kinds = [route.request for route in ROUTES.values()]
    schemas, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    for kind in _structures():
        _describe_fields(components.get(kind.__name__, {}), kind)
    paths: dict[str, Any] = {
        path: {"post": _operation(route.summary, schema)}
        for (path, route), schema in zip(ROUTES.items(), schemas, strict=True)
    }
    for path, summary in _GETS.items():
        operation: dict[str, Any] = {"summary": summary, "responses": _responses()}
        if "{model}" in path:
            place = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
            operation["parameters"] = [place]
        paths[path] = {"get": operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Sparrow", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


def _structures() -> list[type[Any]]:
    """Return every type that a schema is made of."""
    found: list[type[Any]] = []
    waiting: list[type[Any]] = [msgspec.Struct]
    while waiting:
        waiting += (kinds := waiting.pop().__subclasses__())
        found += kinds
    return [kind for kind in found if kind.__module__.startswith("sparrowlm.serving.wire.")]


def _describe_fields(schema: dict[str, Any], kind: type[Any]) -> None:
    """Give each field of a schema what the docstrings of its type, and of those above, say."""
    summary = (kind.__doc__ or "").partition("\n")[0]
    if "description" in schema:
        schema["description"] = summary
    names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    for above in reversed(kind.__mro__):
        for name, meaning in _meanings(above.__doc__ or "").items():
            if name in names and "properties" in schema:
                schema["properties"][names[name]]["description"] = meaning


def _meanings(text: str) -> dict[str, str]:
    r"""Return what the part "Attributes:" of a docstring says about each name.

    >>> _meanings("A box.\n\n    Attributes:\n        size: how\n            large.\n")
    {'size': 'how large.'}
    """
    part = text.partition("Attributes:\n")[2]
    entries = re.findall(r"^ {8}(\w+): (.*(?:\n {12}.*)*)", part, re.MULTILINE)
    return {name: " ".join(meaning.split()) for name, meaning in entries}


def _operation(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": content},
        "responses": _responses(),
    }


def _responses() -> dict[str, Any]:
    refusal = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {
        "200": {"description": "The answer", "content": {"application/json": {}}},
        "default": {"description": "A refusal", "content": {"application/json": refusal}},
    }
