"""Which path is answered by what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sparrowlm.serving.access import Caller
from sparrowlm.serving.answers.responses import answer_responses
from sparrowlm.serving.answers.service import Service
from sparrowlm.serving.answers.tasks import (
    answer_classify,
    answer_detokenize,
    answer_embeddings,
    answer_match,
    answer_next,
    answer_tag,
    answer_tokenize,
)
from sparrowlm.serving.answers.texts import answer_chat, answer_completion
from sparrowlm.serving.wire import tasks, texts

Handler = Callable[[Service, Caller, Any], Coroutine[Any, Any, Any] | Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """An endpoint that takes JSON.

    Attributes:
        request: what it takes.
        handler: what answers; returns JSON values, or something with whole and chunks.
        summary: one line for the description of the interface.
        is_named: whether the events of a stream have names.
    """

    request: type[Any]
    handler: Handler
    summary: str
    is_named: bool = False


ROUTES: dict[str, Route] = {
    "/v1/chat/completions": Route(texts.ChatRequest, answer_chat, "Answer a conversation"),
    "/v1/completions": Route(texts.CompletionRequest, answer_completion, "Continue prompts"),
    "/v1/responses": Route(
        texts.ResponsesRequest, answer_responses, "Answer, nothing stored", is_named=True
    ),
    "/v1/embeddings": Route(tasks.EmbeddingsRequest, answer_embeddings, "Texts as vectors"),
    "/v1/classify": Route(tasks.ClassifyRequest, answer_classify, "Labels of texts"),
    "/v1/tag": Route(tasks.TagRequest, answer_tag, "Spans and intents of texts"),
    "/v1/match": Route(tasks.MatchRequest, answer_match, "Same meaning, or stored answers"),
    "/v1/next": Route(tasks.NextRequest, answer_next, "Likeliest next words"),
    "/tokenize": Route(tasks.TokenizeRequest, answer_tokenize, "Ids of a text"),
    "/detokenize": Route(tasks.DetokenizeRequest, answer_detokenize, "Text of ids"),
}
