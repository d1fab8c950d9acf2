"""A prompt goes in, text comes out as it is made: whole characters, nothing of a stop string."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.compiled_guides import pattern_guide
from sparrowlm.runtime.continuation import Continuation, DecodingSettings, advance_each
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.grammar_guides import Grammar, GrammarGuide
from sparrowlm.runtime.guides import TextGuide
from sparrowlm.runtime.prompts import make_prompt
from sparrowlm.runtime.sampling import refuse_setting
from sparrowlm.runtime.token_logs import DrawnToken, drawn_token
from sparrowlm.text.tokenizers import TokenCodec

# Texts made side by side: more take more memory and are hardly faster.
_MOST_ROWS = 64


class Decoder:
    """Continues texts with one model.

    Args:
        engine: gives the scores.
        codec: text to ids and back.
    """

    def __init__(self, engine: Engine[Any], codec: TokenCodec) -> None:
        self._engine = engine
        self._codec = codec
        self._characters = WholeCharacters(codec)

    def stream(self, prompt: str, settings: DecodingSettings, sample: int = 0) -> Iterator[str]:
        """Yield the continuation in pieces of whole characters.

        Args:
            prompt: any text, also none; it is not repeated.
            settings: see DecodingSettings.
            sample: number of the sample; with the same seed each number gives another text.
        """
        for _token_id, text, _logits_V in self._run(prompt, settings, sample):
            if text:
                yield text

    def ids(self, prompt: str, settings: DecodingSettings, sample: int = 0) -> Iterator[int]:
        """Yield the ids drawn after a prompt, until the text ends.

        The first one repeats the end of the prompt where make_prompt took that back.
        """
        for token_id, _text, _logits_V in self._run(prompt, settings, sample):
            if token_id != self._codec.separator_id:
                yield token_id

    def tokens(
        self, prompt: str, settings: DecodingSettings, likeliest: int = 0, sample: int = 0
    ) -> Iterator[DrawnToken]:
        """Yield what is drawn after a prompt, token by token, with log-probabilities.

        Args:
            prompt: any text, also none.
            settings: see DecodingSettings.
            likeliest: how many of the likeliest tokens in its place come with each, >= 0.
            sample: see stream.

        Raises:
            SettingError: likeliest is below 0.
        """
        if likeliest < 0:
            refuse_setting("likeliest", likeliest, ">= 0")
        return self._tokens(prompt, settings, likeliest, sample)

    def _tokens(
        self, prompt: str, settings: DecodingSettings, likeliest: int, sample: int
    ) -> Iterator[DrawnToken]:
        for token_id, text, logits_V in self._run(prompt, settings, sample):
            if token_id != self._codec.separator_id:
                yield drawn_token(token_id, text, logits_V, self._codec, likeliest)
            elif text:
                yield DrawnToken(None, None, text)

    def texts(self, prompt: str, settings: DecodingSettings, num_samples: int) -> list[str]:
        """Return several continuations of one prompt, made side by side.

        Args:
            prompt: any text.
            settings: see DecodingSettings.
            num_samples: >= 1; sample n is the text that stream gives for it.

        Raises:
            SettingError: num_samples is below 1.
        """
        if num_samples < 1:
            refuse_setting("num_samples", num_samples, ">= 1")
        settings = with_seed(settings)
        if num_samples == 1:
            return ["".join(self.stream(prompt, settings))]
        texts: list[str] = []
        for first in range(0, num_samples, _MOST_ROWS):
            numbers = range(first, min(first + _MOST_ROWS, num_samples))
            texts += self._side_by_side(prompt, settings, numbers)
        return texts

    def _run(
        self, prompt: str, settings: DecodingSettings, sample: int
    ) -> Iterator[tuple[int, str, Float32[np.ndarray, " vocab"]]]:
        """Yield every id drawn, the closing separator included, the text it released, logits_V."""
        start = make_prompt(prompt, self._codec, self._characters)
        guide = guide_of(settings, self._codec, self._characters)
        text = Continuation(start, self._characters, with_seed(settings), sample, guide)
        if text.has_ended():
            return
        cache = self._engine.start()
        logits_V = read_prompt(self._engine, start.ids, cache)
        while True:
            released = text.advance(logits_V)
            yield text.last_id, released, logits_V
            if text.has_ended():
                return
            fed = np.array([text.last_id], dtype=np.int64)
            logits_V = self._engine.step(fed, cache, is_last_only=True)[-1]

    def _side_by_side(
        self, prompt: str, settings: DecodingSettings, numbers: Sequence[int]
    ) -> list[str]:
        start = make_prompt(prompt, self._codec, self._characters)
        guide = guide_of(settings, self._codec, self._characters)
        texts = [Continuation(start, self._characters, settings, n, guide) for n in numbers]
        pieces: list[list[str]] = [[] for _text in texts]
        cache = self._engine.start()
        logits_V = read_prompt(self._engine, start.ids, cache)
        caches = [self._engine.branch(cache, [0]) for _text in texts]
        rows = [row for row, text in enumerate(texts) if not text.has_ended()]
        logits_BV = np.broadcast_to(logits_V, (len(rows), len(logits_V)))
        while rows:
            released = advance_each(self._engine, [texts[row] for row in rows], logits_BV)
            for row, piece in zip(rows, released, strict=True):
                pieces[row].append(piece)
            rows = [row for row in rows if not texts[row].has_ended()]
            if rows:
                fed_B = np.array([texts[row].last_id for row in rows], dtype=np.int64)
                logits_BV = self._engine.step_together(fed_B, [caches[row] for row in rows])
        return ["".join(found) for found in pieces]


def read_prompt(
    engine: Engine[Any],
    ids: Sequence[int],
    cache: Any,  # noqa: ANN401 - belongs to the engine
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Feed a prompt and return logits_V of what follows it.

    Args:
        engine: reads it.
        ids: at least the separator.
        cache: of one row.
    """
    logits_V: np.ndarray[Any, np.dtype[np.float32]] = engine.step(
        np.asarray(ids, dtype=np.int64), cache, is_last_only=True
    )[-1]
    return logits_V


def guide_of(
    settings: DecodingSettings, codec: TokenCodec, characters: WholeCharacters
) -> TextGuide | None:
    """Return what keeps texts within the settings' pattern; None where there is none.

    Args:
        settings: see DecodingSettings.
        codec: the tokenizer.
        characters: the bytes of its tokens.
    """
    if isinstance(settings.pattern, Grammar):
        return GrammarGuide(settings.pattern, codec)
    return None if settings.pattern is None else pattern_guide(settings.pattern, characters)


def with_seed(settings: DecodingSettings) -> DecodingSettings:
    """Fill in a seed, so that all samples of one call belong together.

    Args:
        settings: with a seed or without.
    """
    from dataclasses import replace

    if settings.sampling.seed is not None:
        return settings
    sampling = replace(settings.sampling, seed=secrets.randbits(63))
    return replace(settings, sampling=sampling)
