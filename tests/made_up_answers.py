"""Answers of models that do not exist, with signals whose meaning is known."""

from __future__ import annotations

import numpy as np

from sparrowlm.cooperation.confidence import Confident, share_signals

LABELS = ("a", "b", "c", "d")


def made_up(count, seed=0, sharpness=1.0, bias=(0.0, 0.0, 0.0, 0.0)):
    """Return answers of a model whose logarithms are `sharpness` times too large, and the truth.

    With sharpness 1 and no bias its probabilities are exactly right.
    """
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (count, len(LABELS)))
    true = [random.choice(len(LABELS), p=_shares(row + np.array(bias))) for row in logits]
    answers = []
    for row in logits * sharpness:
        shares = _shares(row)
        order = np.argsort(-shares)
        by_label = {LABELS[i]: float(shares[i]) for i in order}
        label, confidence = next(iter(by_label.items()))
        signals = share_signals(list(by_label.values()))
        answers.append(Confident(label, confidence, signals, label, by_label))
    return answers, [(LABELS[i],) for i in true]


def _shares(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()
