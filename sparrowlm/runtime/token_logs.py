"""Tokens, and what the model itself gave to them: natural logarithms of probabilities.

They are taken before temperature, penalties and patterns, as `sparrow-run --log-probabilities` and
sparrow.h give them.

Shape letters: V vocabulary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.runtime.engines import Engine, log_softmax
from sparrowlm.runtime.scoring import document_ids
from sparrowlm.text.tokenizers import TokenCodec


@dataclass(frozen=True, slots=True)
class LikelyToken:
    """A token and how likely the model found it.

    Attributes:
        id: 0 is the separator, which ends a text and has no bytes.
        log_probability: natural logarithm.
        text: the token's own; each byte that belongs to no character becomes U+FFFD.
    """

    id: int
    log_probability: float
    text: str

    def record(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {"id": self.id, "log_probability": self.log_probability, "text": self.text}


@dataclass(frozen=True, slots=True)
class DrawnToken:
    """A token of a text in the making.

    Attributes:
        id: None where the text ends and something was still held back.
        log_probability: natural logarithm; None as id, and where nobody asked for it.
        text: what is certain now: whole characters of this token and those before, or nothing.
        likeliest: the likeliest tokens in its place, likeliest first, of equals the lower id.
    """

    id: int | None
    log_probability: float | None
    text: str
    likeliest: tuple[LikelyToken, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return it as a JSON value, without what is not there."""
        if self.id is None:
            return {"text": self.text}
        found: dict[str, Any] = {"id": self.id, "log_probability": self.log_probability}
        found["text"] = self.text
        if self.likeliest:
            found["likeliest"] = [token.record() for token in self.likeliest]
        return found


def drawn_token(
    token_id: int, text: str, logits_V: Float32[np.ndarray, " vocab"], codec: TokenCodec, k: int
) -> DrawnToken:
    """Describe a token that was drawn, and the k likeliest in its place.

    Args:
        token_id: its id.
        text: what is certain now.
        logits_V: the model's scores in its place.
        codec: knows the bytes of tokens.
        k: >= 0.
    """
    logs_V = log_softmax(logits_V[None])[0]
    return DrawnToken(token_id, float(logs_V[token_id]), text, _likeliest(logs_V, codec, k))


def given_tokens(
    ids: Sequence[int],
    logits_TV: Float32[np.ndarray, "given vocab"],
    codec: TokenCodec,
    k: int | None,
) -> Iterator[DrawnToken]:
    """Yield tokens of a text that was given, described like drawn ones.

    Args:
        ids: of the tokens.
        logits_TV: the model's scores in the place of each.
        codec: knows the bytes of tokens.
        k: likeliest tokens in the place of each, >= 0; None for no log-probabilities.
    """
    if k is None:
        for token_id in ids:
            yield DrawnToken(token_id, None, "")
        return
    for token_id, logs_V in zip(ids, log_softmax(logits_TV), strict=True):
        yield DrawnToken(token_id, float(logs_V[token_id]), "", _likeliest(logs_V, codec, k))


def _likeliest(
    logs_V: Float32[np.ndarray, " vocab"], codec: TokenCodec, k: int
) -> tuple[LikelyToken, ...]:
    """Return the k likeliest tokens, of equals the lower id first."""
    if k == 0:
        return ()
    # One alone, which evaluations ask for, needs no sorting.
    order = [int(logs_V.argmax())] if k == 1 else np.argsort(-logs_V, kind="stable")[:k].tolist()
    return tuple(LikelyToken(i, float(logs_V[i]), _visible(codec.token_bytes(i))) for i in order)


def scored_tokens(engine: Engine[Any], codec: TokenCodec, text: str) -> Iterator[LikelyToken]:
    """Yield every token of a text with its log-probability, given all before it.

    Args:
        engine: the model.
        codec: its tokenizer.
        text: may be longer than the model's context.
    """
    ids_T = document_ids(codec, text)
    done = 1
    for piece_T in engine.surprisal_pieces(ids_T):
        wanted_T = ids_T[done : done + len(piece_T)]
        for token_id, surprisal in zip(wanted_T.tolist(), piece_T.tolist(), strict=True):
            yield LikelyToken(token_id, -surprisal, _visible(codec.token_bytes(token_id)))
        done += len(piece_T)


def _visible(piece: bytes) -> str:
    """Return the text of bytes; each that belongs to no character becomes U+FFFD."""
    return re.sub("[\udc80-\udcff]", "\ufffd", piece.decode(errors="surrogateescape"))
