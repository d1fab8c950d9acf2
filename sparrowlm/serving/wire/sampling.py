"""Fields that every request for text shares, and what they mean to the decoder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from sparrowlm.api.dials import decoding_settings
from sparrowlm.foundation.errors import SettingError
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.sampling import SamplingSettings
from sparrowlm.serving.complaints import Refusal

_LARGEST_SEED = 2**63
_MOST_STOPS = 16
_MOST_STOP_CHARACTERS = 200
_MOST_BIASES = 1024
_MOST_SCHEMA_BYTES = 32 * 1024

Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=0, le=2**31)]


class StreamOptions(Struct):
    """How a stream ends.

    Attributes:
        include_usage: a last chunk tells how many tokens were read and written.
    """

    include_usage: bool | None = None


class JsonSchemaFormat(Struct, rename={"content": "schema"}):
    """A schema under OpenAI's name.

    Attributes:
        content: the schema itself, "schema" on the wire.
        name: of the schema.
        strict: always so here.
    """

    content: dict[str, Any] | None = None
    name: str | None = None
    strict: bool | None = None


class ResponseFormat(Struct, rename={"content": "schema"}):
    """What the answer may look like.

    Attributes:
        type: "text"; "json_object": any JSON object; "json_schema"; and ours: "choices" and
            "regex".
        json_schema: with type "json_schema".
        content: "schema" on the wire: the same without the wrapping.
        choices: with type "choices": the answer is one of these.
        pattern: with type "regex": the whole answer matches this.
    """

    type: Literal["text", "json_object", "json_schema", "choices", "regex"] = "text"
    json_schema: JsonSchemaFormat | None = None
    content: dict[str, Any] | None = None
    choices: Annotated[list[str], Meta(max_length=1000)] | None = None
    pattern: Annotated[str, Meta(max_length=4096)] | None = None


class SamplingFields(Struct, kw_only=True):
    """Fields of chat and completion requests alike; fields that nobody knows are left alone.

    Attributes:
        model: name of the model; may be left out where the server has one.
        stream: whether the text comes piece by piece.
        stream_options: with stream.
        n: continuations of each prompt.
        max_tokens: most tokens to write.
        stop: the text ends before the first of these.
        seed: same seed, same text.
        temperature: 0 takes the likeliest.
        top_p: only the likeliest that together reach this.
        top_k: only so many likeliest; 0 and -1 keep all.
        min_p: nothing less likely than this share of the likeliest.
        presence_penalty: against what was written before.
        frequency_penalty: the same for every time.
        repetition_penalty: above 1 makes what was said already less likely.
        logit_bias: id as text -> what is added to its logarithm.
        response_format: what the answer may look like.
        tools: not known here; must be empty.
        user: not used.
    """

    model: str = ""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=64)] | None = None
    max_tokens: Count | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    temperature: Annotated[float, Meta(ge=0, le=100)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31)] | None = None
    min_p: Share | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=100)] | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    response_format: ResponseFormat | None = None
    tools: list[Any] | None = None
    user: str | None = None


def decoding_of(
    fields: SamplingFields, max_tokens: int, extra_stops: tuple[str, ...] = ()
) -> DecodingSettings:
    """Return how a request wants its text to be written.

    Args:
        fields: of the request.
        max_tokens: most tokens to write, what the request says included.
        extra_stops: of the model's chat format.

    Raises:
        Refusal: a field has no meaning here.
        SettingError: a pattern or schema cannot be followed.
    """
    if fields.tools:
        raise Refusal(400, "serving.no-tools", param="tools")
    top_p = fields.top_p
    temperature = 1.0 if fields.temperature is None else fields.temperature
    sampling = SamplingSettings(
        # Nothing but the likeliest is left at 0.
        temperature=0.0 if top_p == 0 else temperature,
        top_k=fields.top_k if fields.top_k and fields.top_k > 0 else None,
        top_p=top_p or None,
        min_p=fields.min_p,
        repetition_penalty=fields.repetition_penalty or 1.0,
        presence_penalty=fields.presence_penalty or 0.0,
        frequency_penalty=fields.frequency_penalty or 0.0,
        logit_bias=_biases(fields.logit_bias),
        seed=None if fields.seed is None else fields.seed % _LARGEST_SEED,
    )
    return DecodingSettings(
        sampling=sampling,
        max_tokens=max_tokens,
        stop=(*_stops(fields.stop), *extra_stops),
        pattern=_pattern(fields.response_format),
    )


def _biases(given: Mapping[str, float] | None) -> tuple[tuple[int, float], ...]:
    if not given:
        return ()
    if len(given) > _MOST_BIASES:
        raise Refusal(
            400, "serving.too-many", param="logit_bias", received=len(given), most=_MOST_BIASES
        )
    found = []
    for name, bias in given.items():
        if not (name.isascii() and name.isdigit() and len(name) <= 9):
            raise Refusal(400, "serving.no-token-id", param="logit_bias", received=name[:50])
        found.append((int(name), bias))
    return tuple(sorted(found))


def _stops(given: str | list[str] | None) -> tuple[str, ...]:
    stops = [given] if isinstance(given, str) else given or []
    if len(stops) > _MOST_STOPS:
        raise Refusal(400, "serving.too-many", param="stop", received=len(stops), most=_MOST_STOPS)
    longest = max(map(len, stops), default=0)
    if longest > _MOST_STOP_CHARACTERS:
        raise Refusal(
            400, "serving.too-long", param="stop", received=longest, most=_MOST_STOP_CHARACTERS
        )
    # Some clients send "" for none.
    return tuple(stop for stop in stops if stop)


def _pattern(wanted: ResponseFormat | None) -> Any:  # noqa: ANN401 - an automaton or grammar
    if wanted is None or wanted.type == "text":
        return None
    try:
        form = msgspec.json.encode(_form(wanted))
        if len(form) > _MOST_SCHEMA_BYTES:
            raise Refusal(
                400, "serving.too-long", param="response_format",
                received=len(form), most=_MOST_SCHEMA_BYTES,
            )  # fmt: skip
        return _compiled(form)
    except RecursionError as error:
        raise Refusal(400, "serving.too-deep") from error


def _form(wanted: ResponseFormat) -> dict[str, Any]:
    """Return the one dial of decoding_settings that a format stands for."""
    if wanted.type == "choices":
        if not wanted.choices:
            raise Refusal(400, "serving.field-missing", param="response_format.choices")
        return {"choices": wanted.choices}
    if wanted.type == "regex":
        if wanted.pattern is None:
            raise Refusal(400, "serving.field-missing", param="response_format.pattern")
        return {"pattern": wanted.pattern}
    if wanted.type == "json_object":
        return {"json_schema": {"type": "object"}}
    schema = wanted.content if wanted.json_schema is None else wanted.json_schema.content
    if schema is None:
        raise Refusal(400, "serving.field-missing", param="response_format.json_schema.schema")
    return {"json_schema": schema}


@lru_cache(maxsize=64)
def _compiled(form: bytes) -> Any:  # noqa: ANN401 - an automaton or grammar
    """Return the automaton of a form; those used last are kept, with what they found out."""
    try:
        return decoding_settings(**msgspec.json.decode(form)).pattern
    except SettingError as error:
        error.fields.setdefault("param", "response_format")
        raise
