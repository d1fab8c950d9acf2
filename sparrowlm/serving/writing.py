"""From a checked request for text to events, whatever form they are sent in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from sparrowlm.runtime.batching import Event, Task
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.settings import Limits
from sparrowlm.serving.shelf import ServedModel
from sparrowlm.serving.worker import ENCODING, Stream


@dataclass(eq=False)
class Texts:
    """Texts that are being written for one request.

    Attributes:
        streams: one for each prompt.
    """

    streams: list[Stream]

    @property
    def num_prompt_tokens(self) -> int:
        """How many tokens all prompts have."""
        return sum(stream.writing.num_prompt_tokens for stream in self.streams)

    @property
    def num_output_tokens(self) -> int:
        """How many tokens were written so far."""
        return sum(stream.writing.num_drawn for stream in self.streams)

    async def events(self) -> AsyncGenerator[list[tuple[int, Event]], None]:
        """Yield numbers of prompts and what happened to their texts, until all have ended.

        Whoever stops listening lets the worker drop the rest.
        """
        try:
            if len(self.streams) == 1:
                async for events in self.streams[0].events():
                    yield [(0, event) for event in events]
                return
            async with aclosing(_merged(self.streams)) as merged:
                async for several in merged:
                    yield several
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Let the worker drop what is not finished."""
        for stream in self.streams:
            if stream.writing.num_unfinished:
                stream.cancel()


async def _merged(streams: Sequence[Stream]) -> AsyncGenerator[list[tuple[int, Event]], None]:
    arrived: asyncio.Queue[Any] = asyncio.Queue()

    async def listen(number: int, stream: Stream) -> None:
        try:
            async for events in stream.events():
                arrived.put_nowait([(number, event) for event in events])
            arrived.put_nowait(None)
        except Exception as error:
            arrived.put_nowait(error)

    listeners = [asyncio.create_task(listen(*pair)) for pair in enumerate(streams)]
    try:
        num_open = len(listeners)
        while num_open:
            found = await arrived.get()
            if isinstance(found, Exception):
                raise found
            if found is None:
                num_open -= 1
            else:
                yield found
    finally:
        for listener in listeners:
            listener.cancel()
            with suppress(asyncio.CancelledError):
                await listener


async def begin_texts(
    served: ServedModel, tasks: Sequence[Task], limits: Limits, *, is_live: bool
) -> Texts:
    """Let a model begin to write.

    Args:
        served: a model that writes.
        tasks: one for each prompt.
        limits: of prompts and answers.
        is_live: whether pieces are wanted before the end.

    Raises:
        Refusal: too many tokens are asked for or given; too much waits already; the model writes
            no text.
        SettingError: see BatchDecoder.prepare.
    """
    if not served.writes:
        raise Refusal(
            400, "serving.writes-no-text", param="model",
            name=served.name, kind=served.model.kind,
        )  # fmt: skip
    _check_sizes(tasks, limits)
    texts = Texts([])
    try:
        for task in tasks:
            if isinstance(task.prompt, str):
                _check_length(task.prompt, served, limits, "prompt")
            writing = await served.worker.prepare(task)
            received = writing.num_prompt_tokens
            if received > limits.prompt_tokens:
                raise Refusal(
                    400, "serving.too-many", param="prompt",
                    received=received, most=limits.prompt_tokens,
                )  # fmt: skip
            texts.streams.append(served.worker.start(writing, is_live=is_live))
    except BaseException:
        texts.cancel()
        raise
    return texts


async def check_prompt(limits: Limits, served: ServedModel, text: str, param: str) -> None:
    """Refuse a text that the model would read for too long.

    Args:
        limits: of prompts.
        served: a model that writes.
        text: any.
        param: name of the field.

    Raises:
        Refusal: it has too many tokens.
    """
    most = limits.prompt_tokens
    if 4 * len(text) <= most:  # a character has at most four bytes, and a token at least one
        return
    _check_length(text, served, limits, param)
    ids = await encoded(served, text)
    if len(ids) > most:
        raise Refusal(400, "serving.too-many", param=param, received=len(ids), most=most)


async def encoded(served: ServedModel, text: str) -> list[int]:
    """Return the ids of a text that may be long, beside the event loop.

    Args:
        served: a model that writes.
        text: any.
    """
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(ENCODING, served.model.codec.encode, text)


def _check_length(text: str, served: ServedModel, limits: Limits, param: str) -> None:
    """Refuse at once what has too many tokens even if all were the longest."""
    decoder = served.worker.decoder
    if decoder is None:
        return
    fewest = len(text.encode()) // decoder.longest_token_bytes
    if fewest > limits.prompt_tokens:
        raise Refusal(
            400, "serving.too-many", param=param, received=fewest, most=limits.prompt_tokens
        )


def _check_sizes(tasks: Sequence[Task], limits: Limits) -> None:
    wanted = max(task.settings.max_tokens for task in tasks)
    total = sum(task.settings.max_tokens * task.num_samples for task in tasks)
    for received, most in (
        (wanted, limits.output_tokens),
        (total, limits.total_output_tokens),
    ):
        if received > most:
            raise Refusal(400, "serving.too-many", param="max_tokens", received=received, most=most)
