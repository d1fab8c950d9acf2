"""Figures of a tagger on tagged texts.

Source: Efron 1979, "Bootstrap methods" (interval: the texts are drawn anew a thousand times).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.tasks.calibration import calibration_error, error_by_chance
from sparrowlm.tasks.tag.metric import SpanScore, WordScore
from sparrowlm.tasks.tag.model import IntentPrediction, SpanPrediction, TaggedPrediction

_MOST_ERRORS = 50
_SHOWN_CHARACTERS = 200
_RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class WorstTagError:
    """A text that the tagger was surest to be wrong about.

    Attributes:
        text: its beginning.
        true: its spans, as (text, label).
        predicted: those of the tagger.
        probability: of its surest wrong span; 0 where it only missed some.
    """

    text: str
    true: tuple[tuple[str, str], ...]
    predicted: tuple[tuple[str, str], ...]
    probability: float


@dataclass(frozen=True)
class TaggerFigures:
    """Everything measured on some texts, shares from 0 to 1.

    Attributes:
        num_texts: how many.
        num_spans: true spans in them.
        precision: share of the spans given that are right.
        recall: share of the true spans that were given.
        f1: harmonic mean of the two.
        f1_interval: its 95 % interval.
        macro_f1: mean F1 of the labels.
        by_label: every label's figures.
        text_accuracy: share of texts with exactly the true spans, and intent where there is one.
        calibration_error: mean distance between probability and share of right spans.
        calibration_error_by_chance: what exactly right probabilities would show on as many spans.
        intent_accuracy: None where texts have no intents.
        words: recall of unknown words and their share; None where nothing was segmented.
        errors: the worst errors.
    """

    num_texts: int
    num_spans: int
    precision: float
    recall: float
    f1: float
    f1_interval: tuple[float, float]
    macro_f1: float
    by_label: dict[str, Any]
    text_accuracy: float
    calibration_error: float
    calibration_error_by_chance: float
    intent_accuracy: float | None
    words: dict[str, float | int] | None
    errors: list[WorstTagError]

    def summary(self) -> dict[str, Any]:
        """Return the figures that fit on a line, as JSON values."""
        names = (
            "num_texts", "num_spans", "precision", "recall", "f1", "macro_f1", "text_accuracy",
            "calibration_error", "calibration_error_by_chance", "intent_accuracy", "words",
        )  # fmt: skip
        found = {name: getattr(self, name) for name in names}
        return {**found, "f1_interval": list(self.f1_interval)}

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        errors = [asdict(error) for error in self.errors]
        return {**self.summary(), "by_label": self.by_label, "errors": errors}


def measured(
    predictions: Sequence[TaggedPrediction],
    examples: Sequence[TaggedText],
    known_words: Set[str] | None = None,
) -> TaggerFigures:
    """Compare predictions with the truth.

    Args:
        predictions: one per example.
        examples: the truth.
        known_words: of the training text, where the task is segmentation; else None.
    """
    score = SpanScore()
    counts_B3 = np.zeros((len(examples), 3))
    for row, (example, given) in enumerate(zip(examples, predictions, strict=True)):
        found = _plain(given.spans)
        score.add(example.spans, found)
        true = set(example.spans)
        counts_B3[row] = len(true), len(set(found)), len(true & set(found))
    is_right_B = (counts_B3[:, 0] == counts_B3[:, 2]) & (counts_B3[:, 1] == counts_B3[:, 2])
    intents = _intents_right(predictions, examples)
    if intents is not None:
        is_right_B &= intents != 0
    micro = score.micro
    sure_S, is_right_S = _span_confidences(predictions, examples)
    return TaggerFigures(
        num_texts=len(examples),
        num_spans=micro.num_gold,
        precision=micro.precision,
        recall=micro.recall,
        f1=micro.f1,
        f1_interval=f1_interval(counts_B3),
        macro_f1=score.macro_f1,
        by_label={label: score.by_label[label].result() for label in sorted(score.by_label)},
        text_accuracy=float(is_right_B.mean()) if len(examples) else 0.0,
        calibration_error=calibration_error(sure_S, is_right_S),
        calibration_error_by_chance=error_by_chance(sure_S),
        intent_accuracy=_share(intents),
        words=None if known_words is None else _words(predictions, examples, known_words),
        errors=_worst(predictions, examples),
    )


def f1_interval(counts_B3: np.ndarray[Any, np.dtype[Any]], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of micro F1.

    Args:
        counts_B3: true, given and right spans of every text.
        seed: of the drawing.
    """
    if not len(counts_B3):
        return 0.0, 1.0
    random = random_generator(seed, "bootstrap")
    shares = np.full(len(counts_B3), 1 / len(counts_B3))
    drawn = np.stack([random.multinomial(len(counts_B3), shares) for _ in range(_RESAMPLES)])
    gold, found, right = (drawn @ counts_B3).T
    f1 = 2 * right / np.maximum(gold + found, 1)
    low, high = np.quantile(f1, [0.025, 0.975])
    return float(low), float(high)


def _plain(spans: Sequence[SpanPrediction]) -> list[Span]:
    return [Span(one.start, one.end, one.label) for one in spans]


def _intents_right(
    predictions: Sequence[TaggedPrediction], examples: Sequence[TaggedText]
) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """1 right, 0 wrong, -1 where a text has no true intent; None where the tagger knows none."""
    intents: list[IntentPrediction | None] = [one.intent for one in predictions]
    if all(intent is None for intent in intents):
        return None
    pairs = zip(intents, examples, strict=True)
    return np.array(
        [
            -1 if one.intent is None else int(given is not None and given.label == one.intent)
            for given, one in pairs
        ]
    )


def _share(right: np.ndarray[Any, np.dtype[np.int64]] | None) -> float | None:
    if right is None or not (right >= 0).any():
        return None
    return float(right[right >= 0].mean())


def _span_confidences(
    predictions: Sequence[TaggedPrediction], examples: Sequence[TaggedText]
) -> tuple[Any, Any]:
    """Return the probability of every span that was found, and whether it is right."""
    pairs = [
        (span.probability, Span(span.start, span.end, span.label) in set(example.spans))
        for given, example in zip(predictions, examples, strict=True)
        for span in given.spans
    ]
    sure, right = (np.array([float(pair[k]) for pair in pairs]) for k in (0, 1))
    return sure, right > 0.5


def _words(
    predictions: Sequence[TaggedPrediction], examples: Sequence[TaggedText], known: Set[str]
) -> dict[str, float | int]:
    score = WordScore(known)
    for given, example in zip(predictions, examples, strict=True):
        gold = [(span.start, span.end) for span in example.spans]
        score.add(example.text, gold, [(span.start, span.end) for span in given.spans])
    return score.result()


def _worst(
    predictions: Sequence[TaggedPrediction], examples: Sequence[TaggedText]
) -> list[WorstTagError]:
    found = []
    for given, example in zip(predictions, examples, strict=True):
        true = set(example.spans)
        wrong = [
            one.probability
            for one, plain in zip(given.spans, _plain(given.spans), strict=True)
            if plain not in true
        ]
        if not wrong and len(true) == len(given.spans):
            continue
        found.append(
            WorstTagError(
                example.text[:_SHOWN_CHARACTERS],
                tuple((example.text[s.start : s.end], s.label) for s in example.spans),
                tuple((one.text, one.label) for one in given.spans),
                max(wrong, default=0.0),
            )
        )
    return sorted(found, key=lambda error: -error.probability)[:_MOST_ERRORS]
