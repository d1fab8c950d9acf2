"""Texts in the making as the chunks and choices of OpenAI's answers.

Shape of what is built here: JSON values only; who sends them does not matter.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from sparrowlm.runtime.batching import Event
from sparrowlm.runtime.token_logs import DrawnToken
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.codec import SEPARATOR, SEPARATOR_ID

Json = dict[str, Any]


def answer_head(kind: str, prefix: str, model: str) -> Json:
    """Return the fields that every answer begins with.

    Args:
        kind: "chat.completion" and the like.
        prefix: of the answer's id.
        model: its name.
    """
    return {
        "id": f"{prefix}-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def usage_of(num_prompt_tokens: int, num_output_tokens: int) -> Json:
    """Return how many tokens were read and written."""
    return {
        "prompt_tokens": num_prompt_tokens,
        "completion_tokens": num_output_tokens,
        "total_tokens": num_prompt_tokens + num_output_tokens,
    }


@dataclass(frozen=True)
class TokenTexts:
    """The texts of single tokens.

    Attributes:
        codec: knows their bytes.
    """

    codec: TokenCodec

    def piece(self, token_id: int, num_known: int = 0) -> bytes:
        """Return a token's bytes, without those that the prompt had already."""
        if token_id == SEPARATOR_ID:
            return SEPARATOR.encode()
        return self.codec.token_bytes(token_id)[num_known:]

    def name(self, token_id: int, num_known: int = 0) -> str:
        """Return a token's text; one that is no text by itself is told by its bytes."""
        piece = self.piece(token_id, num_known)
        try:
            return piece.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)


def chat_logs(token: DrawnToken, texts: TokenTexts, num_known: int = 0) -> Json:
    """Return a token under "logprobs.content" of a chat.

    Args:
        token: with its log-probability.
        texts: of the model's tokens.
        num_known: bytes of it that the prompt had already.
    """

    def entry(token_id: int, log_probability: float, known: int) -> Json:
        piece = texts.piece(token_id, known)
        return {
            "token": piece.decode(errors="replace"),
            "logprob": log_probability,
            "bytes": list(piece),
        }

    found = entry(token.id or 0, token.log_probability or 0.0, num_known)
    found["top_logprobs"] = [entry(t.id, t.log_probability, 0) for t in token.likeliest]
    return found


@dataclass
class TokenList:
    """Tokens under "logprobs" of a completion.

    Attributes:
        texts: of the model's tokens.
        offset: of the next token in the answer's text, in characters.
        values: what is sent.
    """

    texts: TokenTexts
    offset: int = 0
    values: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with no tokens."""
        self._open = b""
        self.clear()

    def clear(self) -> None:
        """Forget what was sent."""
        names = ("tokens", "token_logprobs", "top_logprobs", "text_offset")
        self.values = {name: [] for name in names}

    def add(self, token: DrawnToken, num_known: int = 0) -> None:
        """Add one token.

        Args:
            token: with its log-probability.
            num_known: bytes of it that the prompt had already.
        """
        token_id = token.id or 0
        self.values["tokens"].append(self.texts.name(token_id, num_known))
        self.values["token_logprobs"].append(token.log_probability)
        top = {self.texts.name(t.id): t.log_probability for t in token.likeliest}
        self.values["top_logprobs"].append(top or None)
        self.values["text_offset"].append(self.offset)
        if token_id != SEPARATOR_ID:
            self._open += self.texts.piece(token_id, num_known)
            whole = self._open.decode(errors="ignore")
            self.offset += len(whole)
            self._open = self._open[len(whole.encode()) :]

    def add_separator(self) -> None:
        """Add the separator that a prompt begins with: nothing stands before it."""
        self.add(DrawnToken(SEPARATOR_ID, None, ""))


@dataclass
class Choice:
    """One of an answer's texts.

    Attributes:
        index: among the choices.
        texts: of the model's tokens.
        num_known: bytes of the first token that the prompt had already.
        text: so far.
        chat_tokens: log-probabilities in a chat's form.
        token_list: in a completion's form; None where they are not wanted.
        finish_reason: None while more may come.
    """

    index: int
    texts: TokenTexts
    num_known: int
    text: str = ""
    chat_tokens: list[Json] = field(default_factory=list)
    token_list: TokenList | None = None
    finish_reason: str | None = None

    def take(self, event: Event, *, is_chat: bool) -> None:
        """Add what happened."""
        token = event.token
        self.text += token.text
        self.finish_reason = event.ending or self.finish_reason
        known = 0 if event.is_prompt else self.num_known
        if token.id is not None and token.log_probability is not None:
            if is_chat:
                self.chat_tokens.append(chat_logs(token, self.texts, known))
            elif self.token_list is not None:
                self.token_list.add(token, known)
        if token.id is not None and not event.is_prompt:
            self.num_known = 0

    def is_worth_sending(self) -> bool:
        """Say whether a chunk would hold anything."""
        has_tokens = self.token_list is not None and self.token_list.values["tokens"]
        return bool(self.text or self.chat_tokens or has_tokens or self.finish_reason)

    def reset(self) -> None:
        """Forget what was sent, so that the next chunk holds only what is new."""
        self.text, self.chat_tokens = "", []
        if self.token_list is not None:
            self.token_list.clear()
