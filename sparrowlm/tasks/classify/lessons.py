"""What a classifier learns where that is not just the truth: a teacher's answers, old data.

    text with a label       the truth and the teacher's answer, mixed
    text without one        the teacher's answer
    text of a new label     the truth alone: the teacher cannot know better
    text to be measured on  judged by the truth, whatever was learnt

A teacher's probabilities are calibrated, so they are learnt as they are: a temperature of 2 or of
one half makes a worse student (docs/decisions/032-transfer.md).

Shape letters: B texts, L labels, K labels of the teacher.

Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network",
arXiv:1503.02531; of answers kept instead of data: Li and Hoiem 2016, "Learning without
forgetting", arXiv:1606.09282, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.tasks.classify.examples import LabelledTexts, Truth

# Share of the truth in what is learnt of a text that has both; the rest is the teacher's answer.
TRUTH_SHARE = 0.5

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Lesson:
    """Texts that are learnt alike.

    Attributes:
        texts: the texts.
        truth_BL: probability of every label; None where nobody knows.
        answers_BL: of a teacher for the same labels, 0 for those it does not know; None without.
        group: number of the data that they are measured with.
        is_held_out: measured on, never learnt from.
    """

    texts: list[str]
    truth_BL: Float32[np.ndarray, "texts labels"] | None
    answers_BL: Float32[np.ndarray, "texts labels"] | None = None
    group: int = 0
    is_held_out: bool = False

    def targets_BL(self, truth_share: float = TRUTH_SHARE) -> Matrix:
        """Return what is learnt.

        Args:
            truth_share: of the truth beside the teacher's answer, 0 to 1.
        """
        if self.truth_BL is None:
            return _given(self.answers_BL)
        if self.answers_BL is None or self.is_held_out:
            return self.truth_BL
        known_L = self.answers_BL.any(axis=0)
        is_new_B1 = self.truth_BL[:, ~known_L].sum(axis=1, keepdims=True) > 0
        mixed_BL = truth_share * self.truth_BL + (1 - truth_share) * self.answers_BL
        targets_BL: Matrix = np.where(is_new_B1, self.truth_BL, mixed_BL).astype(np.float32)
        return targets_BL


def _given(answers_BL: Matrix | None) -> Matrix:
    assert answers_BL is not None, "neither truth nor answers"  # noqa: S101 - our own mistake
    return answers_BL


def in_columns(
    answers_BK: Float32[np.ndarray, "texts known"], known: Sequence[str], labels: Sequence[str]
) -> Float32[np.ndarray, "texts labels"]:
    """Put a teacher's answers into the columns of all labels.

    Args:
        answers_BK: of the labels that it knows.
        known: their names, all among labels.
        labels: all names.
    """
    answers_BL: Matrix = np.zeros((len(answers_BK), len(labels)), dtype=np.float32)
    answers_BL[:, [labels.index(name) for name in known]] = answers_BK
    return answers_BL


def joined(
    lessons: Sequence[Lesson], labels: tuple[str, ...], *, is_multi_label: bool
) -> tuple[LabelledTexts, Int64[np.ndarray, " held_out"] | None]:
    """Put lessons together.

    A text without truth that also stands among those with one is left out, so that nothing is
    measured on a text that was learnt.

    Args:
        lessons: at least one.
        labels: of their columns.
        is_multi_label: a text may have any number of labels.

    Returns:
        All texts, and the numbers of those to measure on; None where they are still to be drawn.
    """
    known = {_key(text) for one in lessons if one.truth_BL is not None for text in one.texts}
    lessons = [one if one.truth_BL is not None else _without(one, known) for one in lessons]
    sizes = [len(one.texts) for one in lessons]

    def spread(values: Sequence[int]) -> Any:  # noqa: ANN401 - an array
        return np.repeat(np.array(values), sizes)

    targets = np.concatenate([one.targets_BL() for one in lessons])
    truth = [
        np.zeros_like(_given(one.answers_BL)) if one.truth_BL is None else one.truth_BL
        for one in lessons
    ]
    data = LabelledTexts(
        [text for one in lessons for text in one.texts], targets, labels, is_multi_label,
        Truth(
            np.concatenate(truth),
            spread([one.truth_BL is not None for one in lessons]).astype(bool),
            spread([one.group for one in lessons]).astype(np.int64),
            ~spread([one.is_held_out for one in lessons]).astype(bool),
        ),
    )  # fmt: skip
    held_out = np.flatnonzero(spread([one.is_held_out for one in lessons]))
    return data, held_out if len(held_out) else None


def _key(text: str) -> str:
    return "".join(text.split())


def _without(lesson: Lesson, known: set[str]) -> Lesson:
    rows = [row for row, text in enumerate(lesson.texts) if _key(text) not in known]
    texts = [lesson.texts[row] for row in rows]
    return Lesson(texts, None, _given(lesson.answers_BL)[rows], lesson.group)
