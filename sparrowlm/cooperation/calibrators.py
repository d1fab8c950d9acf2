"""Calibrated confidence: a ranker for the order, a scale for the probability, both chosen by folds.

Source: Guo et al. 2017, arXiv:1706.04599; Stone 1974, "Cross-validatory choice".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparrowlm.cooperation import rankers, scales
from sparrowlm.cooperation.asking import Answer
from sparrowlm.cooperation.confidence import Confident
from sparrowlm.cooperation.rankers import Evidence, Judged, Ranker, evidence_of
from sparrowlm.cooperation.scales import Scale
from sparrowlm.foundation.randomness import random_generator

_FOLDS = 5
# What is less simple must lower the loss by these shares: less is chance. A ranker is learnt from
# few rows, and one that is a little better there answered less than the plain one on seven sets.
_RANKER_GAIN = 0.05
_SCALE_GAIN = 0.01
_FEWEST_TO_LEARN = 50
# Vector scaling learns two numbers for every label.
_ROWS_A_LABEL = 20
_SMALLEST = 1e-9

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Calibrator:
    """Turns the signals of answers into scores and probabilities.

    Attributes:
        ranker: puts answers in order.
        scale: turns scores into probabilities.
        labels: of the shares that the ranker reads; () where it reads none.
        ranker_way: how the ranker was learnt: "raw", "temperature", "logistic", "vector".
        scale_way: how the scale was: "as it is", "platt", "isotonic".
    """

    ranker: Ranker
    scale: Scale
    labels: tuple[str, ...] = ()
    ranker_way: str = "raw"
    scale_way: str = "as it is"

    def evidence(self, answers: Sequence[Confident]) -> Evidence:
        """Return answers as the arrays that the ranker reads."""
        return evidence_of(answers, self.labels)

    def score(self, answer: Confident) -> float:
        """Return the number that is compared with thresholds."""
        return float(self.ranker.scores(self.evidence([answer]))[0])

    def calibrated(self, answer: Confident) -> tuple[Confident, float]:
        """Return an answer with its calibrated confidence, and its score."""
        score = self.score(answer)
        probability = float(self.scale.probabilities(np.array([score]))[0])
        return replace(answer, confidence=probability), score

    def as_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "ranker": rankers.ranker_as_json(self.ranker),
            "scale": scales.scale_as_json(self.scale),
            "labels": list(self.labels),
            "ranker_way": self.ranker_way,
            "scale_way": self.scale_way,
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Calibrator:
        """Rebuild from as_json.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        return Calibrator(
            ranker=rankers.ranker_from_json(values["ranker"]),
            scale=scales.scale_from_json(values["scale"]),
            labels=tuple(str(label) for label in values["labels"]),
            ranker_way=str(values["ranker_way"]),
            scale_way=str(values["scale_way"]),
        )


def judged_answers(
    answers: Sequence[Confident], truths: Sequence[Sequence[Answer]], labels: tuple[str, ...]
) -> Judged:
    """Return answers beside the truth, as arrays.

    Args:
        answers: of one model.
        truths: for each answer, what would have been right: one thing or several.
        labels: that the model knows, where its answers have shares of them; else ().
    """
    evidence = evidence_of(answers, labels)
    places = {label: number for number, label in enumerate(labels)}
    pairs = list(zip(answers, truths, strict=True))
    is_right_B = np.array([one.answer in true for one, true in pairs], dtype=bool)
    true_B = [_known(true, places) for _one, true in pairs]
    return Judged(evidence, is_right_B, np.array(true_B, dtype=np.int64))


def chosen_ranker(judged: Judged, seed: int = 0) -> tuple[str, Ranker]:
    """Learn the ranker that says most about being right on rows it did not see.

    Args:
        judged: rows of the scale part.
        seed: of the folds.

    Returns:
        The way and the ranker; "raw" where there are too few rows to learn from.
    """
    folds_B = _folds(judged.is_right_B, seed)
    if folds_B is None:
        return "raw", rankers.fitted_raw(judged)
    losses: dict[str, float] = {}
    for way, fitted in rankers.FITTED.items():
        if not _can_learn(way, judged):
            continue
        scores_B = np.zeros(len(judged.is_right_B))
        given_B = np.zeros(len(judged.is_right_B))
        for fold in range(_FOLDS):
            own, rest = folds_B == fold, folds_B != fold
            ranker = fitted(judged.part(rest))
            # What counts is the order: every ranker is given its best curve.
            curve = scales.fitted_platt(
                ranker.scores(judged.evidence.part(rest)), judged.is_right_B[rest]
            )
            scores_B[own] = ranker.scores(judged.evidence.part(own))
            given_B[own] = curve.probabilities(scores_B[own])
        losses[way] = log_loss(given_B, judged.is_right_B)
    way = _simplest(losses, _RANKER_GAIN)
    return way, rankers.FITTED[way](judged)


def chosen_scale(scores_B: Numbers, is_right_B: Flags, seed: int = 0) -> tuple[str, Scale]:
    """Learn the scale whose probabilities have the least loss on rows it did not see.

    Args:
        scores_B: of all rows.
        is_right_B: whether each answer is right.
        seed: of the folds.

    Returns:
        The way and the scale; "as it is" where there are too few rows to learn from.
    """
    folds_B = _folds(is_right_B, seed)
    if folds_B is None:
        return "as it is", scales.fitted_nothing(scores_B, is_right_B)
    losses: dict[str, float] = {}
    for way, fitted in scales.FITTED.items():
        given_B = np.zeros(len(is_right_B))
        for fold in range(_FOLDS):
            own, rest = folds_B == fold, folds_B != fold
            given_B[own] = fitted(scores_B[rest], is_right_B[rest]).probabilities(scores_B[own])
        losses[way] = log_loss(given_B, is_right_B)
    way = _simplest(losses, _SCALE_GAIN)
    return way, scales.FITTED[way](scores_B, is_right_B)


def log_loss(probabilities_B: Numbers, is_right_B: Flags) -> float:
    """Return the mean negative logarithm of the probability of what happened, nats."""
    kept_B = np.clip(probabilities_B, _SMALLEST, 1.0 - _SMALLEST)
    return float(-np.log(np.where(is_right_B, kept_B, 1.0 - kept_B)).mean())


def _known(true: Sequence[Answer], places: Mapping[str, int]) -> int:
    first = true[0] if true else None
    if isinstance(first, dict):
        first = first.get("intent")
    return places.get(first, -1) if isinstance(first, str) else -1


def _can_learn(way: str, judged: Judged) -> bool:
    """Say whether the rows hold what a way learns from, and enough of it."""
    num_rows, num_labels = judged.evidence.logs_BL.shape
    if way == "vector" and num_rows < _ROWS_A_LABEL * num_labels:
        return False
    needs_shares = way in ("temperature", "vector")
    return not needs_shares or (num_labels > 1 and bool((judged.true_B >= 0).any()))


def _simplest(losses: Mapping[str, float], gain: float) -> str:
    """Return the best way; a later one must be clearly better than those before."""
    best = next(iter(losses))
    for way, loss in losses.items():
        if loss < losses[best] * (1.0 - gain):
            best = way
    return best


def _folds(is_right_B: Flags, seed: int) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """Divide rows; None where there are too few of them, or of errors among them."""
    count, num_wrong = len(is_right_B), int((~is_right_B).sum())
    if count < _FEWEST_TO_LEARN or min(num_wrong, count - num_wrong) < _FOLDS:
        return None
    folds_B = np.zeros(count, dtype=np.int64)
    random = random_generator(seed, "calibration folds")
    for kind in (False, True):
        # Right and wrong answers apart, so that every fold has both.
        members = np.flatnonzero(is_right_B == kind)
        folds_B[random.permutation(members)] = np.arange(len(members)) % _FOLDS
    return folds_B
