"""/v1/chat/completions and /v1/completions."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from sparrowlm.runtime.batching import Event, Task
from sparrowlm.serving.access import Caller
from sparrowlm.serving.answers.cooperation import AnswerInOneText, answer_chat_together
from sparrowlm.serving.answers.service import Chunks, Json, Service
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.shelf import WRITERS, ServedModel
from sparrowlm.serving.wire.choices import Choice, TokenList, TokenTexts, answer_head, usage_of
from sparrowlm.serving.wire.sampling import SamplingFields, decoding_of
from sparrowlm.serving.wire.texts import ChatRequest, CompletionRequest
from sparrowlm.serving.writing import Texts, begin_texts
from sparrowlm.text.tokenizers.codec import SEPARATOR_ID

# What OpenAI writes where a completion names no number.
_COMPLETION_TOKENS = 16


@dataclass(frozen=True)
class Wording:
    """How the parts of one kind of answer are called.

    Attributes:
        whole: object of an answer.
        chunk: object of a chunk.
        prefix: of ids.
        is_chat: whether texts stand in messages.
    """

    whole: str
    chunk: str
    prefix: str
    is_chat: bool

    def choice(self, choice: Choice, *, is_chunk: bool) -> Json:
        """Return a choice as JSON values."""
        found: Json = {"index": choice.index}
        if self.is_chat:
            said: Json = {"content": choice.text}
            if not is_chunk:
                said = {"role": "assistant", "content": choice.text, "refusal": None}
            found["delta" if is_chunk else "message"] = said
            logs: Json | None = {"content": choice.chat_tokens, "refusal": None}
            found["logprobs"] = logs if choice.chat_tokens else None
        else:
            found["text"] = choice.text
            tokens = choice.token_list
            found["logprobs"] = None if tokens is None else tokens.values
        found["finish_reason"] = choice.finish_reason
        return found


CHAT = Wording("chat.completion", "chat.completion.chunk", "chatcmpl", is_chat=True)
COMPLETION = Wording("text_completion", "text_completion", "cmpl", is_chat=False)


async def answer_chat(
    service: Service, caller: Caller, request: ChatRequest
) -> AnswerInTexts | AnswerInOneText:
    """Begin to answer a chat.

    Args:
        service: models and limits.
        caller: who asks.
        request: checked for types.

    Raises:
        Refusal, SparrowError: it cannot be answered.
    """
    if request.cooperate:
        return await answer_chat_together(service, caller, request)
    return text_answer(service, caller, request)


def text_answer(service: Service, caller: Caller, request: ChatRequest) -> AnswerInTexts:
    """Begin to answer a chat by the model alone; see answer_chat."""
    if request.top_logprobs and not request.logprobs:
        raise Refusal(400, "serving.logprobs-first", param="top_logprobs")
    given = request.max_completion_tokens
    most = request.max_tokens if given is None else given
    most = service.limits.default_output_tokens if most is None else most
    likeliest = (request.top_logprobs or 0) if request.logprobs else None
    settings = decoding_of(request, most, service.chat.stop)
    task = Task(
        prompt=service.chat.prompt(request.messages), settings=settings,
        num_samples=request.n or 1, likeliest=likeliest,
    )  # fmt: skip
    return AnswerInTexts(service, caller, request, CHAT, [task])


async def answer_completion(
    service: Service, caller: Caller, request: CompletionRequest
) -> AnswerInTexts:
    """Begin to complete prompts; see answer_chat."""
    if request.suffix:
        raise Refusal(400, "serving.not-known", param="suffix")
    if request.best_of is not None and request.best_of != (request.n or 1):
        raise Refusal(400, "serving.not-known", param="best_of")
    most = _COMPLETION_TOKENS if request.max_tokens is None else request.max_tokens
    settings = decoding_of(request, most)
    tasks = [
        Task(
            prompt=prompt, settings=settings, num_samples=request.n or 1,
            likeliest=request.logprobs, echoes=bool(request.echo),
        )
        for prompt in request.prompts()
    ]  # fmt: skip
    return AnswerInTexts(service, caller, request, COMPLETION, tasks)


@dataclass(frozen=True)
class AnswerInTexts:
    """An answer that consists of texts: all at once, or in chunks.

    Attributes:
        service: models and limits.
        caller: who asks.
        request: of theirs.
        wording: of the answer.
        tasks: one for each prompt.
    """

    service: Service
    caller: Caller
    request: SamplingFields
    wording: Wording
    tasks: Sequence[Task]

    @property
    def is_stream(self) -> bool:
        """Whether chunks are wanted."""
        return bool(self.request.stream)

    async def whole(self) -> Json:
        """Return the answer when all its texts have ended."""
        async with self.service.shelf.use(self.request.model, WRITERS) as served:
            texts = await begin_texts(served, self.tasks, self.service.limits, is_live=False)
            choices = self._choices(served, texts)
            async with aclosing(self._events(served, texts, choices)) as steps:
                async for _changed in steps:
                    pass
            head = answer_head(self.wording.whole, self.wording.prefix, served.name)
            shown = [self.wording.choice(choice, is_chunk=False) for choice in choices]
            usage = usage_of(texts.num_prompt_tokens, texts.num_output_tokens)
            return {**head, "choices": shown, "usage": usage}

    async def chunks(self) -> Chunks:
        """Yield the chunks of the answer as its texts are written."""
        options = self.request.stream_options
        with_usage = options is not None and bool(options.include_usage)
        async with self.service.shelf.use(self.request.model, WRITERS) as served:
            texts = await begin_texts(served, self.tasks, self.service.limits, is_live=True)
            head = answer_head(self.wording.chunk, self.wording.prefix, served.name)
            if with_usage:
                head["usage"] = None
            choices = self._choices(served, texts)
            if self.wording.is_chat:
                for choice in choices:
                    delta = {"role": "assistant", "content": ""}
                    first = {"index": choice.index, "delta": delta, "finish_reason": None}
                    yield {**head, "choices": [first]}
            async with aclosing(self._events(served, texts, choices)) as steps:
                async for changed in steps:
                    for choice in changed:
                        if choice.is_worth_sending():
                            yield {**head, "choices": [self.wording.choice(choice, is_chunk=True)]}
                        choice.reset()
            if with_usage:
                usage = usage_of(texts.num_prompt_tokens, texts.num_output_tokens)
                yield {**head, "choices": [], "usage": usage}

    def _choices(self, served: ServedModel, texts: Texts) -> list[Choice]:
        token_texts = TokenTexts(served.model.codec)
        choices: list[Choice] = []
        for task, stream in zip(self.tasks, texts.streams, strict=True):
            prompt = stream.writing.prompt
            for _sample in range(task.num_samples):
                choice = Choice(len(choices), token_texts, len(prompt.begun))
                if task.likeliest is not None and not self.wording.is_chat:
                    choice.token_list = TokenList(token_texts)
                if task.echoes:
                    self._begin_echo(choice, task, served)
                choices.append(choice)
        return choices

    @staticmethod
    def _begin_echo(choice: Choice, task: Task, served: ServedModel) -> None:
        """Put the prompt in front of a choice, and the separator that it may begin with."""
        if isinstance(task.prompt, str):
            choice.text = task.prompt
            return
        choice.text = served.model.codec.decode(list(task.prompt))
        if choice.token_list is not None and list(task.prompt[:1]) == [SEPARATOR_ID]:
            choice.token_list.add_separator()

    async def _events(
        self, served: ServedModel, texts: Texts, choices: Sequence[Choice]
    ) -> AsyncGenerator[list[Choice], None]:
        """Yield which choices have changed, until all have ended."""
        began_at, is_first = time.monotonic(), True
        try:
            async with aclosing(texts.events()) as steps:
                async for happened in steps:
                    if is_first and any(event.token.text for _number, event in happened):
                        is_first = False
                        passed = time.monotonic() - began_at
                        self.service.metrics.first_token_seconds.labels(served.name).observe(passed)
                    yield self._changed(happened, choices)
        finally:
            self.service.count_tokens(
                self.caller, served.name, texts.num_prompt_tokens, texts.num_output_tokens
            )

    def _changed(
        self, happened: list[tuple[int, Event]], choices: Sequence[Choice]
    ) -> list[Choice]:
        changed: dict[int, Choice] = {}
        for number, event in happened:
            place = number * self.tasks[0].num_samples + event.sample
            choices[place].take(event, is_chat=self.wording.is_chat)
            changed[place] = choices[place]
        return list(changed.values())
