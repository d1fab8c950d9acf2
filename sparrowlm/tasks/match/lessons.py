"""What a matcher learns where that is not just the truth: another matcher's probabilities.

Source: Hinton, Vinyals and Dean 2015, "Distilling the knowledge in a neural network",
arXiv:1503.02531. The probabilities are calibrated, so they are learnt as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sparrowlm.corpora.labelled import TextPair
from sparrowlm.tasks.match.examples import label_names
from sparrowlm.tasks.match.model import Matcher

_TRUTH_SHARE, _SUREST = 0.5, 1e-3


def judged(matcher: Matcher, pairs: Sequence[TextPair], labels: tuple[str, str]) -> list[TextPair]:
    """Return pairs with the probability that a matcher gives them.

    Args:
        matcher: judges them.
        pairs: without labels.
        labels: of pairs that do not mean the same, and of those that do.
    """
    given = matcher.probabilities([one.first for one in pairs], [one.second for one in pairs])
    return [
        replace(pair, label=labels[probability > 0.5], probability=probability)
        for pair, probability in zip(pairs, given.tolist(), strict=True)
    ]


def mixed(matcher: Matcher, pairs: Sequence[TextPair], labels: tuple[str, str]) -> list[TextPair]:
    """Return labelled pairs with targets half way between the truth and what a matcher says.

    Args:
        matcher: whose answers are to be kept.
        pairs: with labels.
        labels: of pairs that do not mean the same, and of those that do.
    """
    given = matcher.probabilities([one.first for one in pairs], [one.second for one in pairs])
    # Never the very middle: a pair stays on the side of its label.
    shares = np.clip(given, _SUREST, 1 - _SUREST).tolist()
    return [
        replace(pair, probability=share + _TRUTH_SHARE * ((pair.label == labels[1]) - share))
        for pair, share in zip(pairs, shares, strict=True)
    ]


def renamed(pairs: Sequence[TextPair], labels: tuple[str, str]) -> list[TextPair]:
    """Return labelled pairs under other names for their two labels.

    Args:
        pairs: with labels of their own, and unlabelled ones, which stay as they are.
        labels: of pairs that do not mean the same, and of those that do.

    Raises:
        DataError: the pairs have labels, but not two.
    """
    labelled = [one for one in pairs if one.label is not None]
    if not labelled or {one.label for one in labelled} <= set(labels):
        return list(pairs)
    _negative, positive = label_names(labelled)
    return [
        one if one.label is None else replace(one, label=labels[one.label == positive])
        for one in pairs
    ]
