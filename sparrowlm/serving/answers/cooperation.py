"""Answers of a cascade: the small model works in its own thread, large ones beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.cascade import Cascade, CascadeAnswer, Decided
from sparrowlm.serving.access import Caller
from sparrowlm.serving.answers.service import Chunks, Json, Service
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.shelf import WRITERS, ServedModel
from sparrowlm.serving.wire.choices import answer_head, usage_of
from sparrowlm.serving.wire.texts import ChatRequest
from sparrowlm.serving.writing import check_prompt

_CALLS_AT_ONCE = 16
# Dials of a chat that a calibrated answer has no room for.
_NOT_WITH_POLICY = (
    "n", "stop", "seed", "temperature", "top_p", "top_k", "min_p", "presence_penalty",
    "frequency_penalty", "repetition_penalty", "logit_bias", "response_format", "logprobs",
)  # fmt: skip


async def ended_answers(
    service: Service, served: ServedModel, cascade: Cascade, decided: Sequence[Decided]
) -> list[CascadeAnswer]:
    """Do what was decided: large models are waited for in threads of their own.

    Args:
        service: counts.
        served: the small model.
        cascade: of it.
        decided: by the cascade, in the model's thread.
    """
    loop = asyncio.get_running_loop()

    async def ended(one: Decided) -> CascadeAnswer:
        if one.decision.action != "escalate":
            return cascade.end(one)
        return await loop.run_in_executor(_pool(), cascade.end, one)

    answers = await asyncio.gather(*map(ended, decided))
    for answer in answers:
        counted = served.name, answer.decision.action, answer.answered_by
        service.metrics.decisions.labels(*counted).inc()
        service.metrics.large_cost.labels(served.name).inc(answer.cost)
    return answers


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that wait for large models, so that those that encode prompts never do."""
    return ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="sparrow-large")


def decision_json(cascade: Cascade, decided: Decided, answer: CascadeAnswer) -> Json:
    """Return what was decided about an answer, and why, as JSON values.

    Args:
        cascade: that decided.
        decided: by it.
        answer: that came of it.
    """
    decision = answer.decision
    found: Json = {
        "action": decision.action,
        "reason": decision.reason,
        "answered_by": answer.answered_by,
        "is_sure": answer.is_sure,
        "confidence": answer.confidence,
        "threshold": cascade.policy.least_confidence(decided.inputs.label),
        "milliseconds": round(answer.small_ms + answer.large_ms + answer.router_ms, 3),
        "router_milliseconds": round(answer.router_ms, 3),
        "cost": answer.cost,
        "small": {"answer": decided.small.answer, "label": decided.small.label or None},
    }
    if answer.masked:
        found["masked"] = list(answer.masked)
    if answer.ask_back is not None:
        found["question"] = answer.ask_back
    if answer.failure is not None:
        found["failure"] = answer.failure
    return found


async def answer_chat_together(
    service: Service, caller: Caller, request: ChatRequest
) -> AnswerInOneText:
    """Answer a chat by whom the policy says; see answers.texts.answer_chat."""
    for name in _NOT_WITH_POLICY:
        if getattr(request, name) not in (None, False):
            raise Refusal(400, "serving.not-with-policy", param=name)
    return AnswerInOneText(service, caller, request)


class AnswerInOneText:
    """A chat's answer that comes whole, from one model or the other.

    Args:
        service: models and limits.
        caller: who asks.
        request: of theirs.
    """

    def __init__(self, service: Service, caller: Caller, request: ChatRequest) -> None:
        self._service = service
        self._caller = caller
        self._request = request

    @property
    def is_stream(self) -> bool:
        """Whether chunks are wanted."""
        return bool(self._request.stream)

    async def whole(self) -> Json:
        """Return the answer."""
        prompt = self._service.chat.prompt(self._request.messages)
        async with self._service.shelf.use(self._request.model, WRITERS) as served:
            cascade = served.cascade
            if cascade is None:
                raise Refusal(400, "serving.no-policy", param="cooperate", name=served.name)
            await check_prompt(self._service.limits, served, prompt, "messages")
            [decided] = await served.worker.call(lambda: cascade.begin([Question(prompt)]))
            [answer] = await ended_answers(self._service, served, cascade, [decided])
            codec = served.model.codec
            text = answer.answer if answer.answer is not None else answer.ask_back or ""
            usage = usage_of(len(codec.encode(prompt)), len(codec.encode(text)))
            self._service.count_tokens(
                self._caller, served.name, usage["prompt_tokens"], usage["completion_tokens"]
            )
            message = {"role": "assistant", "content": text, "refusal": None}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            head = answer_head("chat.completion", "chatcmpl", served.name)
            decision = decision_json(cascade, decided, answer)
            return {**head, "choices": [choice], "usage": usage, "sparrow": {"decision": decision}}

    async def chunks(self) -> Chunks:
        """Yield the answer as one chunk, as clients that stream expect it."""
        whole = await self.whole()
        head = {**whole, "object": "chat.completion.chunk"}
        usage, sparrow = head.pop("usage"), head.pop("sparrow")
        text = whole["choices"][0]["message"]["content"]
        delta = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
        yield {**head, "choices": [delta]}
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        yield {**head, "choices": [end], "sparrow": sparrow}
        options = self._request.stream_options
        if options is not None and options.include_usage:
            yield {**head, "choices": [], "usage": usage}
