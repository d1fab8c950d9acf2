"""A classifier ready to answer: n-grams, encoder, or both, and the blend that weighs them.

Nothing here needs torch. Shape letters: B texts, L labels, C columns of the linear model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.errors import SettingError
from sparrowlm.models.sparse_linear import SparseLinear
from sparrowlm.runtime.directory import ENCODER_FILE, LINEAR_FILE, ModelFiles
from sparrowlm.runtime.encoder_files import LoadedEncoder, load_encoder
from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.rejecting import Detector, signs
from sparrowlm.text.ngram_features import NgramFeatures
from sparrowlm.text.segmentation import WordSegmenter
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.sequences import sequences_of

LINEAR, ENCODER = "linear", "encoder"
# What the linear model alone is called in figures.
FLOOR = "floor"
_BATCH_TEXTS = 1024

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a text is about.

    Attributes:
        label: the likeliest label; None where the model would rather not say.
        probability: of the likeliest label, 0 to 1.
        labels: all labels given: one, none (nothing is sure enough), or several where a text may
            have several.
        probabilities: of every label, likeliest first.
    """

    label: str | None
    probability: float
    labels: tuple[str, ...]
    probabilities: dict[str, float]


class Reason(NamedTuple):
    """A piece of a text and what it said for a label.

    Attributes:
        text: the piece.
        start: where it begins, in characters.
        end: where it ends.
        weight: by how much the label's logarithm of probability falls when the piece is hidden.
    """

    text: str
    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class LinearPart:
    """The model over n-grams.

    Attributes:
        model: its weights.
        features: how texts become n-grams.
    """

    model: SparseLinear
    features: NgramFeatures

    def scores(self, texts: Sequence[str], num_labels: int) -> Matrix:
        """Return the scores of all labels for texts."""
        counts = self.features.counts(texts)
        rows = self.model.vocabulary.rows(*counts)
        return label_columns(self.model.scores(rows), num_labels)


@dataclass(frozen=True)
class EncoderPart:
    """The network.

    Attributes:
        encoder: with "head.weight" and "head.bias".
        codec: its tokenizer.
    """

    encoder: LoadedEncoder
    codec: TokenCodec

    def scores(self, texts: Sequence[str]) -> Matrix:
        """Return the scores of all labels for texts."""
        engine = self.encoder.engine
        pooled_BP = engine.pooled(sequences_of(self.codec, texts, engine.shape.context_tokens))
        head = self.encoder.head
        scores_BL: Matrix = pooled_BP @ head["head.weight"].T + head["head.bias"]
        return scores_BL


@dataclass(frozen=True, kw_only=True)
class ClassifierSettings:
    """What a classifier was trained for, as it stands in sparrow.json.

    Attributes:
        labels: in the order of the scores.
        blend: of the parts.
        threshold: least probability of a label that is given where a text may have several, and
            of an answer at all where it has one; 0.0 always answers.
        words: of the user's dictionary, never cut.
        detector: of texts that belong nowhere; None where there were no examples of such.
    """

    labels: tuple[str, ...]
    blend: Blend
    threshold: float = 0.0
    words: tuple[str, ...] = ()
    detector: Detector | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "labels": list(self.labels),
            "blend": self.blend.as_json(),
            "threshold": self.threshold,
            "words": list(self.words),
            "detector": None if self.detector is None else self.detector.as_json(),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> ClassifierSettings:
        """Rebuild from as_json."""
        detector = values["detector"]
        return ClassifierSettings(
            labels=tuple(values["labels"]),
            blend=Blend.from_json(values["blend"]),
            threshold=float(values["threshold"]),
            words=tuple(values["words"]),
            detector=None if detector is None else Detector.from_json(detector),
        )


class Classifier:
    """Gives texts their labels.

    Args:
        settings: labels and blend.
        linear: the model over n-grams, where it has a say.
        encoder: the network, where it has a say.
    """

    def __init__(
        self,
        settings: ClassifierSettings,
        linear: LinearPart | None,
        encoder: EncoderPart | None,
    ) -> None:
        self.settings = settings
        self.linear = linear
        self.encoder = encoder

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the order of scores and probabilities."""
        return self.settings.labels

    @property
    def is_multi_label(self) -> bool:
        """Whether a text may have several labels."""
        return self.settings.blend.is_multi_label

    def part_scores(self, texts: Sequence[str]) -> dict[str, Matrix]:
        """Return the scores of every part: "linear", "encoder"."""
        found: dict[str, Matrix] = {}
        if self.linear is not None:
            found[LINEAR] = self.linear.scores(texts, len(self.labels))
        if self.encoder is not None:
            found[ENCODER] = self.encoder.scores(texts)
        return found

    def probabilities(self, texts: Sequence[str]) -> Float32[np.ndarray, "texts labels"]:
        """Return the probability of every label for every text.

        Args:
            texts: any strings.
        """
        given: list[Matrix] = [np.zeros((0, len(self.labels)), dtype=np.float32)]
        for start in range(0, len(texts), _BATCH_TEXTS):
            scores = self.part_scores(texts[start : start + _BATCH_TEXTS])
            given.append(probabilities(self.settings, scores))
        return np.concatenate(given)

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return what every text is about."""
        return [self._prediction(row_L) for row_L in self.probabilities(texts)]

    def stream(self, texts: Iterable[str]) -> Iterator[Prediction]:
        """Yield predictions of any number of texts, holding only some of them at a time."""
        waiting = iter(texts)
        while batch := list(islice(waiting, _BATCH_TEXTS)):
            yield from self.predict(batch)

    def explain(self, text: str, label: str | None = None) -> list[Reason]:
        """Say which pieces of a text speak for a label: each is hidden in turn.

        Args:
            text: any string.
            label: one of labels; None for the likeliest.

        Returns:
            The words, those that speak loudest for the label first; negative weights speak
            against it.

        Raises:
            SettingError: the label is not known.

        Source: Li, Monroe and Jurafsky 2016, "Understanding neural networks through
        representation erasure", arXiv:1612.08220, equation 1.
        """
        if label is not None and label not in self.labels:
            known = ", ".join(self.labels)
            raise SettingError("tasks.classify-label", received=label, known=known)
        words = [
            word
            for word in WordSegmenter(self.settings.words).segment(text)
            if not word.text.isspace()
        ]
        variants = [text, *(text[: word.start] + text[word.end :] for word in words)]
        logs_BL = np.log(np.maximum(self.probabilities(variants), 1e-12))
        index = int(logs_BL[0].argmax()) if label is None else self.labels.index(label)
        falls = logs_BL[0, index] - logs_BL[1:, index]
        reasons = [
            Reason(word.text, word.start, word.end, float(fall))
            for word, fall in zip(words, falls, strict=True)
        ]
        return sorted(reasons, key=lambda reason: -reason.weight)

    def _prediction(self, probabilities_L: Matrix) -> Prediction:
        order = np.argsort(-probabilities_L, kind="stable")
        best = int(order[0])
        probability = float(probabilities_L[best])
        is_sure = probability >= self.settings.threshold
        if self.is_multi_label:
            chosen = [i for i in order.tolist() if probabilities_L[i] >= self.settings.threshold]
        else:
            chosen = [best] if is_sure else []
        return Prediction(
            label=self.labels[best] if is_sure else None,
            probability=probability,
            labels=tuple(self.labels[i] for i in chosen),
            probabilities={self.labels[i]: float(probabilities_L[i]) for i in order.tolist()},
        )


def probabilities(
    settings: ClassifierSettings, scores: Mapping[str, Matrix], blend: Blend | None = None
) -> Float32[np.ndarray, "texts labels"]:
    """Turn the scores of the parts into probabilities of labels.

    Where a detector says that a text belongs nowhere, the label that means so comes first, with
    at least half of the probability; elsewhere it never does.

    Args:
        settings: of the classifier.
        scores: of every part.
        blend: instead of the settings' own, which alone the detector knows.
    """
    given_BL = (blend or settings.blend).probabilities(scores)
    detector = settings.detector
    if detector is None or blend is not None:
        return given_BL
    refused_B = detector.refuses(signs(scores, settings.blend.logits(scores), detector.label))
    wanted_B = np.where(refused_B, np.maximum(given_BL[:, detector.label], 0.5), 0.0)
    others_BL = given_BL.copy()
    others_BL[:, detector.label] = 0.0
    others_BL *= ((1 - wanted_B) / np.maximum(others_BL.sum(axis=1), 1e-12))[:, None]
    others_BL[:, detector.label] = wanted_B
    shared_BL: Matrix = others_BL.astype(np.float32)
    return shared_BL


def label_columns(
    scores_BC: Float32[np.ndarray, "texts columns"], num_labels: int
) -> Float32[np.ndarray, "texts labels"]:
    """Give two labels that share one column a score each."""
    if scores_BC.shape[1] == 1 and num_labels == 2:
        both_BL: Matrix = np.concatenate([-scores_BC, scores_BC], axis=1)
        return both_BL
    return scores_BC


def load_classifier(directory: ModelFiles, codec: TokenCodec | None) -> Classifier:
    """Open the classifier of a model directory.

    Args:
        directory: its files.
        codec: the tokenizer, where the directory has an encoder.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    settings = directory.task_settings(ClassifierSettings.from_json)
    linear = encoder = None
    if directory.holds(LINEAR_FILE):
        linear = load_linear(directory, settings)
    if directory.holds(ENCODER_FILE) and codec is not None:
        encoder = EncoderPart(load_encoder(directory), codec)
    return Classifier(settings, linear, encoder)


def load_linear(directory: ModelFiles, settings: ClassifierSettings) -> LinearPart:
    """Open the linear model of a classifier alone.

    Args:
        directory: its files.
        settings: of the classifier.

    Raises:
        DamagedFileError: the file is missing or is not what was written.
    """
    model, metadata = SparseLinear.load(directory.mapped(LINEAR_FILE))
    return LinearPart(model, NgramFeatures.from_json(metadata, WordSegmenter(settings.words)))
