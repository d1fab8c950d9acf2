"""A prompt goes in, text comes out as it is made: whole characters, nothing of a stop string."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.prompts import first_tokens, make_prompt
from sparrowlm.runtime.sampling import REPETITION_WINDOW_TOKENS, SamplingSettings, draw
from sparrowlm.text.streaming import StreamingDecoder
from sparrowlm.text.tokenizers import TokenCodec


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodingSettings:
    """How a text is continued, and when it ends.

    Attributes:
        sampling: how ids are drawn.
        max_tokens: most ids drawn, >= 0.
        stop: the text ends before the first of these strings.
    """

    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    max_tokens: int = 200
    stop: tuple[str, ...] = ()

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
        watch = StopWatch(settings.stop)
        decoder = StreamingDecoder()
        begun = make_prompt(prompt, self._codec, self._characters).begun
        for token_id in self.ids(prompt, settings, sample):
            piece = self._characters.piece(token_id)[len(begun) :]
            begun = b""
            text = watch.feed(decoder.feed(piece))
            if text:
                yield text
            if watch.has_stopped:
                return
        # A character left open by max_tokens is dropped: half of it is no text.
        if rest := watch.finish():
            yield rest

    def texts(self, prompt: str, settings: DecodingSettings, num_samples: int) -> list[str]:
        """Return several continuations of one prompt.

        Args:
            prompt: any text.
            settings: see DecodingSettings.
            num_samples: >= 1.

        Raises:
            SettingError: num_samples is below 1.
        """
        if num_samples < 1:
            _refuse("num_samples", num_samples, ">= 1")
        settings = _with_seed(settings)
        return ["".join(self.stream(prompt, settings, number)) for number in range(num_samples)]

    def ids(self, prompt: str, settings: DecodingSettings, sample: int = 0) -> Iterator[int]:
        """Yield the ids drawn after a prompt, until the model ends the document.

        The first one repeats the end of the prompt where make_prompt took that back.
        """
        settings = _with_seed(settings)
        sampling = settings.sampling
        generator = random_generator(sampling.seed or 0, f"sample {sample}")
        start = make_prompt(prompt, self._codec, self._characters)
        cache = self._engine.start()
        logits_V = read_prompt(self._engine, start.ids, cache)
        recent = start.ids[1:][-REPETITION_WINDOW_TOKENS:]
        allowed_V = first_tokens(start, self._characters)
        open_bytes = b""
        for number in range(settings.max_tokens):
            token_id = draw(logits_V, sampling, generator, recent, allowed_V)
            if token_id == self._codec.separator_id:
                return
            yield token_id
            open_bytes = self._characters.after(open_bytes, token_id)
            allowed_V = self._characters.allowed(open_bytes)
            recent = [*recent[1 - REPETITION_WINDOW_TOKENS :], token_id]
            if number + 1 < settings.max_tokens:
                fed = np.array([token_id], dtype=np.int64)
                logits_V = self._engine.step(fed, cache, is_last_only=True)[-1]


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
