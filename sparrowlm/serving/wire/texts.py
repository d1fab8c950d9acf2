"""Requests for text: chat, completion, responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.wire.sampling import Count, ResponseFormat, SamplingFields

_MOST_MESSAGES = 4096
_MOST_PROMPTS = 256
Alternatives = Annotated[int, Meta(ge=0, le=20)]


class Part(Struct):
    """A part of a message.

    Attributes:
        type: "text", "input_text" or "output_text"; others are refused.
        text: of the part.
    """

    type: str
    text: str | None = None


class Message(Struct):
    """Something that was said.

    Attributes:
        role: who said it.
        content: what; text, or parts of text.
        name: of the speaker; not used.
    """

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None

    def text(self) -> str:
        """Return what was said.

        Raises:
            Refusal: a part is no text.
        """
        return text_of(self.content)


def text_of(content: str | list[Part] | None) -> str:
    """Return the text of a message's content.

    Raises:
        Refusal: a part is no text.
    """
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if part.text is None or part.type not in ("text", "input_text", "output_text"):
            raise Refusal(400, "serving.text-only", param="messages", received=part.type[:50])
    return "".join(part.text or "" for part in content)


class ChatRequest(SamplingFields, kw_only=True):
    """POST /v1/chat/completions.

    Attributes:
        messages: what was said so far.
        max_completion_tokens: OpenAI's newer name of max_tokens.
        logprobs: whether log-probabilities of the tokens are wanted.
        top_logprobs: how many of the likeliest tokens come with each.
        cooperate: whether the policy of this model decides who answers; the answer is then the
            likeliest text, as it was calibrated, and comes whole.
    """

    messages: Annotated[list[Message], Meta(min_length=1, max_length=_MOST_MESSAGES)]
    max_completion_tokens: Count | None = None
    logprobs: bool | None = None
    top_logprobs: Alternatives | None = None
    cooperate: bool = False


class CompletionRequest(SamplingFields, kw_only=True):
    """POST /v1/completions.

    Attributes:
        prompt: a text, token ids, or several of either.
        echo: the prompt comes first, with its log-probabilities where they are wanted.
        logprobs: how many of the likeliest tokens come with each; None for none, and no
            log-probabilities.
        suffix: not known here; must be empty.
        best_of: must be n.
    """

    prompt: str | list[str | int | list[int]] = ""
    echo: bool | None = None
    logprobs: Alternatives | None = None
    suffix: str | None = None
    best_of: int | None = None

    def prompts(self) -> list[str | list[int]]:
        """Return the prompts, each a text or ids.

        Raises:
            Refusal: texts and ids are mixed, or there are none or too many.
        """
        return texts_or_ids(self.prompt, "prompt")


def texts_or_ids(given: str | list[str | int | list[int]], param: str) -> list[str | list[int]]:
    """Return texts or lists of ids from what may be either, one or several.

    Args:
        given: of the request.
        param: name of the field.

    Raises:
        Refusal: texts and ids are mixed, or there are none or too many.
    """
    if isinstance(given, str):
        return [given]
    if given and all(isinstance(one, int) for one in given):
        return [[one for one in given if isinstance(one, int)]]
    if not given:
        raise Refusal(400, "serving.field-missing", param=param)
    if len(given) > _MOST_PROMPTS:
        raise Refusal(400, "serving.too-many", param=param, received=len(given), most=_MOST_PROMPTS)
    found = [one for one in given if not isinstance(one, int)]
    if len(found) < len(given):
        raise Refusal(400, "serving.mixed-prompts", param=param)
    return found


class TextFormat(Struct):
    """Under "text" of a responses request.

    Attributes:
        format: what the answer may look like.
    """

    format: ResponseFormat | None = None


class InputItem(Struct):
    """A message of a responses request.

    Attributes:
        type: "message".
        role: who said it.
        content: what.
    """

    type: str = "message"
    role: Literal["system", "developer", "user", "assistant"] = "user"
    content: str | list[Part] | None = None


class ResponsesRequest(SamplingFields, kw_only=True):
    """POST /v1/responses: nothing is stored, so every request brings all that was said.

    Attributes:
        input: a text or messages.
        instructions: said first, as the system.
        max_output_tokens: most tokens to write.
        text: what the answer may look like.
        previous_response_id: must be left out.
        store: anything; nothing is stored.
        metadata: returned as it came.
        top_logprobs: must be 0.
    """

    input: str | Annotated[list[InputItem], Meta(max_length=_MOST_MESSAGES)]
    instructions: str | None = None
    max_output_tokens: Count | None = None
    text: TextFormat | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    metadata: dict[str, Any] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=0)] | None = None

    def messages(self) -> list[Message]:
        """Return everything that was said.

        Raises:
            Refusal: something is no message.
        """
        said = [Message("system", self.instructions)] if self.instructions else []
        if isinstance(self.input, str):
            return [*said, Message("user", self.input)]
        for item in self.input:
            if item.type != "message":
                raise Refusal(400, "serving.text-only", param="input", received=item.type[:50])
        return [*said, *(Message(item.role, item.content) for item in self.input)]
