"""Answers with what speaks for them: one record for every task of a model.

A classifier's answer is as sure as its likeliest label; a tagger's as all of its spans and the
intent together; a text's as its tokens, whatever their number. Nothing here is calibrated: that is
what calibrators do with the signals.

Source: Hendrycks and Gimpel 2017, arXiv:1610.02136 (the largest probability); Murray and Chiang
2018, "Correcting length bias in neural machine translation", arXiv:1808.10006 (division by length).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparrowlm.api.model import TAG_KINDS, Model
from sparrowlm.cooperation.asking import Answer, LargeRequest, Question
from sparrowlm.foundation.errors import ModelError, SettingError

_SMALLEST = 1e-9
_NO_ANSWERS = ("vectors", "encoder")
# Greedy, so that the same question has the same answer.
GENERATION: dict[str, Any] = {"temperature": 0.0, "max_tokens": 64, "stop": ["\n"]}


@dataclass(frozen=True, slots=True)
class Confident:
    """An answer and how sure it is.

    Attributes:
        answer: a JSON value; see asking.Answer.
        confidence: probability of being right, 0 to 1: the model's own, or calibrated.
        signals: what speaks for the answer, by name, larger is surer; the same names for all
            answers of a model.
        label: by which answers are told apart: the label, or the intent; "" where there is none.
        shares: of every label, likeliest first; empty where the answer is no label.
    """

    answer: Answer
    confidence: float
    signals: Mapping[str, float]
    label: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)) of a probability kept off 0 and 1 by 1e-9."""
    kept = min(max(probability, _SMALLEST), 1.0 - _SMALLEST)
    return math.log(kept) - math.log1p(-kept)


def confident_answers(model: Model, questions: Iterable[Question]) -> Iterator[Confident]:
    """Yield the answers of a model with their signals, at constant memory.

    Args:
        model: of any kind that answers.
        questions: any number; a pair for a model that judges pairs.

    Raises:
        ModelError: the model gives no answers, only vectors.
        SettingError: a pair for a model that judges no pairs.
    """
    return answering(model)(questions)


def answering(model: Model) -> Callable[[Iterable[Question]], Iterator[Confident]]:
    """Return what answers questions with a model; see confident_answers."""
    if model.kind == "classify" or model.kind in TAG_KINDS:
        return lambda asked: _predicted(model, asked)
    if model.kind == "match":
        return lambda asked: (_paired(model, question) for question in asked)
    if model.kind in _NO_ANSWERS:
        raise ModelError("cooperation.calibrate-no-answers", kind=model.kind)
    return lambda asked: _texts(model, asked)


def confident(model: Model, found: Any) -> Confident:  # noqa: ANN401 - of three kinds
    """Return what a model has said, with its signals.

    Args:
        model: that classifies, tags or judges pairs.
        found: what its predict gave for a text, or its match for a pair.
    """
    if model.kind == "match":
        return _judged(found)
    if model.kind in TAG_KINDS:
        return _spans(found, is_segmenter=model.kind == "segment")
    return _several_labels(found) if model.is_multi_label else _one_label(found)


def large_request(model: Model, question: Question, answer: Confident) -> LargeRequest:
    """Return what a large model is asked where the small one is not sure.

    Args:
        model: the small one.
        question: that it was asked.
        answer: that it gave.
    """
    labels, spans = tuple(answer.shares), tuple[str, ...]()
    if model.kind in TAG_KINDS:
        spans = tuple(model.labels)
    elif model.kind == "classify" or question.second is not None:
        labels = tuple(model.labels)
    return LargeRequest(question, model.kind, labels, answer.answer, answer.confidence, spans)


def share_signals(shares: Sequence[float]) -> dict[str, float]:
    """Return the signals of probabilities that are likeliest first.

    Args:
        shares: at least one.

    Returns:
        log-odds of the largest, its lead over the second, both in nats, and less entropy.
    """
    second = shares[1] if len(shares) > 1 else _SMALLEST
    entropy = -sum(share * math.log(share) for share in shares if share > _SMALLEST)
    return {
        "log_odds": log_odds(shares[0]),
        "lead": math.log(max(shares[0], _SMALLEST)) - math.log(max(second, _SMALLEST)),
        "certainty": -entropy,
    }


def _alone(questions: Iterable[Question]) -> Iterator[str]:
    for question in questions:
        if question.second is not None:
            raise SettingError("cooperation.calibrate-no-pairs")
        yield question.text


def _predicted(model: Model, questions: Iterable[Question]) -> Iterator[Confident]:
    return (confident(model, found) for found in model.predict_stream(_alone(questions)))


def _one_label(found: Any) -> Confident:  # noqa: ANN401 - a Prediction
    label, probability = next(iter(found.probabilities.items()))
    signals = share_signals(list(found.probabilities.values()))
    return Confident(label, probability, signals, label, found.probabilities)


def _several_labels(found: Any) -> Confident:  # noqa: ANN401 - a Prediction
    given = set(found.labels)
    sure = [
        share if label in given else 1.0 - share for label, share in found.probabilities.items()
    ]
    confidence = math.exp(sum(math.log(max(one, _SMALLEST)) for one in sure))
    signals = {"log_odds": log_odds(confidence), "least": log_odds(min(sure))}
    return Confident(sorted(given), confidence, signals, "+".join(sorted(given)))


def _spans(found: Any, *, is_segmenter: bool) -> Confident:  # noqa: ANN401 - a tagged text
    sure = [max(span.probability, _SMALLEST) for span in found.spans]
    shares = {} if found.intent is None else found.intent.probabilities
    label = "" if found.intent is None else found.intent.label
    product = math.exp(sum(map(math.log, sure)))
    confidence = product * (found.intent.probability if found.intent else 1.0)
    signals = {
        "log_odds": log_odds(confidence),
        "least": log_odds(min(sure, default=1.0)),
        "product": log_odds(product),
    }
    if shares:
        signals["intent"] = log_odds(found.intent.probability)
    # A word is a word: how segmenters name their stretches says nothing.
    spans = [[s.start, s.end, "" if is_segmenter else s.label] for s in found.spans]
    answer = {"intent": label or None, "spans": spans}
    return Confident(answer, confidence, signals, label, shares)


def _paired(model: Model, question: Question) -> Confident:
    if question.second is None:
        return _found(model.search(question.text, 3))
    return confident(model, model.match(question.text, question.second))


def _judged(found: Any) -> Confident:  # noqa: ANN401 - a Match
    confidence = found.probability if found.is_same else 1.0 - found.probability
    signals = {"log_odds": log_odds(confidence), "same": log_odds(found.probability)}
    return Confident(found.label, confidence, signals, found.label)


def _found(found: Any) -> Confident:  # noqa: ANN401 - what search returns
    shares = [answer.probability for answer in found.answers] or [0.0]
    second = shares[1] if len(shares) > 1 else _SMALLEST
    lead = math.log(max(shares[0], _SMALLEST)) - math.log(max(second, _SMALLEST))
    answer = found.answers[0].answer if found.answers else ""
    signals = {"log_odds": log_odds(shares[0]), "lead": lead}
    return Confident(answer, shares[0], signals)


def _texts(model: Model, questions: Iterable[Question]) -> Iterator[Confident]:
    for prompt in _alone(questions):
        drawn = list(model.tokens(prompt, **GENERATION))
        logs = [one.log_probability for one in drawn if one.log_probability is not None]
        yield text_answer("".join(one.text for one in drawn), logs)


def text_answer(text: str, log_probabilities: Sequence[float]) -> Confident:
    """Return a generated text with its signals.

    Args:
        text: what was generated.
        log_probabilities: of its tokens, nats.
    """
    logs = list(log_probabilities) or [math.log(_SMALLEST)]
    mean = sum(logs) / len(logs)
    signals = {"mean_log": mean, "least_log": min(logs), "sum_log": sum(logs)}
    return Confident(text.strip(), math.exp(mean), signals)
