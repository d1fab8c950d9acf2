"""How likely a server found each of the labels, from the tokens of the one it chose.

At every token of the chosen label the likeliest tokens in its place are known too. One that begins
another label leads away from the chosen one: what its labels have together is the probability of
the way so far times its own. Labels that it does not tell apart share it equally; what is not
listed counts nothing; at the end all are scaled to a sum of 1. Where each label is one way through
tokens, and all of them are listed, this is the server's own distribution (the chain rule).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence

from sparrowlm.cooperation.large import TokenChance

LIKELIEST = 20
"""As many alternatives as the usual servers give."""

_VALUE = re.compile(r'"label"\s*:\s*"')
_LEAST = 1e-4


def label_shares(
    tokens: Sequence[TokenChance], labels: Sequence[str], chosen: str
) -> dict[str, float] | None:
    """Return the probability of every label that has any, likeliest first.

    Args:
        tokens: of an answer {"label": "..."}.
        labels: that could be chosen.
        chosen: that was.

    Returns:
        Probabilities with a sum of 1; None where the tokens do not tell.
    """
    text = "".join(token.token for token in tokens)
    value = _VALUE.search(text)
    if value is None:
        return None
    walks = [
        _Walk(written, text, value.end())
        for written in _written(labels)
        if text.startswith(written[chosen], value.end())
    ]
    if not walks or any(token.log_probability is None for token in tokens):
        return None
    # Where the chosen label looks the same in both, the other labels tell how the server writes.
    found = max((walk.shares(tokens) for walk in walks), key=lambda found: found[1])[0]
    whole = sum(found.values())
    kept = {label: share / whole for label, share in found.items() if share >= _LEAST * whole}
    rest = sum(kept.values())
    return {label: kept[label] / rest for label in sorted(kept, key=lambda one: -kept[one])}


def _written(labels: Sequence[str]) -> list[dict[str, str]]:
    """Return how labels stand in JSON with their end, as they are and escaped."""
    return [
        {label: json.dumps(label, ensure_ascii=is_ascii)[1:] for label in labels}
        for is_ascii in (False, True)
    ]


class _Walk:
    """The way through the tokens of a chosen label.

    Args:
        written: every label as it would stand in the text, with the quotation mark at its end.
        text: of the answer.
        start: where the label begins in it.
    """

    def __init__(self, written: Mapping[str, str], text: str, start: int) -> None:
        self._written = written
        self._text = text
        self._start = start

    def shares(self, tokens: Sequence[TokenChance]) -> tuple[dict[str, float], float]:
        """Return what leads to each label, not scaled, and how much of everything that explains.

        Args:
            tokens: each with a probability.
        """
        found: dict[str, float] = {}
        left, way, rest, at = set(self._written), 1.0, 1.0, 0
        for token in tokens:
            begin, at = at, at + len(token.token)
            if at <= self._start or not token.token:
                continue
            probability = math.exp(token.log_probability or 0.0)
            if len(left) == 1:
                # No other label is left: how the last one is written says nothing about it.
                rest *= probability
                continue
            following = self._fitting(left, begin, token.token)
            for other, log_probability in token.likeliest.items():
                leading = self._fitting(left - following, begin, other)
                for label in leading:
                    share = way * math.exp(log_probability) / len(leading)
                    found[label] = found.get(label, 0.0) + share
            way *= probability
            left = following
        explained = sum(found.values()) + way * rest
        for label in left:
            found[label] = found.get(label, 0.0) + way / len(left)
        return found, explained

    def _fitting(self, labels: set[str], begin: int, token: str) -> set[str]:
        """Return the labels that are still possible behind a token at a place of the text."""
        head = self._text[begin : self._start]
        if not token or not token.startswith(head):
            return set()
        before = self._text[self._start : max(begin, self._start)] + token[len(head) :]
        return {
            label
            for label in labels
            if self._written[label].startswith(before) or before.startswith(self._written[label])
        }
