"""A large model that never sees personal data: masked on the way out, put back on the way in.

What is found goes into a vault and stays here; placeholders leave in its place. Before anything is
sent the whole request is looked through once more, and where an item of the vault still stands in
it, it is not sent.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import replace

from sparrowlm.cooperation.large.answers import Answer, Vectors
from sparrowlm.cooperation.large.client import AsyncLargeModel
from sparrowlm.cooperation.large.door import LargeModel
from sparrowlm.cooperation.large.requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Message,
)
from sparrowlm.cooperation.large.settings import LargeSettings
from sparrowlm.foundation.errors import SettingError
from sparrowlm.privacy import Vault, find_personal

EXPLANATION = (
    "Signs such as ⟦PHONE_1⟧ stand for personal data. Where your answer needs them, repeat them "
    "exactly as they are."
)
"""What a large model is told about placeholders."""

TextRequest = ChatRequest | CompletionRequest


class MaskedLarge:
    """Asks a large model without showing it personal data; see LargeModel for what may be asked.

    Args:
        large: the client.
        vault: of one conversation; None begins a new one.
        explains: whether the model is told what placeholders are, where there are any.
    """

    def __init__(
        self, large: LargeModel, vault: Vault | None = None, *, explains: bool = True
    ) -> None:
        self.vault = Vault() if vault is None else vault
        self._large = large
        self._explains = explains

    def ask(self, request: TextRequest) -> Answer:
        """Return the answer, with the personal data that its placeholders stand for."""
        masked = masked_request(request, self.vault, self._large.settings, self._explains)
        return restored_answer(self._large.ask(masked), self.vault)

    def stream(self, request: TextRequest) -> Iterator[str]:
        """Yield the answer piece by piece; a placeholder waits until it is whole."""
        masked = masked_request(request, self.vault, self._large.settings, self._explains)
        restorer = self.vault.restorer()
        for piece in self._large.stream(masked):
            ready = restorer.take(piece)
            if ready:
                yield ready
        rest = restorer.end()
        if rest:
            yield rest

    def embed(self, request: EmbeddingRequest) -> Vectors:
        """Return vectors of the masked texts."""
        return self._large.embed(masked_texts(request, self.vault, self._large.settings))


class AsyncMaskedLarge:
    """MaskedLarge for asyncio.

    Args:
        large: the client.
        vault: of one conversation; None begins a new one.
        explains: whether the model is told what placeholders are, where there are any.
    """

    def __init__(
        self, large: AsyncLargeModel, vault: Vault | None = None, *, explains: bool = True
    ) -> None:
        self.vault = Vault() if vault is None else vault
        self._large = large
        self._explains = explains

    async def ask(self, request: TextRequest) -> Answer:
        """Return the answer, with the personal data that its placeholders stand for."""
        masked = masked_request(request, self.vault, self._large.settings, self._explains)
        return restored_answer(await self._large.ask(masked), self.vault)

    async def stream(self, request: TextRequest) -> AsyncGenerator[str, None]:
        """Yield the answer piece by piece; a placeholder waits until it is whole."""
        masked = masked_request(request, self.vault, self._large.settings, self._explains)
        restorer = self.vault.restorer()
        async with aclosing(self._large.stream(masked)) as pieces:
            async for piece in pieces:
                ready = restorer.take(piece)
                if ready:
                    yield ready
        rest = restorer.end()
        if rest:
            yield rest

    async def embed(self, request: EmbeddingRequest) -> Vectors:
        """Return vectors of the masked texts."""
        return await self._large.embed(masked_texts(request, self.vault, self._large.settings))


def masked_request(
    request: TextRequest, vault: Vault, settings: LargeSettings, explains: bool = False
) -> TextRequest:
    """Return a request without personal data.

    Args:
        request: what is asked.
        vault: takes the personal data.
        settings: of the large model; what of them is sent is looked through as well.
        explains: whether a conversation begins with what placeholders are, where it has any.

    Raises:
        SettingError: "cooperation.large-not-masked", where personal data stand in what cannot be
            masked: a JSON schema, the model's name.
    """
    masked: TextRequest
    if isinstance(request, CompletionRequest):
        prompt, *stop = vault.mask_all([request.prompt, *request.stop])
        masked = replace(request, prompt=prompt, stop=tuple(stop))
    else:
        masked = _masked_chat(request, vault, explains)
    refuse_raw(masked, vault, settings)
    return masked


def masked_texts(
    request: EmbeddingRequest, vault: Vault, settings: LargeSettings
) -> EmbeddingRequest:
    """Return a request for vectors without personal data; see masked_request."""
    masked = EmbeddingRequest(tuple(vault.mask_all(request.texts)))
    refuse_raw(masked, vault, settings)
    return masked


def _masked_chat(request: ChatRequest, vault: Vault, explains: bool) -> ChatRequest:
    texts = [*(message.content for message in request.messages), *request.stop]
    safe = vault.mask_all(texts)
    turns = [
        Message(message.role, text) for message, text in zip(request.messages, safe, strict=False)
    ]
    if explains and safe != texts:
        turns.insert(0, Message("system", EXPLANATION))
    return replace(request, messages=tuple(turns), stop=tuple(safe[len(request.messages) :]))


def restored_answer(answer: Answer, vault: Vault) -> Answer:
    """Return an answer with the personal data that its placeholders stand for."""
    return replace(answer, text=vault.restore(answer.text), value=vault.restore_value(answer.value))


def refuse_raw(
    request: TextRequest | EmbeddingRequest,
    vault: Vault,
    settings: LargeSettings,
) -> None:
    """Look through what will be sent once more.

    Args:
        request: without personal data, as far as is known.
        vault: of the conversation.
        settings: of the large model.

    Raises:
        SettingError: "cooperation.large-not-masked", where an item stands in it all the same.
    """
    schema = request.json_schema if isinstance(request, ChatRequest) else None
    if schema is not None and find_personal(json.dumps(schema, ensure_ascii=False)):
        raise SettingError("cooperation.large-not-masked", place="json_schema")
    body = json.dumps(request.body(settings), ensure_ascii=False)
    if vault.holds_raw(body):
        raise SettingError("cooperation.large-not-masked", place=request.endpoint)
