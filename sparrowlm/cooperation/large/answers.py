"""What a large model answered, as frozen values; and what counts as an answer at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from sparrowlm.cooperation.large.failures import LargeFailure
from sparrowlm.cooperation.large.settings import LargeSettings

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counted them.

    Attributes:
        num_read: of the request.
        num_written: of the answer.
    """

    num_read: int
    num_written: int


@dataclass(frozen=True, slots=True)
class TokenChance:
    """One token and how likely it was.

    Attributes:
        token: its text.
        log_probability: natural logarithm; None where the server gives none, as for the first
            token of a prompt.
        likeliest: the likeliest tokens in its place with theirs.
    """

    token: str
    log_probability: float | None
    likeliest: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """A text from a large model.

    Attributes:
        text: the answer.
        model: who answered, by the name the server gives.
        finish_reason: "stop", "length" or what else the server says; None where it says nothing.
        usage: None where the server did not count.
        tokens: of the text, where they were asked for.
        value: what the JSON of the text says, where a schema was asked for.
        is_from_cache: whether it had been paid for before.
    """

    text: str
    model: str
    finish_reason: str | None = None
    usage: Usage | None = None
    tokens: tuple[TokenChance, ...] = ()
    value: Any = None
    is_from_cache: bool = False


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of texts, in the order of the texts.

    Attributes:
        rows: one vector per text.
        model: who made them.
        usage: None where the server did not count.
        is_from_cache: whether they had been paid for before.
    """

    rows: tuple[tuple[float, ...], ...]
    model: str
    usage: Usage | None = None
    is_from_cache: bool = False


def read_answer(body: Body, settings: LargeSettings, *, is_from_cache: bool = False) -> Answer:
    """Read the answer to a chat or completion.

    Args:
        body: the server's JSON.
        settings: whether another model's answer is refused.
        is_from_cache: noted in the answer.

    Raises:
        LargeFailure: "empty", "broken" or "wrong-model".
    """
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        raise _failure("empty" if choices == [] else "broken", settings, "choices")
    choice = choices[0]
    text = _text(choice) if isinstance(choice, Mapping) else None
    if text is None:
        raise _failure("broken", settings, "content")
    model = _model(body, settings)
    reason = choice.get("finish_reason")
    return Answer(
        text=text, model=model, finish_reason=reason if isinstance(reason, str) else None,
        usage=read_usage(body), tokens=_tokens(choice), is_from_cache=is_from_cache,
    )  # fmt: skip


def read_vectors(
    body: Body, settings: LargeSettings, num_texts: int, *, is_from_cache: bool = False
) -> Vectors:
    """Read the answer to a request for vectors.

    Args:
        body: the server's JSON.
        settings: whether another model's answer is refused.
        num_texts: how many vectors there must be.
        is_from_cache: noted in the answer.

    Raises:
        LargeFailure: "empty", "broken" or "wrong-model".
    """
    data = body.get("data")
    if not isinstance(data, list) or not data:
        raise _failure("empty" if data == [] else "broken", settings, "data")
    try:
        numbered = {int(row.get("index", i)): row["embedding"] for i, row in enumerate(data)}
        rows = tuple(tuple(float(x) for x in numbered[i]) for i in range(num_texts))
        is_whole = all(map(math.isfinite, (x for row in rows for x in row)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _failure("broken", settings, "embedding") from error
    if not is_whole or len(data) != num_texts or len({len(row) for row in rows}) != 1:
        raise _failure("broken", settings, "embedding")
    return Vectors(rows, _model(body, settings), read_usage(body), is_from_cache)


def read_usage(body: Body) -> Usage | None:
    """Return what the server counted, None where that is missing or no number."""
    usage = body.get("usage")
    if not isinstance(usage, Mapping):
        return None
    num_read, num_written = usage.get("prompt_tokens"), usage.get("completion_tokens", 0)
    if not _is_count(num_read) or not _is_count(num_written):
        return None
    return Usage(num_read, num_written)


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(choice: Body) -> str | None:
    """Return the text of a choice of either kind; a server that wrote nothing may say null."""
    if "message" in choice:
        message = choice["message"]
        if not isinstance(message, Mapping):
            return None
        text = message.get("content")
        return "" if text is None else text if isinstance(text, str) else None
    text = choice.get("text")
    return text if isinstance(text, str) else None


def _model(body: Body, settings: LargeSettings) -> str:
    model = body.get("model")
    model = model if isinstance(model, str) else settings.model
    # A dated name ("large-2026-05-01") is the same model.
    if settings.is_model_strict and not model.startswith(settings.model):
        raise LargeFailure.of(
            "wrong-model", url=settings.url, model=settings.model, received=model[:100]
        )
    return model


def _tokens(choice: Body) -> tuple[TokenChance, ...]:
    """Read tokens of either kind; what is not in the usual form is no reason to lose an answer."""
    chances = choice.get("logprobs")
    if not isinstance(chances, Mapping):
        return ()
    try:
        if isinstance(chances.get("content"), list):
            return tuple(_chat_token(entry) for entry in chances["content"])
        tops = chances.get("top_logprobs") or [None] * len(chances["tokens"])
        rows = zip(chances["tokens"], chances["token_logprobs"], tops, strict=True)
        return tuple(TokenChance(str(a), _number(b), dict(c or {})) for a, b, c in rows)
    except (KeyError, TypeError, ValueError):
        return ()


def _chat_token(entry: Body) -> TokenChance:
    tops = {str(top["token"]): float(top["logprob"]) for top in entry.get("top_logprobs") or ()}
    return TokenChance(str(entry["token"]), _number(entry["logprob"]), tops)


def _number(value: Any) -> float | None:  # noqa: ANN401 - any JSON value
    return None if value is None else float(value)


def _failure(kind: str, settings: LargeSettings, what: str) -> LargeFailure:
    names = {"url": settings.url, "model": settings.model}
    if kind == "empty":
        return LargeFailure.of("empty", **names)
    return LargeFailure.of("broken", reason=what, **names)
