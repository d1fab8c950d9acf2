"""Labelled texts as texts and targets.

Shape letters: B texts, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled import LabelledText
from sparrowlm.foundation.array_types import Bool, Float32, Int64

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Truth:
    """By what texts are judged, where that is not what is learnt.

    Attributes:
        targets_BL: as in LabelledTexts.
        is_known_B: somebody said what is right; all others are learnt from, never measured on.
        groups_B: number of the data that each text is of, from 0 on; all of them are measured.
        is_learnt_B: the others are only measured on.
    """

    targets_BL: Float32[np.ndarray, "texts labels"]
    is_known_B: Bool[np.ndarray, " texts"]
    groups_B: Int64[np.ndarray, " texts"]
    is_learnt_B: Bool[np.ndarray, " texts"]


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and how likely each label is for each.

    Attributes:
        texts: the texts.
        targets_BL: 0 to 1; rows add up to one where a text has exactly one label.
        labels: names, in the order of the targets.
        is_multi_label: a text may have any number of labels.
        truth: by what they are judged; None where the targets are the truth.
    """

    texts: list[str]
    targets_BL: Float32[np.ndarray, "texts labels"]
    labels: tuple[str, ...]
    is_multi_label: bool
    truth: Truth | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def judged(self) -> LabelledTexts:
        """Return the texts with what is right in place of what is learnt."""
        if self.truth is None:
            return self
        return LabelledTexts(self.texts, self.truth.targets_BL, self.labels, self.is_multi_label)

    def truth_or_answers_BL(self) -> Float32[np.ndarray, "texts labels"]:
        """Return what is right where somebody said so, and what is learnt elsewhere."""
        known_B1 = self.is_known_B()[:, None]
        chosen_BL: Matrix = np.where(known_B1, self.judged().targets_BL, self.targets_BL)
        return chosen_BL

    def is_known_B(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Say of every text whether it may be measured on."""
        return np.ones(len(self), dtype=bool) if self.truth is None else self.truth.is_known_B

    def learnt(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the numbers of the texts that may be learnt from in the end."""
        found = np.arange(len(self))
        return found if self.truth is None else found[self.truth.is_learnt_B]

    def groups_B(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the number of the data that every text is of."""
        return np.zeros(len(self), dtype=np.int64) if self.truth is None else self.truth.groups_B

    def unlabelled(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the numbers of the texts that nobody gave a label, see with_unlabelled."""
        return np.flatnonzero(~self.is_taught_B())

    def is_taught_B(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Say of every text whether somebody gave it a label: a person or a teacher."""
        is_taught_B: np.ndarray[Any, np.dtype[np.bool_]] = np.logical_or(
            self.targets_BL.any(axis=1), self.is_known_B()
        )
        return is_taught_B

    def with_unlabelled(self, texts: Sequence[str]) -> LabelledTexts:
        """Return these texts and, behind them, others without a label; none of them twice.

        Args:
            texts: those that also stand here, and empty ones, are left out.
        """
        known = set(self.texts)
        others = [t for t in dict.fromkeys(texts) if t not in known and t.strip()]
        count, more = len(self), len(others)
        nothing_UL = np.zeros((more, len(self.labels)), dtype=np.float32)
        is_learnt_B = np.isin(np.arange(count), self.learnt())
        truth = Truth(
            np.concatenate([self.judged().targets_BL, nothing_UL]),
            np.concatenate([self.is_known_B(), np.zeros(more, dtype=bool)]),
            np.concatenate([self.groups_B(), np.zeros(more, dtype=np.int64)]),
            np.concatenate([is_learnt_B, np.zeros(more, dtype=bool)]),
        )
        targets_BL = np.concatenate([self.targets_BL, nothing_UL])
        return LabelledTexts(
            [*self.texts, *others], targets_BL, self.labels, self.is_multi_label, truth
        )

    def part(self, rows: np.ndarray[Any, np.dtype[np.int64]]) -> LabelledTexts:
        """Return some of the texts, by number, with what is learnt."""
        texts = [self.texts[row] for row in rows.tolist()]
        return LabelledTexts(texts, self.targets_BL[rows], self.labels, self.is_multi_label)

    def true_labels(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return the number of every text's likeliest label."""
        numbers_B: np.ndarray[Any, np.dtype[np.int64]] = self.targets_BL.argmax(axis=1)
        return numbers_B


def label_names(examples: Sequence[LabelledText]) -> tuple[str, ...]:
    """Return all labels that occur, sorted."""
    names = {label for example in examples for label in example.labels}
    names |= {label for example in examples for label, _share in example.probabilities}
    return tuple(sorted(names))


def as_targets(
    examples: Sequence[LabelledText], labels: tuple[str, ...], *, is_multi_label: bool
) -> LabelledTexts:
    """Turn examples into targets.

    Args:
        examples: unlabelled ones are left out; labels that are not among labels count as none.
        labels: the names.
        is_multi_label: a text may have any number of labels.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    kept = [example for example in examples if example.labels or example.probabilities]
    targets_BL = np.zeros((len(kept), len(labels)), dtype=np.float32)
    for row, example in enumerate(kept):
        shares = example.probabilities or tuple((label, 1.0) for label in example.labels)
        for label, share in shares:
            if label in numbers:
                targets_BL[row, numbers[label]] = share
    if not is_multi_label:
        targets_BL /= np.maximum(targets_BL.sum(axis=1, keepdims=True), 1e-9)
    return LabelledTexts([e.text for e in kept], targets_BL, labels, is_multi_label)
