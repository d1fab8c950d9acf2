"""What a large model can be asked, as frozen values that know their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from sparrowlm.cooperation.large.settings import LargeSettings

# A chat template puts a few tokens around every message, the beginning and the end.
_TOKENS_AROUND_MESSAGE = 16


@runtime_checkable
class LargeRequest(Protocol):
    """Anything that can be sent."""

    @property
    def endpoint(self) -> str:
        """The path behind the version, "/chat/completions"."""
        ...

    def body(self, settings: LargeSettings) -> dict[str, Any]:
        """Return the JSON that is sent."""
        ...

    def most_tokens(self) -> tuple[int, int]:
        """Return the most tokens that may be read and written for it."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: who says it.
        content: what is said.
    """

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """The next turn of a conversation is asked for.

    Attributes:
        messages: at least one.
        max_tokens: of the answer, >= 1.
        temperature: 0 for the likeliest answer; None leaves it to the server.
        top_p: share of the likelihood that is drawn from, 0 to 1.
        seed: equal requests have equal answers and are sent once; other seeds make them others.
        stop: texts that end the answer.
        json_schema: what the answer must look like; see ask_json of the client.
        likeliest: how many of the likeliest tokens come with each token of the answer; None: the
            tokens are not asked for.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 512
    temperature: float | None = 0.0
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    likeliest: int | None = None

    @property
    def endpoint(self) -> str:
        """The path behind the version."""
        return "/chat/completions"

    def body(self, settings: LargeSettings) -> dict[str, Any]:
        """Return the JSON that is sent."""
        body = _body(self, settings)
        body["messages"] = [
            {"role": message.role, "content": message.content} for message in self.messages
        ]
        if self.json_schema is not None:
            schema = {"name": "answer", "schema": dict(self.json_schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if self.likeliest is not None:
            body |= {"logprobs": True, "top_logprobs": self.likeliest}
        return body

    def most_tokens(self) -> tuple[int, int]:
        """Return the most tokens that may be read and written for it.

        No token of a usual vocabulary stands for less than a byte.
        """
        num_bytes = sum(len(message.content.encode()) for message in self.messages)
        if self.json_schema is not None:
            num_bytes += len(str(self.json_schema).encode())
        around = _TOKENS_AROUND_MESSAGE * (len(self.messages) + 1)
        return num_bytes + around, self.max_tokens


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """The continuation of a text is asked for.

    Attributes:
        prompt: any text.
        max_tokens: of the continuation, >= 0.
        temperature: 0 for the likeliest; None leaves it to the server.
        top_p: share of the likelihood that is drawn from, 0 to 1.
        seed: see ChatRequest.
        stop: texts that end the continuation.
        likeliest: how many of the likeliest tokens come with each; None: tokens are not asked for.
        echo: whether the prompt, with its tokens, comes back before the continuation.
    """

    prompt: str
    max_tokens: int = 512
    temperature: float | None = 0.0
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    likeliest: int | None = None
    echo: bool = False

    @property
    def endpoint(self) -> str:
        """The path behind the version."""
        return "/completions"

    def body(self, settings: LargeSettings) -> dict[str, Any]:
        """Return the JSON that is sent."""
        body = _body(self, settings)
        # This older form never had the newer name.
        body["max_tokens"] = body.pop(settings.max_tokens_field)
        body["prompt"] = self.prompt
        if self.likeliest is not None:
            body["logprobs"] = self.likeliest
        if self.echo:
            body["echo"] = True
        return body

    def most_tokens(self) -> tuple[int, int]:
        """Return the most tokens that may be read and written for it."""
        return len(self.prompt.encode()) + _TOKENS_AROUND_MESSAGE, self.max_tokens


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Vectors of texts are asked for.

    Attributes:
        texts: at least one.
    """

    texts: tuple[str, ...]

    @property
    def endpoint(self) -> str:
        """The path behind the version."""
        return "/embeddings"

    def body(self, settings: LargeSettings) -> dict[str, Any]:
        """Return the JSON that is sent."""
        return {"model": settings.model, "input": list(self.texts)}

    def most_tokens(self) -> tuple[int, int]:
        """Return the most tokens that may be read and written for it."""
        num_bytes = sum(len(text.encode()) for text in self.texts)
        return num_bytes + _TOKENS_AROUND_MESSAGE * len(self.texts), 0


def _body(request: ChatRequest | CompletionRequest, settings: LargeSettings) -> dict[str, Any]:
    """Return what both ways of asking for text have in common."""
    body: dict[str, Any] = {"model": settings.model, settings.max_tokens_field: request.max_tokens}
    for name in ("temperature", "top_p", "seed"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.stop:
        body["stop"] = list(request.stop)
    return body
