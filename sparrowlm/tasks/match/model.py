"""A matcher ready to answer: judges pairs of texts, and finds stored answers.

Nothing here needs torch. Shape letters: B pairs, D width of the encoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64
from sparrowlm.foundation.errors import ModelError, SettingError
from sparrowlm.models.sparse_linear import SparseLinear
from sparrowlm.runtime.directory import (
    ANSWERS_FILE,
    ENCODER_FILE,
    LINEAR_FILE,
    PAIRS_FILE,
    ModelFiles,
)
from sparrowlm.runtime.encoder_files import LoadedEncoder, load_encoder
from sparrowlm.tasks.match.blending import PairBlend
from sparrowlm.tasks.match.comparison import Comparison, PairFeatures
from sparrowlm.tasks.match.index import AnswerIndex
from sparrowlm.text.segmentation import WordSegmenter
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.sequences import sequences_of

COSINE, COMPARISON, ENCODER = "cosine", "comparison", "encoder"
_BATCH_PAIRS = 512
# A pair of long texts is as much work as many short ones.
_BATCH_CHARACTERS = 1 << 18

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """What was decided about a pair.

    Attributes:
        label: of the training data.
        is_same: whether the two mean the same.
        probability: that they do, 0 to 1.
    """

    label: str
    is_same: bool
    probability: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer.

    Attributes:
        question: that it was stored for.
        answer: the text.
        number: of the entry, in the order of the training data.
        score: larger is better; logarithm of a share, up to a constant.
        probability: that this is the answer, 0 to 1.
    """

    question: str
    answer: str
    number: int
    score: float
    probability: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to.

    Attributes:
        answers: the nearest ones, best first.
        is_known: whether the best one is sure enough to be given; otherwise it is none of these.
    """

    answers: tuple[Answer, ...]
    is_known: bool


@dataclass(frozen=True, kw_only=True)
class MatcherSettings:
    """What a matcher was trained for, as it stands in sparrow.json.

    Attributes:
        labels: of pairs that do not mean the same, and of those that do.
        blend: of the parts that judge pairs.
        threshold: least probability that decides for "the same".
        answer_threshold: least probability of an answer that is given.
        words: of the user's dictionary, never cut.
    """

    labels: tuple[str, str]
    blend: PairBlend
    threshold: float
    answer_threshold: float
    words: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "labels": list(self.labels),
            "blend": self.blend.as_json(),
            "threshold": self.threshold,
            "answer_threshold": self.answer_threshold,
            "words": list(self.words),
        }

    @staticmethod
    def from_json(values: Any) -> MatcherSettings:  # noqa: ANN401 - any JSON value
        """Rebuild from as_json.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        negative, positive = (str(label) for label in values["labels"])
        return MatcherSettings(
            labels=(negative, positive),
            blend=PairBlend.from_json(values["blend"]),
            threshold=float(values["threshold"]),
            answer_threshold=float(values["answer_threshold"]),
            words=tuple(str(word) for word in values["words"]),
        )


@dataclass(frozen=True)
class EncoderPart:
    """The network.

    Attributes:
        encoder: with "head.difference", "head.product" and "head.scalars".
        codec: its tokenizer.
    """

    encoder: LoadedEncoder
    codec: TokenCodec

    def vectors(self, texts: Sequence[str]) -> Float32[np.ndarray, "texts width"]:
        """Return the mean state of every text."""
        engine = self.encoder.engine
        sequences = sequences_of(self.codec, texts, engine.shape.context_tokens)
        vectors_BD: Matrix = engine.pooled(sequences)[:, : engine.shape.width]
        return vectors_BD

    def scores(
        self, firsts: Sequence[str], seconds: Sequence[str]
    ) -> Float32[np.ndarray, " pairs"]:
        """Return the score of every pair; see models/pair_head.py."""
        u_BD, v_BD = self.vectors(firsts), self.vectors(seconds)
        head = self.encoder.head
        sizes_B = np.linalg.norm(u_BD, axis=1) * np.linalg.norm(v_BD, axis=1)
        product_BD = u_BD * v_BD
        cosine_B = product_BD.sum(axis=1) / np.maximum(sizes_B, 1e-8)
        scores_B: Matrix = np.abs(u_BD - v_BD) @ head["head.difference"]
        scores_B += product_BD @ head["head.product"]
        scalars = head["head.scalars"]
        scores_B += scalars[0] * cosine_B + scalars[1]
        return scores_B


class Matcher:
    """Judges pairs and finds answers.

    Args:
        settings: labels, blend and thresholds.
        comparison: the model over shared and unshared n-grams.
        encoder: the network, where it has a say.
        index: stored questions and answers, where there are any.
    """

    def __init__(
        self,
        settings: MatcherSettings,
        comparison: Comparison,
        encoder: EncoderPart | None,
        index: AnswerIndex | None,
    ) -> None:
        self.settings = settings
        self.comparison = comparison
        self.encoder = encoder
        self.index = index

    def score(self, first: str, second: str) -> float:
        """Return the probability that two texts mean the same; the same for (second, first)."""
        return float(self.probabilities([first], [second])[0])

    def match(self, pairs: Iterable[Pair]) -> Iterator[Match]:
        """Yield what is decided about every pair, holding only some of them at a time.

        Args:
            pairs: any number.
        """
        for batch in _batches(pairs):
            firsts, seconds = [pair[0] for pair in batch], [pair[1] for pair in batch]
            for probability in self._batch_probabilities(firsts, seconds).tolist():
                is_same = probability >= self.settings.threshold
                yield Match(self.settings.labels[is_same], is_same, probability)

    def probabilities(
        self, firsts: Sequence[str], seconds: Sequence[str]
    ) -> Float64[np.ndarray, " pairs"]:
        """Return the probability of every pair to mean the same.

        Args:
            firsts: any strings.
            seconds: as many.
        """
        pairs = zip(firsts, seconds, strict=True)
        given = [
            self._batch_probabilities([p[0] for p in batch], [p[1] for p in batch])
            for batch in _batches(pairs)
        ]
        return np.concatenate([np.zeros(0), *given])

    def part_scores(self, firsts: Sequence[str], seconds: Sequence[str]) -> dict[str, Matrix]:
        """Return the scores of every part: "cosine", "comparison", "encoder"."""
        measures = self.comparison.features.measures(firsts, seconds)
        found = {COSINE: measures.cosine(), COMPARISON: self.comparison.scores(measures)}
        if self.encoder is not None:
            found[ENCODER] = self.encoder.scores(firsts, seconds)
        return found

    def search(self, question: str, k: int = 3) -> Found:
        """Find the answers that belong to a question.

        Args:
            question: any string.
            k: how many answers, >= 1.

        Raises:
            ModelError: the model was trained without answers.
            SettingError: k is below 1.
        """
        if self.index is None:
            raise ModelError("tasks.match-no-answers")
        if k < 1:
            raise SettingError("tasks.match-k", received=k)
        index = self.index
        answers = tuple(
            Answer(
                index.questions.text(hit.entry),
                index.answers.text(hit.entry),
                hit.entry,
                hit.score,
                hit.probability,
            )
            for hit in index.search(question, k)
        )
        best = answers[0].probability if answers else 0.0
        return Found(answers, best >= self.settings.answer_threshold)

    def _batch_probabilities(
        self, firsts: Sequence[str], seconds: Sequence[str]
    ) -> Float64[np.ndarray, " pairs"]:
        return self.settings.blend.probabilities(self.part_scores(firsts, seconds))


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """Yield pairs in batches of bounded work."""
    waiting = iter(pairs)
    while part := list(islice(waiting, _BATCH_PAIRS)):
        batch: list[Pair] = []
        room = _BATCH_CHARACTERS
        for first, second in part:
            if batch and room < len(first) + len(second):
                yield batch
                batch, room = [], _BATCH_CHARACTERS
            batch.append((first, second))
            room -= len(first) + len(second)
        yield batch


def load_matcher(directory: ModelFiles, codec: TokenCodec | None) -> Matcher:
    """Open the matcher of a model directory.

    Args:
        directory: its files.
        codec: the tokenizer, where the directory has an encoder.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    settings = directory.task_settings(MatcherSettings.from_json)
    segmenter = WordSegmenter(settings.words)
    features = PairFeatures.load(directory.mapped(PAIRS_FILE), segmenter)
    model, _metadata = SparseLinear.load(directory.mapped(LINEAR_FILE))
    encoder = index = None
    if directory.holds(ENCODER_FILE) and codec is not None:
        encoder = EncoderPart(load_encoder(directory), codec)
    if directory.holds(ANSWERS_FILE):
        index = AnswerIndex.load(directory.mapped(ANSWERS_FILE), segmenter)
    return Matcher(settings, Comparison(features, model), encoder, index)
