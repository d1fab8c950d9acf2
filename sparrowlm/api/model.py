"""A loaded model: next words, text, scores. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sparrowlm.api.similarity import SimilarWord, WordSimilarity
    from sparrowlm.runtime.decoding import DecodingSettings
    from sparrowlm.runtime.loading import LoadedModel
    from sparrowlm.runtime.next_words import NextWord
    from sparrowlm.runtime.scoring import Score


class Model:
    """What `sparrow train` wrote, ready to answer.

    Args:
        directory: the model directory.

    Raises:
        ModelError: there is no model.
        DamagedFileError: a file fails its checks.
    """

    def __init__(self, directory: Path) -> None:
        from sparrowlm.runtime.loading import open_model
        from sparrowlm.tasks.complete.model import Completer

        self._loaded: LoadedModel = open_model(directory)
        self._completer = Completer(self._loaded)

    @property
    def kind(self) -> str:
        """One of "ngram", "vectors", "rnn", "lstm", "transformer", "mixture"."""
        return self._loaded.kind

    def next(self, text: str, k: int = 5) -> list[NextWord]:
        """Return the likeliest next words, best first.

        Args:
            text: what stands before.
            k: how many, >= 1.
        """
        return self._completer.next_words(text, k)

    def generate(
        self,
        prompt: str = "",
        *,
        num_samples: int = 1,
        **sampling: Any,  # noqa: ANN401 - see decoding_settings
    ) -> list[str]:
        """Continue a prompt.

        Args:
            prompt: any text, also none; it is not repeated in the result.
            num_samples: how many continuations, >= 1.
            **sampling: max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, stop,
                seed; see decoding_settings.
        """
        return self._completer.generate(prompt, decoding_settings(**sampling), num_samples)

    def stream(
        self,
        prompt: str = "",
        **sampling: Any,  # noqa: ANN401 - see decoding_settings
    ) -> Iterator[str]:
        """Yield a continuation piece by piece, whole characters only; see generate."""
        return self._completer.stream(prompt, decoding_settings(**sampling))

    def score(self, text: str) -> Score:
        """Measure how well the model predicts a text.

        Args:
            text: at least one character.

        Returns:
            bits_per_character, nats_per_character, perplexity_per_token and the counts.
        """
        return self._completer.score(text)

    def evaluate(self, paths: Sequence[str | Path]) -> dict[str, dict[str, float | int]]:
        """Compare the parts of the model on texts it never saw.

        Args:
            paths: files and folders.

        Returns:
            Figures by part: "ngram", "neural", "mixture", as far as the model has them.
        """
        from sparrowlm.tasks.complete.task import CompleteTask

        return CompleteTask(self._loaded).evaluate([Path(path) for path in paths])

    def neighbours(self, word: str, k: int = 10) -> list[SimilarWord]:
        """Return the k words most similar to one, best first (word vectors only).

        Raises:
            ModelError: the model has no word vectors.
            DataError: the word has no vector.
        """
        return self._similarity.neighbours(word, k)

    def similarity(self, a: str, b: str) -> float:
        """Return how alike two words are, -1 to 1 (word vectors only); raises as neighbours."""
        return self._similarity.similarity(a, b)

    def analogy(self, a: str, b: str, c: str, k: int = 10) -> list[SimilarWord]:
        """Return the words that are to c what b is to a (word vectors only); as neighbours."""
        return self._similarity.analogy(a, b, c, k)

    @cached_property
    def _similarity(self) -> WordSimilarity:
        from sparrowlm.api.similarity import WordSimilarity

        return WordSimilarity(self._loaded)

    def info(self) -> dict[str, Any]:
        """Return what the model is and where it came from, as JSON values."""
        manifest = self._loaded.manifest
        num_bytes = sum(entry["bytes"] for entry in manifest["files"].values())
        facts: dict[str, Any] = {
            "kind": self.kind,
            "neural": manifest.get("neural"),
            "vocabulary": self._loaded.codec.vocab_size,
            "tokenizer": self._loaded.codec.kind,
            "bytes": num_bytes,
        }
        plan = manifest.get("plan") or {}
        if plan and manifest.get("neural"):
            facts["parameters"] = plan.get("num_parameters")
        for name in ("recipe", "measured", "machine", "data", "version"):
            if manifest.get(name) is not None:
                facts[name] = manifest[name]
        return facts


def decoding_settings(
    *,
    max_tokens: int = 200,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    min_p: float | int | None = None,
    repetition_penalty: float | int = 1.0,
    stop: Sequence[str] = (),
    seed: int | None = None,
) -> DecodingSettings:
    """Check the dials of sampling.

    Args:
        max_tokens: most tokens to add, >= 0.
        temperature: 0 takes the likeliest; below 1 safer, above 1 bolder.
        top_k: only the k likeliest; None for all.
        top_p: only the likeliest that together reach this probability; None for all.
        min_p: nothing less likely than this share of the likeliest; None for all.
        repetition_penalty: above 1 makes what was said already less likely.
        stop: the text ends before the first of these.
        seed: same seed, same text; None differs from run to run.

    Raises:
        SettingError: a dial is out of its range.
    """
    from sparrowlm.runtime.decoding import DecodingSettings
    from sparrowlm.runtime.sampling import SamplingSettings

    sampling = SamplingSettings(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        repetition_penalty=repetition_penalty, seed=seed,
    )  # fmt: skip
    return DecodingSettings(sampling=sampling, max_tokens=max_tokens, stop=tuple(stop))
