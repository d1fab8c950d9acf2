"""Pairs of texts, and which of their two labels says that they mean the same.

How the positive label is found, in this order:

    1. one of the two is a usual word for yes ("1", "是", "同义", "duplicate", ...) and the other
       is not: that one
    2. one of the two is a usual word for no ("0", "否", "不同", "unrelated", ...) and the other
       is not: the other one
    3. otherwise the label whose pairs share more: the higher mean share of common characters
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled import TextPair
from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.errors import DataError

_YES = """
1 1.0 true yes y t same equal match matched duplicate similar paraphrase positive pos entailment
relevant related 是 对 真 同 相同 同义 相似 一致 匹配 重复 正 正例 相关 √
"""
_NO = """
0 0.0 -1 2 false no n f different distinct unmatched unequal dissimilar negative neg contradiction
neutral irrelevant unrelated 否 不是 错 假 异 不同 不相同 不同义 不相似 不一致 不匹配 不重复 负 负例
不相关 无关 ×
"""
YES, NO = frozenset(_YES.split()), frozenset(_NO.split())


@dataclass(frozen=True)
class Pairs:
    """Texts that are compared.

    Attributes:
        firsts: the first text of every pair.
        seconds: the second one.
        targets_B: 1.0 where the two mean the same, else 0.0; between where a teacher judged.
    """

    firsts: list[str]
    seconds: list[str]
    targets_B: Float32[np.ndarray, " pairs"]

    def __len__(self) -> int:
        return len(self.firsts)

    def part(self, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Pairs:
        """Return some of the pairs, by number."""
        numbers = rows.tolist()
        firsts, seconds = ([texts[row] for row in numbers] for texts in (self.firsts, self.seconds))
        return Pairs(firsts, seconds, self.targets_B[rows])


def divided(pairs: Sequence[TextPair]) -> tuple[list[TextPair], list[TextPair]]:
    """Part pairs with a label from those that simply belong together.

    Returns:
        Labelled pairs; unlabelled ones.
    """
    labelled = [pair for pair in pairs if pair.label is not None]
    return labelled, [pair for pair in pairs if pair.label is None]


def label_names(pairs: Sequence[TextPair]) -> tuple[str, str]:
    """Return the label of pairs that do not mean the same, and of those that do.

    Args:
        pairs: with labels.

    Raises:
        DataError: there are not exactly two labels.
    """
    counts = Counter(pair.label for pair in pairs if pair.label is not None)
    if len(counts) != 2:
        shown = ", ".join(f"{label} ({count})" for label, count in counts.most_common(5))
        raise DataError(
            "tasks.match-labels", number=len(counts), received=shown or "-", pairs=len(pairs)
        )
    first, second = sorted(counts)
    positive = _positive(first, second) or _closer_label(pairs)
    return (second, first) if positive == first else (first, second)


def _positive(first: str, second: str) -> str | None:
    names = {label: label.strip().casefold() for label in (first, second)}
    yes = [label for label, name in names.items() if name in YES]
    if len(yes) == 1:
        return yes[0]
    others = [label for label, name in names.items() if name not in NO]
    return others[0] if len(others) == 1 else None


def _closer_label(pairs: Sequence[TextPair]) -> str:
    shares: dict[str, list[float]] = defaultdict(list)
    for pair in pairs:
        if pair.label is not None:
            first, second = set(pair.first), set(pair.second)
            shares[pair.label].append(len(first & second) / max(len(first | second), 1))
    return max(sorted(shares), key=lambda label: float(np.mean(shares[label])))


def as_pairs(pairs: Sequence[TextPair], positive: str) -> Pairs:
    """Turn labelled pairs into targets.

    Args:
        pairs: unlabelled ones are left out.
        positive: label of pairs that mean the same.
    """
    kept = [pair for pair in pairs if pair.label is not None]
    targets_B = np.array([_target(pair, positive) for pair in kept], dtype=np.float32)
    return Pairs([pair.first for pair in kept], [pair.second for pair in kept], targets_B)


def _target(pair: TextPair, positive: str) -> float:
    return float(pair.label == positive) if pair.probability is None else pair.probability
