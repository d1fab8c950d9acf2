"""Figures of a classifier on labelled texts, the floor's beside them.

Shape letters: B texts, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float
from sparrowlm.tasks.calibration import calibration_error, error_by_chance
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.metric import (
    LabelScore,
    confusion,
    label_scores,
    macro_f1,
    macro_f1_interval,
    micro_f1,
    reliability,
    share_interval,
)
from sparrowlm.tasks.classify.rejecting import reject_label

_MOST_ERRORS = 50
_SAMPLE_TEXTS = 1000
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class WorstError:
    """A text whose label the model was surest to be wrong about.

    Attributes:
        text: its beginning.
        true: its labels.
        predicted: what the model said.
        probability: how sure it was.
    """

    text: str
    true: tuple[str, ...]
    predicted: tuple[str, ...]
    probability: float


@dataclass(frozen=True)
class ClassifierFigures:
    """Everything measured on some texts.

    Attributes:
        num_texts: texts with labels.
        num_unknown: of them, texts with a label that the model does not know; always wrong.
        accuracy: share of texts whose labels are exactly right.
        accuracy_interval: its 95 % interval.
        macro_f1: mean F1 of the labels.
        macro_f1_interval: its 95 % interval; the value twice where texts have several labels.
        micro_f1: F1 of all decisions together.
        calibration_error: mean distance between confidence and accuracy.
        calibration_error_by_chance: what exactly right confidences would show on as many texts.
        per_label: every label's figures.
        confusion: texts by (true, predicted) label; empty where texts have several labels.
        reliability: (mean confidence, accuracy, texts) of bins of confidence.
        errors: the worst errors.
        in_scope_accuracy: accuracy on texts that belong somewhere; None where no label means
            "none of these".
        out_of_scope_recall: share of the others that were refused.
    """

    num_texts: int
    num_unknown: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    macro_f1_interval: tuple[float, float]
    micro_f1: float
    calibration_error: float
    calibration_error_by_chance: float
    per_label: list[LabelScore]
    confusion: list[list[int]]
    reliability: list[tuple[float, float, int]]
    errors: list[WorstError]
    in_scope_accuracy: float | None = None
    out_of_scope_recall: float | None = None

    def summary(self) -> dict[str, Any]:
        """Return the figures that fit on a line, as JSON values."""
        scope = {
            "in_scope_accuracy": self.in_scope_accuracy,
            "out_of_scope_recall": self.out_of_scope_recall,
        }
        return {
            "num_texts": self.num_texts,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "micro_f1": self.micro_f1,
            "calibration_error": self.calibration_error,
            "calibration_error_by_chance": self.calibration_error_by_chance,
            **{name: value for name, value in scope.items() if value is not None},
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            **self.summary(),
            "num_unknown": self.num_unknown,
            "per_label": [asdict(score) for score in self.per_label],
            "confusion": self.confusion,
            "reliability": [list(row) for row in self.reliability],
            "errors": [asdict(error) for error in self.errors],
        }


def measured(
    probabilities_BL: Float[np.ndarray, "texts labels"],
    data: LabelledTexts,
    threshold: float = 0.5,
) -> ClassifierFigures:
    """Compare probabilities with the truth.

    Args:
        probabilities_BL: of every label.
        data: the texts; rows without any known label count as wrong.
        threshold: least probability of a label that is given, where a text may have several.
    """
    if data.is_multi_label:
        return _several(probabilities_BL, data, threshold)
    num_labels = len(data.labels)
    known_B = data.targets_BL.max(axis=1, initial=0.0) > 0
    true_B, predicted_B = data.true_labels(), probabilities_BL.argmax(axis=1)
    right_B = known_B & (true_B == predicted_B)
    confidence_B = probabilities_BL.max(axis=1, initial=0.0)
    one_hot = np.arange(num_labels)
    true_BL = (true_B[:, None] == one_hot) & known_B[:, None]
    predicted_BL = predicted_B[:, None] == one_hot
    scores = label_scores(true_BL, predicted_BL, data.labels)
    counted = known_B.nonzero()[0]
    rejected = reject_label(data.labels)
    is_outside_B = known_B & (true_B == rejected)
    return ClassifierFigures(
        num_texts=len(data),
        num_unknown=int((~known_B).sum()),
        accuracy=float(right_B.mean()) if len(data) else 0.0,
        accuracy_interval=share_interval(int(right_B.sum()), len(data)),
        macro_f1=macro_f1(scores),
        macro_f1_interval=macro_f1_interval(true_B[counted], predicted_B[counted], num_labels),
        micro_f1=micro_f1(true_BL, predicted_BL),
        calibration_error=calibration_error(confidence_B, right_B),
        calibration_error_by_chance=error_by_chance(confidence_B),
        per_label=scores,
        confusion=confusion(true_B[counted], predicted_B[counted], num_labels).tolist(),
        reliability=reliability(confidence_B, right_B),
        errors=_worst(data, true_BL, predicted_BL, right_B, confidence_B),
        in_scope_accuracy=None if rejected is None else _share(right_B[~is_outside_B]),
        out_of_scope_recall=None if rejected is None else _share(right_B[is_outside_B]),
    )


def _share(right_B: Any) -> float:  # noqa: ANN401
    return float(right_B.mean()) if len(right_B) else 0.0


def _several(probabilities_BL: Any, data: LabelledTexts, threshold: float) -> ClassifierFigures:  # noqa: ANN401
    true_BL = data.targets_BL > 0.5
    predicted_BL = probabilities_BL >= threshold
    right_B = (true_BL == predicted_BL).all(axis=1)
    decisions_BL = true_BL == predicted_BL
    confidence_BL = np.maximum(probabilities_BL, 1 - probabilities_BL)
    scores = label_scores(true_BL, predicted_BL, data.labels)
    macro = macro_f1(scores)
    return ClassifierFigures(
        num_texts=len(data),
        num_unknown=0,
        accuracy=float(right_B.mean()) if len(data) else 0.0,
        accuracy_interval=share_interval(int(right_B.sum()), len(data)),
        macro_f1=macro,
        macro_f1_interval=(macro, macro),
        micro_f1=micro_f1(true_BL, predicted_BL),
        calibration_error=calibration_error(confidence_BL.ravel(), decisions_BL.ravel()),
        calibration_error_by_chance=error_by_chance(confidence_BL.ravel()),
        per_label=scores,
        confusion=[],
        reliability=reliability(confidence_BL.ravel(), decisions_BL.ravel()),
        errors=_worst(data, true_BL, predicted_BL, right_B, confidence_BL.min(axis=1)),
    )


def _worst(
    data: LabelledTexts, true_BL: Any, predicted_BL: Any, right_B: Any, confidence_B: Any  # noqa: ANN401
) -> list[WorstError]:  # fmt: skip
    wrong = np.flatnonzero(~right_B)
    wrong = wrong[np.argsort(-confidence_B[wrong], kind="stable")][:_MOST_ERRORS]
    return [
        WorstError(
            text=data.texts[row][:_SHOWN_CHARACTERS],
            true=_names(data.labels, true_BL[row]),
            predicted=_names(data.labels, predicted_BL[row]),
            probability=float(confidence_B[row]),
        )
        for row in wrong.tolist()
    ]


def _names(labels: Sequence[str], chosen_L: Any) -> tuple[str, ...]:  # noqa: ANN401
    return tuple(labels[index] for index in np.flatnonzero(chosen_L).tolist())


def shown_bytes(texts: Sequence[str]) -> int:
    """Return what the texts of the worst errors will take in the report and in the facts, about.

    Args:
        texts: any of the kind.
    """
    some = texts[:: max(len(texts) // _SAMPLE_TEXTS, 1)]
    shown = sum(len(text[:_SHOWN_CHARACTERS].encode("utf-8", "replace")) for text in some)
    return 2 * _MOST_ERRORS * shown // max(len(some), 1)
