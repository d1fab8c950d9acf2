"""Names, addresses and organisations, which no pattern tells: found by a trained tagger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any

from sparrowlm.privacy.finding import NamesIn
from sparrowlm.privacy.kinds import Item, Kind

# What the usual data sets call them.
_KINDS: Mapping[str, Kind] = {
    "per": "name", "person": "name", "nr": "name", "name": "name", "人名": "name", "姓名": "name",
    "per.nam": "name", "loc": "address", "location": "address", "ns": "address", "gpe": "address",
    "address": "address", "地名": "address", "地址": "address", "gpe.nam": "address",
    "loc.nam": "address", "org": "organisation", "organization": "organisation",
    "organisation": "organisation", "nt": "organisation", "company": "organisation",
    "机构": "organisation", "组织": "organisation", "公司": "organisation", "government": "address",
    "org.nam": "organisation", "cont": "address",
}  # fmt: skip
_LEAST_PROBABILITY = 0.5


def names_by(
    predict: Callable[[list[str]], Iterable[Any]], kinds: Mapping[str, Kind] | None = None
) -> NamesIn:
    """Return a finder of names out of a tagger's predictions, asked line by line.

    Args:
        predict: returns one prediction with spans (start, end, label, probability) for each text,
            as Model.predict of a tagger does.
        kinds: what its labels mean; None knows the usual ones. Other labels are passed over.
    """
    meanings = _KINDS if kinds is None else kinds

    def names_in(text: str) -> list[Item]:
        lines = text.splitlines(keepends=True)
        starts = [0, *accumulate(map(len, lines))]
        return [
            Item(start + span.start, start + span.end, meanings[span.label.casefold()], "", 1)
            for start, prediction in zip(starts, predict(lines), strict=False)
            for span in prediction.spans
            if span.label.casefold() in meanings and span.probability >= _LEAST_PROBABILITY
        ]

    return names_in


def knows_names(labels: Iterable[str]) -> bool:
    """Say whether any of a tagger's labels means a name, an address or an organisation."""
    return any(label.casefold() in _KINDS for label in labels)
