"""Answers under random JSON schemas at temperature 2: how many are valid, and how much slower.

    python -m benchmarks.json_forms FOLDER [--schemas 1000]

A model of 10M random parameters, asked over HTTP, has no idea of JSON: what is valid is valid
because of the form. Every schema is new to the server. Each answer is checked by the package
jsonschema. Then the same prompts are continued freely by as many tokens; both take turns, a hundred
requests each.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import jsonschema

from benchmarks import engine_models
from benchmarks.servers import Server, answers, content_of, request

_AT_ONCE = 16
_TURN = 100
_MAX_TOKENS = 400


def random_schema(chosen: random.Random, depth: int = 0) -> dict[str, Any]:
    """Return a schema of up to three levels: every type, bounds, enumerations, alternatives."""
    kinds = ["string", "integer", "number", "boolean", "enum", "pattern", "nullable"]
    if depth < 3:
        kinds += ["object", "object", "array", "anyOf"]
    kind = "object" if depth == 0 else chosen.choice(kinds)
    if kind == "object":
        names = [
            f"{chosen.choice(['name', '城市', 'x', 'size'])}{n}"
            for n in range(chosen.randint(1, 5))
        ]
        properties = {name: random_schema(chosen, depth + 1) for name in names}
        required = [name for name in names if chosen.random() < 0.7]
        return {
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": False,
        }  # fmt: skip
    if kind == "array":
        least = chosen.randint(0, 2)
        items = random_schema(chosen, depth + 1)
        return {
            "type": "array",
            "items": items,
            "minItems": least,
            "maxItems": least + chosen.randint(0, 3),
        }
    return _leaf(chosen, kind, depth)


def _leaf(chosen: random.Random, kind: str, depth: int) -> dict[str, Any]:
    if kind == "anyOf":
        return {"anyOf": [random_schema(chosen, depth + 1) for _part in range(2)]}
    if kind == "enum":
        return {"enum": chosen.sample(["a", "猫", 1, 2.5, None, True, "long value"], 3)}
    if kind == "pattern":
        return {"type": "string", "pattern": chosen.choice(["^[A-Z]{2}-[0-9]{3}$", "^(ja|nein)$"])}
    if kind == "nullable":
        return {"type": [chosen.choice(["string", "integer"]), "null"]}
    if kind == "string" and chosen.random() < 0.5:
        return {
            "type": "string",
            "minLength": chosen.randint(0, 2),
            "maxLength": chosen.randint(2, 12),
        }
    return {"type": kind}


def _turn(place: tuple[str, int], bodies: list[dict[str, Any]]) -> tuple[float, list[dict]]:
    requests = [request(body) for body in bodies]
    began = time.monotonic()
    found = answers(place, requests, at_once=_AT_ONCE)
    return time.monotonic() - began, list(map(content_of, found))


def _is_valid(answer: dict[str, Any], schema: dict[str, Any]) -> bool:
    try:
        jsonschema.validate(json.loads(answer["choices"][0]["text"]), schema)
    except (ValueError, jsonschema.ValidationError, KeyError) as error:
        print("not valid:", json.dumps(schema, ensure_ascii=False)[:300], answer, error)
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--schemas", type=int, default=1000)
    options = parser.parse_args()
    engine_models.make(options.folder / "10M", "10M")
    with Server(f"m={options.folder / '10M' / 'int8.gguf'}") as server:
        compare(server, options.schemas)


def compare(server: Server, num_schemas: int) -> None:
    """Ask with forms and freely, by turns."""
    chosen = random.Random(1)
    num_valid, formed, free, num_tokens = 0, 0.0, 0.0, 0
    for first in range(0, num_schemas, _TURN):
        schemas = [random_schema(chosen) for _n in range(min(_TURN, num_schemas - first))]
        shared = {"temperature": 2, "prompt": "bibo", "max_tokens": _MAX_TOKENS}
        bodies = [
            {
                **shared,
                "seed": first + n,
                "response_format": {"type": "json_schema", "schema": schema},
            }
            for n, schema in enumerate(schemas)
        ]
        seconds, formed_answers = _turn(server.place, bodies)
        num_valid += sum(map(_is_valid, formed_answers, schemas))
        formed += seconds
        counts = [answer["usage"]["completion_tokens"] for answer in formed_answers]
        num_tokens += sum(counts)
        plain = [
            {**shared, "seed": first + n, "max_tokens": count, "logit_bias": {"0": -100}}
            for n, count in enumerate(counts)
        ]
        free += _turn(server.place, plain)[0]
        print(
            f"{first + len(schemas)} schemas: {num_valid} valid; {formed / free - 1:+.1%}",
            flush=True,
        )
    print(
        f"{num_valid} of {num_schemas} valid, {num_tokens:,} tokens;"
        f" with forms {formed:.1f} s, free {free:.1f} s: {formed / free - 1:+.1%}"
    )


if __name__ == "__main__":
    main()
