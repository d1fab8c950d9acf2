"""Learning from stored questions alone: pairs made by noise, and how well a search does on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int64
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.tasks.match.examples import Pairs
from sparrowlm.tasks.match.floors import BM25, TF_IDF, floor_index
from sparrowlm.tasks.match.index import AnswerIndex
from sparrowlm.tasks.match.metric import SearchFigures, search_figures
from sparrowlm.tasks.match.noise import QuestionNoise
from sparrowlm.tasks.match.search_training import (
    IndexData,
    confidence_examples,
    learnt_confidence,
    num_asked,
    train_index,
)

LEARNT = "learnt"
_MOST_QUESTIONS, _NUM_STRANGERS = 3000, 2
_MOST_MEASURED = 1000
_MOST_PLACES = 50
# One right answer in twenty may be withheld, no more.
_WITHHELD_SHARE = 0.05

Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class ChosenIndex:
    """The best search and what it was chosen from.

    Attributes:
        index: with confidence.
        threshold: least probability of an answer that is given.
        figures: of every search, on changed questions that none was trained on.
        kind: "learnt", "bm25" or "tf-idf".
    """

    index: AnswerIndex
    threshold: float
    figures: dict[str, SearchFigures]
    kind: str


def chosen_index(data: IndexData) -> ChosenIndex:
    """Train the search, measure the floors beside it, and keep the best.

    Args:
        data: at least one entry.
    """
    indexes = {LEARNT: train_index(data)}
    for kind in (BM25, TF_IDF):
        indexes[kind] = floor_index(kind, data.questions, data.answers, data.features[0])
    seed = data.seed + 2
    numbers = random_generator(seed, "entries to measure").integers(
        len(data.questions), size=num_asked(len(data.questions), _MOST_MEASURED)
    )
    noise = QuestionNoise(data.questions, data.answers, data.segmenter, seed)
    asked = [noise.variant(number) for number in numbers.tolist()]
    figures = {kind: search_figures(places(one, asked, numbers)) for kind, one in indexes.items()}
    kind = max(indexes, key=lambda name: figures[name].reciprocal_rank)
    index = indexes[kind]
    if index.confidence is None:
        index.confidence = learnt_confidence(index, data)
    return ChosenIndex(index, answer_threshold(index, data), figures, kind)


def places(
    index: AnswerIndex, asked: Sequence[str], numbers: Int64[np.ndarray, " questions"]
) -> Int64[np.ndarray, " questions"]:
    """Return where the right entry, or one with the same question, was found; -1 for nowhere.

    Args:
        index: searched.
        asked: questions.
        numbers: of the right entries.
    """
    twins_N = index.postings.twins_N
    found = np.full(len(asked), -1, dtype=np.int64)
    for row, question in enumerate(asked):
        entries = [hit.entry for hit in index.search(question, _MOST_PLACES)]
        is_right = np.flatnonzero(twins_N[entries] == twins_N[numbers[row]])
        if len(is_right):
            found[row] = is_right[0]
    return found


def answer_threshold(index: AnswerIndex, data: IndexData) -> float:
    """Return the least probability of an answer that lets nearly all right ones through.

    Args:
        index: with confidence.
        data: what it was made of.
    """
    assert index.confidence is not None  # noqa: S101 - learnt before
    evidence_B5, is_right_B = confidence_examples(index, data, data.seed + 3)
    right = [index.confidence.probability(row) for row in evidence_B5[is_right_B > 0.5]]
    return float(np.quantile(right, _WITHHELD_SHARE)) if right else 0.5


def noise_pairs(index: AnswerIndex, data: IndexData) -> Pairs:
    """Make pairs that mean the same and pairs that only look so, for want of labelled ones.

    Args:
        index: finds the strangers that are nearest.
        data: stored questions.
    """
    seed = data.seed + 4
    noise = QuestionNoise(data.questions, data.answers, data.segmenter, seed)
    order = random_generator(seed, "questions for pairs").permutation(len(data.questions))
    firsts, seconds, targets = [], [], []
    twins_N = index.postings.twins_N
    for number in order[:_MOST_QUESTIONS].tolist():
        question = noise.variant(number)
        hits = index.search(question, _NUM_STRANGERS + 4)
        strangers = [hit.entry for hit in hits if twins_N[hit.entry] != twins_N[number]]
        entries = [number, *strangers[:_NUM_STRANGERS]]
        firsts += [question] * len(entries)
        seconds += [data.questions[entry] for entry in entries]
        targets += [1.0] + [0.0] * (len(entries) - 1)
    return Pairs(firsts, seconds, np.array(targets, dtype=np.float32))
