"""From labelled rows to a policy: confidence is learnt, a threshold is proven.

A random sixth of the rows is the scale part: it decides how answers are put in order and between
which thresholds is chosen. The others prove the promise, and the scale of probabilities, which
keeps the order, is learnt from all. So nothing that a row proves was chosen by looking at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import Answer
from sparrowlm.cooperation.binomial import fewest_answers
from sparrowlm.cooperation.calibrators import (
    Calibrator,
    chosen_ranker,
    chosen_scale,
    judged_answers,
    log_loss,
)
from sparrowlm.cooperation.confidence import Confident, confident_answers
from sparrowlm.cooperation.judged_rows import JudgedRow
from sparrowlm.cooperation.label_promises import LabelPromises, label_promises
from sparrowlm.cooperation.policy import Manners, Policy
from sparrowlm.cooperation.promise import (
    Kind,
    Promise,
    PromiseSettings,
    Refusal,
    Scored,
    promised,
)
from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.tasks.calibration import calibration_error, error_by_chance

_SCALE_SHARE = 6
_MOST_SCALE_ROWS = 1000
_FEWEST_SCALE_ROWS = 20

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class CalibrationSettings:
    """What is calibrated for.

    Attributes:
        promise: largest error, and with which confidence.
        kind: of the promise; "everything" needs a large model's answers.
        per_label: whether every label has a threshold of its own.
        manners: what is done about answers that are not sure enough.
        seed: which rows are the scale part.
    """

    promise: PromiseSettings = field(default_factory=PromiseSettings)
    kind: Kind = "answered"
    per_label: bool = False
    manners: Manners = field(default_factory=Manners)
    seed: int = 0


@dataclass(frozen=True)
class Thresholds:
    """Promises of labels as a policy holds them.

    Attributes:
        by_label: see Policy.
        others: see Policy.
        refused: labels that are never answered.
        has_refused_others: whether labels with few rows are never answered.
    """

    by_label: dict[str, Promise | None]
    others: Promise | None
    refused: tuple[str, ...]
    has_refused_others: bool = False


@dataclass(frozen=True)
class Calibration:
    """A policy, and what it came from.

    Attributes:
        policy: ready to be saved.
        scores_B: of all rows, in their order.
        is_right_B: whether the small model's answers are.
        large_is_right_B: the same of the large model; None where it was not asked.
        labels: that each row was answered with.
        thresholds: promises of labels.
    """

    policy: Policy
    scores_B: Numbers
    is_right_B: Flags
    large_is_right_B: Flags | None
    labels: tuple[str, ...]
    thresholds: Thresholds

    def scored(self) -> Scored:
        """Return all rows as the promise counts them."""
        large = self.large_is_right_B
        return Scored(self.scores_B, ~self.is_right_B, None if large is None else ~large)


def calibrated(
    model: Model,
    rows: Sequence[JudgedRow],
    settings: CalibrationSettings | None = None,
    large_answers: Sequence[Answer] | None = None,
) -> Calibration:
    """Calibrate a model and prove a promise.

    Args:
        model: the small one.
        rows: questions with right answers, that the model was not trained on, drawn like those it
            will meet.
        settings: None for the defaults.
        large_answers: of the large model, one a row; None where there is none, an answer of None
            where it failed.

    Returns:
        The policy with its figures.

    Raises:
        DataError: too few rows, or too many errors, to promise anything; says how many it takes.
        SettingError: a promise about everything without a large model, or by label.
    """
    settings = settings or CalibrationSettings()
    answers = list(confident_answers(model, [row.question for row in rows]))
    large_is_right_B = None
    if large_answers is not None:
        pairs = zip(large_answers, rows, strict=True)
        large_is_right_B = np.array([given in row.truths for given, row in pairs], dtype=bool)
    fitted = fitted_promise(
        answers, [row.truths for row in rows], _labels_of(model, answers), settings,
        large_is_right_B,
    )  # fmt: skip
    policy = Policy(
        model_checksum=model.checksum(), kind=model.kind, settings=settings.promise,
        calibrator=fitted.calibrator, promise=fitted.promise,
        by_label=fitted.thresholds.by_label, others=fitted.thresholds.others,
        manners=settings.manners, figures=fitted.figures,
    )  # fmt: skip
    labels = tuple(answer.label for answer in answers)
    return Calibration(
        policy, fitted.scores_B, fitted.is_right_B, large_is_right_B, labels, fitted.thresholds,
    )  # fmt: skip


@dataclass(frozen=True)
class FittedPromise:
    """What rows came to, whatever model they are of.

    Attributes:
        calibrator: from signals to confidence.
        promise: for all answers together.
        thresholds: of labels.
        figures: what was measured.
        scores_B: of all rows.
        is_right_B: whether the small model's answers are.
    """

    calibrator: Calibrator
    promise: Promise
    thresholds: Thresholds
    figures: dict[str, Any]
    scores_B: Numbers
    is_right_B: Flags


def fitted_promise(
    answers: Sequence[Confident],
    truths: Sequence[Sequence[Answer]],
    labels: tuple[str, ...],
    settings: CalibrationSettings,
    large_is_right_B: Flags | None = None,
) -> FittedPromise:
    """Learn a calibrator and prove a promise; arguments and errors as in calibrated."""
    if settings.kind == "everything" and large_is_right_B is None:
        raise SettingError("cooperation.promise-no-large")
    if settings.kind == "everything" and settings.per_label:
        raise SettingError("cooperation.promise-whole-labels")
    _check_number(len(answers), settings.promise)
    judged = judged_answers(answers, truths, labels)
    scale_rows, proof_rows = divided(len(answers), settings.seed)
    ranker_way, ranker = chosen_ranker(judged.part(scale_rows), settings.seed)
    scores_B = ranker.scores(judged.evidence)
    scale_way, scale = chosen_scale(scores_B, judged.is_right_B, settings.seed)
    calibrator = Calibrator(
        ranker, scale, labels if ranker.needs_shares else (), ranker_way, scale_way
    )
    scored = Scored(
        scores_B, ~judged.is_right_B, None if large_is_right_B is None else ~large_is_right_B
    )
    found = promised(
        scored.part(proof_rows), scored.part(scale_rows), settings.promise, settings.kind
    )
    if isinstance(found, Refusal):
        raise _refused(found, settings.promise)
    order = np.concatenate([scale_rows, proof_rows])
    thresholds = Thresholds({}, None, ())
    if settings.per_label:
        names = [answers[int(row)].label for row in order]
        promises = label_promises(scored.part(order), names, len(scale_rows), settings.promise)
        thresholds = _thresholds(promises)
    given_B = scale.probabilities(scores_B)
    figures = _figures(judged.evidence.confidence_B, given_B, judged.is_right_B, large_is_right_B)
    return FittedPromise(calibrator, found, thresholds, figures, scores_B, judged.is_right_B)


def divided(
    num_rows: int, seed: int = 0
) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Draw the rows of the scale part and those that prove.

    Args:
        num_rows: of both.
        seed: of the drawing.
    """
    wanted = min(max(_FEWEST_SCALE_ROWS, num_rows // _SCALE_SHARE), _MOST_SCALE_ROWS)
    num_scale = min(wanted, num_rows // 2)
    order = random_generator(seed, "scale part").permutation(num_rows)
    return order[:num_scale], order[num_scale:]


def rows_for_proof(num_proof_rows: int) -> int:
    """Return how many rows are needed in all for so many that prove."""
    most = num_proof_rows + _MOST_SCALE_ROWS
    shared = max(
        num_proof_rows + _FEWEST_SCALE_ROWS,
        -(-num_proof_rows * _SCALE_SHARE // (_SCALE_SHARE - 1)),
    )
    return min(most, shared)


def _check_number(num_rows: int, settings: PromiseSettings) -> None:
    fewest = rows_for_proof(fewest_answers(settings.max_error, settings.confidence) or 1)
    if num_rows < fewest:
        raise DataError(
            "cooperation.promise-too-few", received=num_rows, needed=f"{fewest:,}",
            error=percent(settings.max_error), confidence=percent(settings.confidence),
        )  # fmt: skip


def _refused(refusal: Refusal, settings: PromiseSettings) -> DataError:
    fields = {
        "received": f"{refusal.num_rows:,}",
        "error": percent(settings.max_error),
        "confidence": percent(settings.confidence),
        "found": percent(refusal.error),
    }
    if refusal.rows_needed is None:
        return DataError("cooperation.promise-too-wrong", **fields)
    needed = rows_for_proof(refusal.rows_needed)
    return DataError("cooperation.promise-more-rows", needed=f"{needed:,}", **fields)


def percent(share: float) -> str:
    """Write a share as per cent with at most two decimals: 0.05 is "5 %"."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


def _thresholds(found: LabelPromises) -> Thresholds:
    kept = {
        label: one if isinstance(one, Promise) else None for label, one in found.by_label.items()
    }
    refused = tuple(label for label, one in kept.items() if one is None)
    others = found.others if isinstance(found.others, Promise) else None
    return Thresholds(kept, others, refused, isinstance(found.others, Refusal))


def _labels_of(model: Model, answers: Sequence[Confident]) -> tuple[str, ...]:
    """Return the labels whose shares the answers have, in a fixed order."""
    if not answers or not answers[0].shares:
        return ()
    return tuple(model.labels) if model.kind == "classify" else tuple(sorted(answers[0].shares))


def _figures(
    raw_B: Numbers, given_B: Numbers, is_right_B: Flags, large_is_right_B: Flags | None
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "num_rows": len(is_right_B),
        "accuracy": float(is_right_B.mean()),
        "calibration_error_before": calibration_error(raw_B, is_right_B),
        "calibration_error": calibration_error(given_B, is_right_B),
        "calibration_error_by_chance": error_by_chance(given_B),
        "log_loss_before": log_loss(raw_B, is_right_B),
        "log_loss": log_loss(given_B, is_right_B),
    }
    if large_is_right_B is not None:
        figures["large_accuracy"] = float(large_is_right_B.mean())
    return figures
