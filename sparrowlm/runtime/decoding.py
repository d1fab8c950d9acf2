"""A prompt goes in, text comes out as it is made: whole characters, nothing of a stop string."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.grammar_guides import Grammar, GrammarGuide
from sparrowlm.runtime.guides import Guide, TextGuide
from sparrowlm.runtime.prompts import Prompt, first_tokens, make_prompt
from sparrowlm.runtime.sampling import REPETITION_WINDOW_TOKENS, SamplingSettings, draw
from sparrowlm.runtime.token_logs import DrawnToken, drawn_token
from sparrowlm.text.patterns import Automaton
from sparrowlm.text.streaming import StreamingDecoder
from sparrowlm.text.tokenizers import SEPARATOR_ID, TokenCodec

# Texts made side by side: more take more memory and are hardly faster.
_MOST_ROWS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodingSettings:
    """How a text is continued, and when it ends.

    Attributes:
        sampling: how ids are drawn.
        max_tokens: most ids drawn, >= 0.
        stop: the text ends before the first of these strings.
        pattern: what the text may look like; it ends where the pattern does.
    """

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    max_tokens: int = 200
    stop: tuple[str, ...] = ()
    pattern: Automaton | Grammar | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            SettingError: "runtime.setting-range", naming the setting.
        """
        if self.max_tokens < 0:
            _refuse("max_tokens", self.max_tokens, ">= 0")
        if "" in self.stop:
            _refuse("stop", "", '"..."')


def _refuse(name: str, received: object, allowed: str) -> None:
    raise SettingError("runtime.setting-range", name=name, received=received, allowed=allowed)


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
            _refuse("likeliest", likeliest, ">= 0")
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
            num_samples: >= 1; sample n is the text that stream gives for it, up to the rounding
                of matrix products with more rows.

        Raises:
            SettingError: num_samples is below 1.
        """
        if num_samples < 1:
            _refuse("num_samples", num_samples, ">= 1")
        settings = _with_seed(settings)
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
        guide = self._guide(settings)
        text = Continuation(start, self._characters, _with_seed(settings), sample, guide)
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

    def _guide(self, settings: DecodingSettings) -> TextGuide | None:
        if isinstance(settings.pattern, Grammar):
            return GrammarGuide(settings.pattern, self._codec)
        return None if settings.pattern is None else Guide(settings.pattern, self._characters)

    def _side_by_side(
        self, prompt: str, settings: DecodingSettings, numbers: Sequence[int]
    ) -> list[str]:
        start = make_prompt(prompt, self._codec, self._characters)
        guide = self._guide(settings)
        texts = [Continuation(start, self._characters, settings, n, guide) for n in numbers]
        pieces: list[list[str]] = [[] for _text in texts]
        cache = self._engine.start()
        logits_V = read_prompt(self._engine, start.ids, cache)
        rows = list(range(len(texts)))
        cache = self._engine.branch(cache, [0] * len(rows))
        logits_BV = np.broadcast_to(logits_V, (len(rows), len(logits_V)))
        while True:
            for place, row in enumerate(rows):
                if not texts[row].has_ended():
                    pieces[row].append(texts[row].advance(logits_BV[place]))
            unfinished = [place for place, row in enumerate(rows) if not texts[row].has_ended()]
            if not unfinished:
                return ["".join(found) for found in pieces]
            # Finished rows are carried along until half of them are: leaving them out costs a copy.
            if 2 * len(unfinished) <= len(rows):
                cache = self._engine.branch(cache, unfinished)
                rows = [rows[place] for place in unfinished]
            fed_B = np.array([texts[row].last_id for row in rows], dtype=np.int64)
            logits_BV = self._engine.step_rows(fed_B, cache)


class Continuation:
    """One text in the making: draws ids, releases text, knows when it ends.

    Args:
        prompt: what it continues.
        characters: the bytes of all tokens.
        settings: with a seed.
        sample: its number among the samples of one seed.
        guide: keeps it within the settings' pattern.
    """

    def __init__(
        self,
        prompt: Prompt,
        characters: WholeCharacters,
        settings: DecodingSettings,
        sample: int,
        guide: TextGuide | None = None,
    ) -> None:
        self._characters = characters
        self._settings = settings
        self._generator = random_generator(settings.sampling.seed or 0, f"sample {sample}")
        self._recent = prompt.ids[1:][-REPETITION_WINDOW_TOKENS:]
        self._follower = None if guide is None else guide.follow()
        self._allowed_V = first_tokens(prompt, characters)
        if self._follower is not None:
            self._allowed_V = self._follower.first(prompt.begun, self._allowed_V)
        self._open_bytes = b""
        self._num_repeated_bytes = len(prompt.begun)
        self._watch = StopWatch(settings.stop)
        self._decoder = StreamingDecoder()
        self._num_drawn = 0
        self.last_id = 0
        self._has_ended = settings.max_tokens == 0

    def has_ended(self) -> bool:
        """Say whether nothing more can come."""
        return self._has_ended

    def advance(self, logits_V: Float32[np.ndarray, " vocab"]) -> str:
        """Draw the next id and return the text that is certain now."""
        sampling = self._settings.sampling
        if self._follower is not None and not self._allowed_V.any():
            self.last_id, self._has_ended = SEPARATOR_ID, True  # no token has the bytes wanted
            return self._watch.finish()
        self.last_id = draw(logits_V, sampling, self._generator, self._recent, self._allowed_V)
        if self.last_id == SEPARATOR_ID:
            self._has_ended = True
            return self._watch.finish()
        self._num_drawn += 1
        self._open_bytes = self._characters.after(self._open_bytes, self.last_id)
        self._allowed_V = self._characters.allowed(self._open_bytes)
        self._recent = [*self._recent[1 - REPETITION_WINDOW_TOKENS :], self.last_id]
        piece = self._characters.piece(self.last_id)[self._num_repeated_bytes :]
        self._num_repeated_bytes = 0
        is_over = self._follow(piece)
        released = self._watch.feed(self._decoder.feed(piece))
        if self._watch.has_stopped:
            self._has_ended = True
        elif is_over or self._num_drawn >= self._settings.max_tokens:
            # A character left open here is dropped: half of it is no text.
            self._has_ended = True
            released += self._watch.finish()
        return released

    def _follow(self, piece: bytes) -> bool:
        """Take a token's bytes into the pattern; say whether the text can only end now."""
        if self._follower is None:
            return False
        self._follower.take(piece)
        # A grammar may count tokens and break off inside a character.
        self._allowed_V = self._allowed_V & self._follower.allowed()
        return self._follower.is_over()


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


def _with_seed(settings: DecodingSettings) -> DecodingSettings:
    """Fill in a seed, so that all samples of one call belong together."""
    from dataclasses import replace

    if settings.sampling.seed is not None:
        return settings
    sampling = replace(settings.sampling, seed=secrets.randbits(63))
    return replace(settings, sampling=sampling)


class StopWatch:
    """Lets text pass until a stop string appears, and nothing of the string itself.

    What could be the beginning of a stop string is held back until it is decided.

    Args:
        stop: strings, none empty.

    >>> watch = StopWatch(["END"])
    >>> [watch.feed("an E"), watch.feed("N"), watch.feed("d EN"), watch.feed("D!")]
    ['an ', '', 'ENd ', '']
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.has_stopped = False

    def feed(self, text: str) -> str:
        """Take more text and return what is certainly outside of every stop string."""
        if self.has_stopped:
            return ""
        self._held += text
        places = [place for stop in self._stop if (place := self._held.find(stop)) >= 0]
        if places:
            self.has_stopped = True
            released, self._held = self._held[: min(places)], ""
            return released
        released = self._held[: len(self._held) - self._num_undecided()]
        self._held = self._held[len(released) :]
        return released

    def finish(self) -> str:
        """Return what was held back: no stop string came of it."""
        released, self._held = self._held, ""
        return released

    def _num_undecided(self) -> int:
        longest = 0
        for stop in self._stop:
            for length in range(min(len(stop) - 1, len(self._held)), longest, -1):
                if self._held.endswith(stop[:length]):
                    longest = length
                    break
        return longest
