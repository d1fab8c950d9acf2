"""A threshold for every label, so that no label hides its errors behind the others.

    R_l(t)     P(wrong | the answer is label l, score >= t)
    promise    P(R_l(t_l) <= max_error for all groups l together) >= confidence

Rows that were answered with the same label are drawn independently from the texts that are answered
so, whatever the other rows are. So every label is a promise of its own on its own rows; how many
rows each has depends on answers alone, not on their being right, and may decide which labels get
one. The level 1 - confidence is divided by the number of groups (Bonferroni). Labels with too few
rows for a proof are one group together, and have the threshold of that group.

Source: Bonferroni; see promise.py for each group's proof.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.cooperation.binomial import fewest_answers
from sparrowlm.cooperation.promise import Promise, PromiseSettings, Refusal, Scored, promised

# A label with fewer rows than this many proofs take would hardly ever be answered.
_PROOFS = 2
_FEWEST_FOR_GRID = 20

Flags = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class LabelPromises:
    """Thresholds of labels.

    Attributes:
        by_label: of every label with enough rows; a refusal means that it is never answered.
        others: of all other labels together; None where every label has its own.
        confidence: of each of these promises, so that all hold together with the stated one.
    """

    by_label: dict[str, Promise | Refusal]
    others: Promise | Refusal | None
    confidence: float

    @property
    def num_groups(self) -> int:
        """Among how many the level is divided."""
        return len(self.by_label) + (self.others is not None)


def label_promises(
    rows: Scored, labels: Sequence[str], num_scale: int, settings: PromiseSettings
) -> LabelPromises:
    """Find a threshold for every label.

    Args:
        rows: the scale part first, then those that prove.
        labels: that every row was answered with.
        num_scale: how many rows the scale part has.
        settings: what is promised of every label.

    Returns:
        No promises at all where no label has enough rows.
    """
    names_B = np.array(labels, dtype=object)
    proof_counts = Counter(labels[num_scale:])
    chosen = _with_enough_rows(proof_counts, settings)
    if not chosen:
        return LabelPromises({}, None, settings.confidence)
    has_others = len(chosen) < len(set(labels))
    num_groups = len(chosen) + has_others
    confidence = 1.0 - (1.0 - settings.confidence) / max(num_groups, 1)
    own = PromiseSettings(settings.max_error, confidence)
    is_scale_B = np.arange(len(rows)) < num_scale

    def group(is_member_B: Flags) -> Promise | Refusal:
        is_own_scale_B = is_scale_B & is_member_B
        if is_own_scale_B.sum() < _FEWEST_FOR_GRID:
            is_own_scale_B = is_scale_B
        return promised(rows.part(is_member_B & ~is_scale_B), rows.part(is_own_scale_B), own)

    by_label = {label: group(names_B == label) for label in chosen}
    others = group(~np.isin(names_B.astype(str), chosen)) if has_others else None
    return LabelPromises(by_label, others, confidence)


def _with_enough_rows(counts: Counter[str], settings: PromiseSettings) -> list[str]:
    """Return the labels that can have a promise of their own, those with most rows first.

    The more labels have one, the more rows each needs.
    """
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    for number in range(len(ranked), 0, -1):
        confidence = 1.0 - (1.0 - settings.confidence) / (number + 1)
        fewest = fewest_answers(settings.max_error, confidence) or 1
        if ranked[number - 1][1] >= _PROOFS * fewest:
            return [label for label, _count in ranked[:number]]
    return []
