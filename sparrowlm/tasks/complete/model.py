"""A loaded model that completes text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from sparrowlm.foundation.errors import SettingError
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.loading import LoadedModel
from sparrowlm.runtime.next_words import NextWord, NextWordSearch
from sparrowlm.runtime.scoring import Score, score_text
from sparrowlm.runtime.token_logs import DrawnToken, LikelyToken, scored_tokens


class Completer:
    """Next words, continuations and scores of one model.

    Args:
        model: see runtime.loading.open_model.
    """

    def __init__(self, model: LoadedModel) -> None:
        self.model = model

    def next_words(self, text: str, k: int = 5) -> list[NextWord]:
        """Return the k likeliest next words, best first.

        Args:
            text: what stands before, also nothing.
            k: >= 1.

        Returns:
            Fewer than k where the model knows no more; see runtime.next_words for what the
            probabilities mean.

        Raises:
            SettingError: k is below 1.
        """
        if k < 1:
            raise SettingError("runtime.setting-range", name="k", received=k, allowed=">= 1")
        return self._search.find(text, k)

    def generate(
        self, prompt: str = "", settings: DecodingSettings | None = None, num_samples: int = 1
    ) -> list[str]:
        """Return continuations of a prompt, without the prompt.

        Args:
            prompt: any text.
            settings: see DecodingSettings.
            num_samples: >= 1.
        """
        return self._decoder.texts(prompt, settings or DecodingSettings(), num_samples)

    def stream(self, prompt: str = "", settings: DecodingSettings | None = None) -> Iterator[str]:
        """Yield a continuation as it is made, in whole characters."""
        return self._decoder.stream(prompt, settings or DecodingSettings())

    def tokens(
        self, prompt: str = "", settings: DecodingSettings | None = None, likeliest: int = 0
    ) -> Iterator[DrawnToken]:
        """Yield a continuation token by token, with log-probabilities; see Decoder.tokens."""
        return self._decoder.tokens(prompt, settings or DecodingSettings(), likeliest)

    def scored_tokens(self, text: str) -> Iterator[LikelyToken]:
        """Yield every token of a text with its log-probability, given all before it."""
        return scored_tokens(self.model.engine, self.model.codec, text)

    def score(self, text: str) -> Score:
        """Say how surprised the model is by one document.

        Raises:
            DataError: the text is empty.
        """
        return score_text(self.model.engine, self.model.codec, text)

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.model.engine, self.model.codec)

    @cached_property
    def _search(self) -> NextWordSearch:
        return NextWordSearch(self.model.engine, self.model.codec)
