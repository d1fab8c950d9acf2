"""/v1/responses: OpenAI's newer form of a chat, without anything being stored."""

from __future__ import annotations

import secrets
import time
from contextlib import aclosing
from dataclasses import dataclass

from sparrowlm.serving.access import Caller
from sparrowlm.serving.answers.service import Chunks, Json, Service
from sparrowlm.serving.answers.texts import AnswerInTexts, text_answer
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.wire.sampling import StreamOptions
from sparrowlm.serving.wire.texts import ChatRequest, ResponsesRequest


async def answer_responses(
    service: Service, caller: Caller, request: ResponsesRequest
) -> AnswerInItems:
    """Begin to answer a responses request; see answers.texts.answer_chat."""
    if request.previous_response_id is not None:
        raise Refusal(400, "serving.nothing-stored", param="previous_response_id")
    shared = {
        name: getattr(request, name)
        for name in ("model", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "tools")
    }
    messages = request.messages()
    if not messages:
        raise Refusal(400, "serving.field-missing", param="input")
    chat = ChatRequest(
        messages=messages,
        max_completion_tokens=request.max_output_tokens,
        response_format=None if request.text is None else request.text.format,
        # The last chunk tells the numbers of tokens.
        stream_options=StreamOptions(include_usage=True),
        **shared,
    )
    return AnswerInItems(request, text_answer(service, caller, chat))


@dataclass(frozen=True)
class AnswerInItems:
    """An answer of one message.

    Attributes:
        request: what was asked.
        chat: the same as a chat.
    """

    request: ResponsesRequest
    chat: AnswerInTexts

    @property
    def is_stream(self) -> bool:
        """Whether chunks are wanted."""
        return bool(self.request.stream)

    async def whole(self) -> Json:
        """Return the answer when its text has ended."""
        answer = await self.chat.whole()
        choice = answer["choices"][0]
        item = _message(choice["message"]["content"])
        return self._response(answer, choice["finish_reason"], [item], answer["usage"])

    async def chunks(self) -> Chunks:
        """Yield the events of the answer as its text is written."""
        number, text, finish, usage = 0, "", None, None
        item = _message("", "in_progress")
        place = {"output_index": 0, "item_id": item["id"], "content_index": 0}
        head: Json = {}

        def event(kind: str, **fields: object) -> Json:
            nonlocal number
            number += 1
            return {"type": kind, "sequence_number": number - 1, **fields}

        async with aclosing(self.chat.chunks()) as steps:
            async for chunk in steps:
                if not head:
                    head = chunk
                    for kind in ("response.created", "response.in_progress"):
                        yield event(kind, response=self._response(head, None, [], None))
                    empty = {**item, "content": []}
                    yield event("response.output_item.added", output_index=0, item=empty)
                    yield event("response.content_part.added", **place, part=_part(""))
                usage = chunk.get("usage") or usage
                for choice in chunk["choices"]:
                    piece = choice["delta"].get("content")
                    finish = choice["finish_reason"] or finish
                    if piece:
                        text += piece
                        yield event("response.output_text.delta", **place, delta=piece, logprobs=[])
        yield event("response.output_text.done", **place, text=text, logprobs=[])
        yield event("response.content_part.done", **place, part=_part(text))
        done = {**item, "status": "completed", "content": [_part(text)]}
        yield event("response.output_item.done", output_index=0, item=done)
        response = self._response(head, finish, [done], usage)
        kind = "response.incomplete" if finish == "length" else "response.completed"
        yield event(kind, response=response)

    def _response(
        self, head: Json, finish: str | None, output: list[Json], usage: Json | None
    ) -> Json:
        """Return the response object as it is now; finish None while text may come."""
        is_cut = finish == "length"
        status = "incomplete" if is_cut else "completed"
        return {
            "id": str(head["id"]).replace("chatcmpl-", "resp_"),
            "object": "response",
            "created_at": head.get("created", int(time.time())),
            "status": "in_progress" if finish is None else status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "instructions": self.request.instructions,
            "max_output_tokens": self.request.max_output_tokens,
            "model": head["model"],
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": self.request.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": self.request.top_p,
            "truncation": "disabled",
            "usage": None if usage is None else _usage(usage),
            "metadata": self.request.metadata or {},
        }


def _usage(usage: Json) -> Json:
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _message(text: str, status: str = "completed") -> Json:
    return {
        "id": f"msg_{secrets.token_hex(12)}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [_part(text)],
    }
