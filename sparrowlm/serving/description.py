"""The interface described for programs: OpenAPI 3.1, made from the very types that are checked."""

from __future__ import annotations

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
