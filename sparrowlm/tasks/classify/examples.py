"""Labelled texts as texts and targets.

Shape letters: B texts, L labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled import LabelledText
from sparrowlm.foundation.array_types import Float32

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and how likely each label is for each.

    Attributes:
        texts: the texts.
        targets_BL: 0 to 1; rows add up to one where a text has exactly one label.
        labels: names, in the order of the targets.
        is_multi_label: a text may have any number of labels.
    """

    texts: list[str]
    targets_BL: Float32[np.ndarray, "texts labels"]
    labels: tuple[str, ...]
    is_multi_label: bool

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, rows: np.ndarray[Any, np.dtype[np.int64]]) -> LabelledTexts:
        """Return some of the texts, by number."""
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
