"""A loaded model, whatever it was trained for. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparrowlm.api.dials import decoding_settings
from sparrowlm.foundation.errors import ModelError

if TYPE_CHECKING:
    import numpy as np

    from sparrowlm.api.similarity import SimilarWord, WordSimilarity
    from sparrowlm.foundation.array_types import Float32
    from sparrowlm.runtime.encoding import Filling, TextEncoder
    from sparrowlm.runtime.engines import Engine
    from sparrowlm.runtime.loading import LoadedModel
    from sparrowlm.runtime.next_words import NextWord
    from sparrowlm.runtime.scoring import Score
    from sparrowlm.runtime.token_logs import DrawnToken, LikelyToken
    from sparrowlm.tasks.classify.model import Classifier, Reason
    from sparrowlm.tasks.complete.model import Completer
    from sparrowlm.tasks.match.model import Found, Match, Matcher
    from sparrowlm.tasks.tag.model import Tagger
    from sparrowlm.text.tokenizers import TokenCodec

TAG_KINDS = ("tag", "intent", "segment")
TASK_KINDS = ("classify", "match", *TAG_KINDS)
_CAN = {
    "classify": "predict, evaluate, explain, info",
    "match": "match, search, evaluate, info",
    "tag": "predict, evaluate, info",
    "intent": "predict, evaluate, info",
    "segment": "predict, words, evaluate, info",
    "encoder": "fill, embed, info",
}
_CAN_WRITE = "next, generate, score, evaluate, info"


class Model:
    """What `sparrow train` wrote, ready to answer.

    Args:
        directory: the model directory.

    Raises:
        ModelError: there is no model.
        DamagedFileError: a file fails its checks.
    """

    def __init__(self, directory: Path) -> None:
        from sparrowlm.runtime.gguf_files import model_files

        self._path = directory
        self._drafted: dict[Path, Completer] = {}
        self._files = model_files(directory)
        # Whatever is damaged is refused here, and not at the first question.
        if self.kind == "classify":
            _ = self._predictor
        elif self.kind == "match":
            _ = self._matcher
        elif self.kind in TAG_KINDS:
            _ = self._tagger
        else:
            _ = self._encoder if self.kind == "encoder" else self._loaded

    @property
    def kind(self) -> str:
        """Name what it is: ngram, vectors, rnn, lstm, transformer, mixture, encoder or a task."""
        return str(self._files.manifest.get("kind"))

    def num_bytes(self) -> int:
        """Return what the model takes on disk."""
        return self._files.num_bytes()

    @property
    def is_multi_label(self) -> bool:
        """Whether a text may have several labels; False of what is no classifier."""
        return self.kind == "classify" and self._predictor.is_multi_label

    def checksum(self) -> str:
        """Return a SHA-256 of what answers: equal for equal answers, whatever the figures say."""
        return self._files.answers_checksum()

    @property
    def engine(self) -> Engine[Any]:
        """What gives the scores of ids (models that complete text); raises as next."""
        return self._loaded.engine

    @property
    def codec(self) -> TokenCodec:
        """What turns text to ids and back (models that complete text, or have an encoder).

        Raises:
            ModelError: the model has none.
        """
        return self._encoder.codec if self.kind in _CAN else self._loaded.codec

    @property
    def path(self) -> Path:
        """Where the model lies."""
        return self._path

    @property
    def curve(self) -> Any:  # noqa: ANN401 - a list of points, or one for each stage
        """How it learnt, as it stands in its sparrow.json; None where nothing is kept."""
        return self._files.manifest.get("curve")

    @property
    def can_embed(self) -> bool:
        """Whether embed has an encoder to ask."""
        from sparrowlm.runtime.directory import ENCODER_FILE

        return self._files.holds(ENCODER_FILE)

    @cached_property
    def _loaded(self) -> LoadedModel:
        from sparrowlm.runtime.loading import loaded_from

        if self.kind in _CAN:
            raise self._wrong_kind("next, generate, score")
        return loaded_from(self._files)

    @cached_property
    def _predictor(self) -> Classifier:
        from sparrowlm.api.predictors import open_predictor

        if self.kind != "classify":
            raise self._wrong_kind("predict")
        return open_predictor(self._files)

    @cached_property
    def _matcher(self) -> Matcher:
        from sparrowlm.api.predictors import open_matcher

        if self.kind != "match":
            raise self._wrong_kind("match, search")
        return open_matcher(self._files)

    @cached_property
    def _tagger(self) -> Tagger:
        from sparrowlm.api.predictors import open_tagger

        if self.kind not in TAG_KINDS:
            raise self._wrong_kind("find spans")
        return open_tagger(self._files)

    @cached_property
    def _encoder(self) -> TextEncoder:
        from sparrowlm.runtime.directory import ENCODER_FILE
        from sparrowlm.runtime.encoder_files import load_encoder
        from sparrowlm.runtime.encoding import TextEncoder
        from sparrowlm.runtime.loading import load_codec

        if not self._files.holds(ENCODER_FILE):
            raise ModelError("api.no-encoder", path=self._path, kind=self.kind)
        return TextEncoder(load_encoder(self._files).engine, load_codec(self._files))

    def _wrong_kind(self, verb: str) -> ModelError:
        known = _CAN.get(self.kind, _CAN_WRITE)
        return ModelError("api.wrong-kind", path=self._path, kind=self.kind, verb=verb, known=known)

    @cached_property
    def _completer(self) -> Completer:
        from sparrowlm.tasks.complete.model import Completer

        return Completer(self._loaded)

    def _writer(self, draft: str | Path | None) -> Completer:
        """Return what writes text, helped by a smaller model where one is named."""
        if draft is None:
            return self._completer
        from sparrowlm.api.drafted import drafted_completer

        path = Path(draft)
        if path not in self._drafted:
            self._drafted[path] = drafted_completer(self._loaded, path)
        return self._drafted[path]

    def predict(
        self, texts: str | Iterable[str], user_dictionary: str | Path | None = None
    ) -> list[Any]:
        """Answer for texts (models with labels).

        Args:
            texts: one text or several.
            user_dictionary: file of "word TAB label" lines that outrank a tagger.

        Returns:
            One answer per text. A classifier: label, probability, labels, probabilities. A tagger:
            spans (start, end, label, text, probability) and intent, where it knows intents.

        Raises:
            ModelError: the model was trained for something else.
            DataError: the dictionary cannot be read.
        """
        given = [texts] if isinstance(texts, str) else list(texts)
        return list(self.predict_stream(given, user_dictionary))

    def predict_stream(
        self, texts: Iterable[str], user_dictionary: str | Path | None = None
    ) -> Iterator[Any]:
        """Yield answers for any number of texts at constant memory; see predict."""
        if self.kind in TAG_KINDS:
            from sparrowlm.api.predictors import read_entries

            entries = None if user_dictionary is None else read_entries(Path(user_dictionary))
            return self._tagger.stream(texts, entries)
        return self._predictor.stream(texts)

    def words(self, text: str) -> list[str]:
        """Cut a text into words (models of segmentation); white space belongs to none.

        Raises:
            ModelError: the model was trained for something else.
        """
        if self.kind != "segment":
            raise self._wrong_kind("words")
        return self._tagger.words([text])[0]

    def explain(self, text: str, label: str | None = None) -> list[Reason]:
        """Return the words of a text with what each says for a label, loudest first.

        Args:
            text: any text.
            label: None for the likeliest.

        Raises:
            ModelError: the model completes text.
            SettingError: the model does not know the label.
        """
        return self._predictor.explain(text, label)

    def match(self, first: str, second: str) -> Match:
        """Say whether two texts mean the same (models trained on pairs).

        Args:
            first: any text.
            second: any text.

        Returns:
            label, is_same and probability; the order of the two does not matter.

        Raises:
            ModelError: the model was trained for something else.
        """
        return next(self._matcher.match([(first, second)]))

    def match_stream(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Match]:
        """Yield what is decided about any number of pairs at constant memory; raises as match."""
        return self._matcher.match(pairs)

    def search(self, question: str, k: int = 3) -> Found:
        """Find stored answers to a question (models trained on questions and answers).

        Args:
            question: any text.
            k: how many, >= 1.

        Returns:
            answers, best first, and is_known: whether the best one is sure enough to be given.

        Raises:
            ModelError: the model holds no answers.
        """
        return self._matcher.search(question, k)

    def fill(self, text: str, k: int = 5) -> list[list[Filling]]:
        """Guess what stands in every "[MASK]" of a text (models with an encoder).

        Args:
            text: each "[MASK]" hides one character or word.
            k: guesses per gap, >= 1.

        Raises:
            ModelError: the model has no encoder.
            DataError: there is no gap, or the text is too long.
        """
        return self._encoder.fill(text, k)

    def embed(self, texts: str | Iterable[str]) -> Float32[np.ndarray, "texts width"]:
        """Turn texts into vectors of length one (models with an encoder).

        Args:
            texts: one text or several.

        Raises:
            ModelError: the model has no encoder.
        """
        return self._encoder.vectors([texts] if isinstance(texts, str) else list(texts))

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that the model gives, also of pairs; raises as predict."""
        if self.kind == "match":
            return self._matcher.settings.labels
        return self._tagger.types if self.kind in TAG_KINDS else self._predictor.labels

    def next(self, text: str, k: int = 5) -> list[NextWord]:
        """Return the likeliest next words, best first.

        Args:
            text: what stands before.
            k: how many, >= 1.
        """
        return self._completer.next_words(text, k)

    @cached_property
    def floor_labels(self) -> Callable[[Sequence[str]], list[tuple[str, float]]] | None:
        """What a classifier's n-grams say alone: see api.floors; None where there is no floor."""
        from sparrowlm.api.floors import classifying_floor

        return classifying_floor(self._predictor, self._files.manifest)

    @cached_property
    def floor_spans(self) -> Callable[[Sequence[str]], list[list[Any]]] | None:
        """What a tagger's random field finds alone; None where there is no floor."""
        from sparrowlm.api.floors import tagging_floor

        return tagging_floor(self._tagger)

    @cached_property
    def floor_words(self) -> Callable[[str, int], list[NextWord]] | None:
        """What counting alone takes for the next words; None where there is no floor."""
        from sparrowlm.api.floors import completing_floor

        return completing_floor(self._loaded)

    def generate(
        self,
        prompt: str = "",
        *,
        num_samples: int = 1,
        draft: str | Path | None = None,
        **sampling: Any,  # noqa: ANN401 - see decoding_settings
    ) -> list[str]:
        """Continue a prompt.

        Args:
            prompt: any text, also none; it is not repeated in the result.
            num_samples: how many continuations, >= 1.
            draft: a smaller model with the same tokens that guesses what comes: the same texts,
                sooner where it often guesses right; of use for one continuation at a time.
            **sampling: max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, stop,
                seed, choices, pattern, json_schema, grammar; see dials.decoding_settings.
        """
        settings = decoding_settings(**sampling)
        return self._writer(draft).generate(prompt, settings, num_samples)

    def stream(
        self,
        prompt: str = "",
        *,
        draft: str | Path | None = None,
        **sampling: Any,  # noqa: ANN401 - see decoding_settings
    ) -> Iterator[str]:
        """Yield a continuation piece by piece, whole characters only; see generate."""
        return self._writer(draft).stream(prompt, decoding_settings(**sampling))

    def tokens(
        self,
        prompt: str = "",
        likeliest: int = 0,
        **sampling: Any,  # noqa: ANN401 - see decoding_settings
    ) -> Iterator[DrawnToken]:
        """Yield a continuation token by token, with natural logarithms of probabilities.

        They are the model's own, before temperature, penalties and patterns.

        Args:
            prompt: any text, also none.
            likeliest: how many of the likeliest tokens in its place come with each, >= 0.
            **sampling: see generate.
        """
        return self._completer.tokens(prompt, decoding_settings(**sampling), likeliest)

    def scored_tokens(self, text: str) -> Iterator[LikelyToken]:
        """Yield every token of a text with its log-probability, given all before it."""
        return self._completer.scored_tokens(text)

    def score(self, text: str) -> Score:
        """Measure how well the model predicts a text.

        Args:
            text: at least one character.

        Returns:
            bits_per_character, nats_per_character, perplexity_per_token and the counts.
        """
        return self._completer.score(text)

    def evaluate(self, paths: Sequence[str | Path], encoding: str | None = None) -> dict[str, Any]:
        """Compare the parts of the model on data it never saw.

        Args:
            paths: files and folders: texts, or labelled data for a model with labels.
            encoding: of text files, e.g. "gb18030"; None finds it for each.

        Returns:
            A model that completes text: figures by part, "ngram", "neural", "mixture". A model
            with labels: "accuracy", "macro_f1", "calibration_error" and all else of the model, and
            under "floor" and "encoder" the same for those parts.
        """
        files = [Path(path) for path in paths]
        if self.kind in TASK_KINDS:
            from sparrowlm.api.predictors import evaluated, evaluated_pairs, evaluated_tags

            if self.kind == "match":
                return evaluated_pairs(self._matcher, files, encoding)
            if self.kind in TAG_KINDS:
                return evaluated_tags(self._tagger, self.kind, files, encoding)
            return evaluated(self._predictor, self._files, files, encoding)
        from sparrowlm.tasks.complete.task import CompleteTask

        return CompleteTask(self._loaded).evaluate(files, encoding)

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
        manifest = self._files.manifest
        facts: dict[str, Any] = {"kind": self.kind, "neural": manifest.get("neural")}
        if self.kind not in (*TASK_KINDS, "encoder"):
            facts["vocabulary"] = self._loaded.codec.vocab_size
            facts["tokenizer"] = self._loaded.codec.kind
        facts["bytes"] = self.num_bytes()
        plan = manifest.get("plan") or {}
        if plan and manifest.get("neural"):
            facts["parameters"] = plan.get("num_parameters")
        for name in ("task", "recipe", "compression", "measured", "machine", "data", "version"):
            if manifest.get(name) is not None:
                facts[name] = manifest[name]
        if self.kind in TASK_KINDS and "measured" in facts:
            from sparrowlm.api.predictors import shortened

            facts["measured"] = shortened(facts["measured"])
        return facts
