"""One text in the making: ids are drawn, whole characters released, its end is known.

Shape letters: V vocabulary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.grammar_guides import Grammar
from sparrowlm.runtime.guides import TextGuide
from sparrowlm.runtime.prompts import Prompt, first_tokens
from sparrowlm.runtime.sampling import (
    REPETITION_WINDOW_TOKENS,
    Draw,
    SamplingSettings,
    chance_of,
    draw_id,
    refuse_setting,
)
from sparrowlm.runtime.stopping import StopWatch
from sparrowlm.text.patterns import Automaton
from sparrowlm.text.streaming import StreamingDecoder
from sparrowlm.text.tokenizers import SEPARATOR_ID

Ending = Literal["stop", "length"]
# Of a text that ends without another id.
_NO_WISH = Draw(SamplingSettings(temperature=0), 0.0)


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
            refuse_setting("max_tokens", self.max_tokens, ">= 0")
        if "" in self.stop:
            refuse_setting("stop", "", '"..."')


class Continuation:
    """One text in the making: draws ids, releases text, knows when it ends.

    Args:
        prompt: what it continues.
        characters: the bytes of all tokens.
        settings: with a seed.
        sample: its number among the samples of one seed.
        guide: keeps it within the settings' pattern.

    Attributes:
        last_id: drawn last.
        num_drawn: how many ids were drawn, the closing separator not counted.
        ending: None while more may come; "length" where max_tokens cut it off.
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
        self._counts: Counter[int] | None = Counter() if settings.sampling.counts_ids() else None
        self._follower = None if guide is None else guide.follow()
        self._allowed_V = first_tokens(prompt, characters)
        if self._follower is not None:
            self._allowed_V = self._follower.first(
                prompt.begun, self._allowed_V, settings.max_tokens
            )
        self._open_bytes = b""
        self._num_repeated_bytes = len(prompt.begun)
        self._watch = StopWatch(settings.stop)
        self._decoder = StreamingDecoder()
        self.num_drawn = 0
        self.last_id = 0
        self.ending: Ending | None = "length" if settings.max_tokens == 0 else None

    def has_ended(self) -> bool:
        """Say whether nothing more can come."""
        return self.ending is not None

    def is_stuck(self) -> bool:
        """Say whether no token has the bytes that the pattern wants: finish, do not draw."""
        return self._follower is not None and not self._allowed_V.any()

    def wish(self) -> Draw:
        """Return what the next id is to be drawn with; once for each id."""
        sampling = self._settings.sampling
        chance = chance_of(sampling, self._generator)
        return Draw(sampling, chance, self._recent, self._allowed_V, self._counts)

    def advance(self, logits_V: Float32[np.ndarray, " vocab"]) -> str:
        """Draw the next id and return the text that is certain now."""
        return self.finish() if self.is_stuck() else self.take(draw_id(logits_V, self.wish()))

    def finish(self) -> str:
        """End the text where it stands and return what is left of it."""
        self.last_id, self.ending = SEPARATOR_ID, "stop"
        return self._watch.finish()

    def take(self, token_id: int) -> str:
        """Append an id that was drawn and return the text that is certain now.

        Args:
            token_id: one that the wish allows.
        """
        if token_id == SEPARATOR_ID:
            return self.finish()
        self.last_id = token_id
        if self._counts is not None:
            self._counts[self.last_id] += 1
        self.num_drawn += 1
        self._open_bytes = self._characters.after(self._open_bytes, self.last_id)
        self._allowed_V = self._characters.allowed(self._open_bytes)
        self._recent = [*self._recent[1 - REPETITION_WINDOW_TOKENS :], self.last_id]
        piece = self._characters.piece(self.last_id)[self._num_repeated_bytes :]
        self._num_repeated_bytes = 0
        is_over = self._follow(piece)
        released = self._watch.feed(self._decoder.feed(piece))
        if self._watch.has_stopped:
            self.ending = "stop"
        elif is_over or self.num_drawn >= self._settings.max_tokens:
            # A character left open here is dropped: half of it is no text.
            self.ending = "stop" if is_over else "length"
            released += self._watch.finish()
        return released

    def _follow(self, piece: bytes) -> bool:
        """Take a token's bytes into the pattern; say whether the text can only end now."""
        if self._follower is None:
            return False
        num_left = self._settings.max_tokens - self.num_drawn
        if num_left > 0:
            # A grammar may count tokens and break off inside a character.
            self._allowed_V = self._follower.go_on(piece, num_left, self._allowed_V)
        else:
            self._follower.take(piece)
        return self._follower.is_over()


def advance_each(
    engine: Engine[Any],
    texts: Sequence[Continuation],
    logits_BV: Float32[np.ndarray, "batch vocab"],
) -> list[str]:
    """Draw the next id of several texts at once and return what is certain now of each.

    Args:
        engine: draws.
        texts: that have not ended.
        logits_BV: a row for each.
    """
    are_stuck = [text.is_stuck() for text in texts]
    wishes = [
        _NO_WISH if is_stuck else text.wish()
        for text, is_stuck in zip(texts, are_stuck, strict=True)
    ]
    drawn = engine.draw_each(logits_BV, wishes)
    return [
        text.finish() if is_stuck else text.take(token_id)
        for text, is_stuck, token_id in zip(texts, are_stuck, drawn, strict=True)
    ]
