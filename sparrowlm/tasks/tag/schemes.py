"""Spans <-> labels of units: BIOES, BIO, and BMES where every unit belongs to a span.

    BIOES   begin, inside, end, single, outside
    BIO     begin, inside, outside
    BMES    begin, middle, end, single: words, which leave nothing outside

>>> labels = LabelSet("BIOES", ("LOC", "PER"))
>>> numbers = labels.encode([(1, 3, "PER"), (3, 4, "LOC")], 5)
>>> [labels.names[n] for n in numbers]
['O', 'B-PER', 'E-PER', 'S-LOC', 'O']
>>> labels.decode(numbers)
[(1, 3, 'PER'), (3, 4, 'LOC')]

Source: Ramshaw, Marcus 1995, "Text chunking using transformation-based learning" (BIO); Xue 2003,
"Chinese word segmentation as character tagging" (BMES).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from sparrowlm.foundation.array_types import Int32
from sparrowlm.foundation.errors import SettingError
from sparrowlm.models.crf.constraints import Constraints

SchemeName = Literal["BIOES", "BIO", "BMES"]
UnitSpan = tuple[int, int, str]

_PREFIXES = {"BIOES": "BIES", "BIO": "BI", "BMES": "BMES"}
_OUTSIDE = "O"
_OPENS, _CLOSES = frozenset("BS"), frozenset("ES")
_LENIENT = {"M": "I", "E": "E", "L": "E", "U": "S", "W": "S", "S": "S", "B": "B", "I": "I"}


@dataclass(frozen=True)
class LabelSet:
    """All labels of a scheme over some types.

    Args:
        scheme: how spans are written.
        types: the labels of spans, in order.
    """

    scheme: SchemeName
    types: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.types:
            raise SettingError("tasks.tag-no-types")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The labels; O is the first where there is one."""
        first = () if self.scheme == "BMES" else (_OUTSIDE,)
        prefixes = _PREFIXES[self.scheme]
        return (*first, *(f"{prefix}-{kind}" for kind in self.types for prefix in prefixes))

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Label -> number."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def _opens(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.array([name[0] in _OPENS for name in self.names])

    @cached_property
    def _closes(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return np.array([name[0] in _CLOSES for name in self.names])

    def encode(
        self, spans: Iterable[UnitSpan], num_units: int, bounds: Sequence[int] = ()
    ) -> Int32[np.ndarray, " units"]:
        """Return the label of every unit.

        Args:
            spans: (first, after the last, type); of overlapping ones the first and longest counts.
            num_units: how many units there are.
            bounds: units at which a chain starts, rising: a span over a bound becomes two.

        Raises:
            SettingError: a type is none of these.
        """
        default = self.numbers.get(_OUTSIDE, -1)
        labels = np.full(num_units, default, dtype=np.int32)
        last = 0
        for start, end, kind in sorted(spans, key=lambda s: (s[0], -s[1])):
            if kind not in self.types:
                raise SettingError("tasks.tag-type-unknown", received=kind, known=self.types)
            if start < last or end <= start:
                continue
            last = end
            between = bounds[bisect_right(bounds, start) : bisect_left(bounds, end)]
            cuts = [start, *between, end]
            for a, b in pairwise(cuts):
                self._write(labels, a, b, kind)
        if self.scheme == "BMES":
            labels[labels < 0] = self.numbers[f"S-{self.types[0]}"]
        return labels

    def _write(self, labels: Int32[np.ndarray, " units"], start: int, end: int, kind: str) -> None:
        inside = "M" if self.scheme == "BMES" else "I"
        labels[start:end] = self.numbers[f"{inside}-{kind}"]
        labels[start] = self.numbers[f"B-{kind}"]
        if self.scheme != "BIO":
            labels[end - 1] = self.numbers[f"E-{kind}"]
            if end == start + 1:
                labels[start] = self.numbers[f"S-{kind}"]

    def borders(
        self, labels: Int32[np.ndarray, " units"]
    ) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
        """Return the first units of the spans of legal labels, and the units after their last."""
        opens = np.flatnonzero(self._opens[labels])
        if self.scheme == "BIO":
            is_outside = labels == 0
            stops = np.concatenate([is_outside | self._opens[labels], [True]])
            return opens, np.flatnonzero(stops)[np.searchsorted(np.flatnonzero(stops), opens + 1)]
        return opens, np.flatnonzero(self._closes[labels]) + 1

    def decode(self, labels: Int32[np.ndarray, " units"]) -> list[UnitSpan]:
        """Return the spans of legal labels; see spans_of_names for others."""
        begins, ends = self.borders(labels)
        kinds = [self.names[n][2:] for n in labels[begins]]
        return list(zip(begins.tolist(), ends.tolist(), kinds, strict=True))

    def constraints(self) -> Constraints:
        """Return which labels may follow one another, begin and end."""
        size = len(self)
        allowed = np.array([[self._may_follow(a, b) for b in self.names] for a in self.names])
        begins = np.array([name[0] in "OBS" for name in self.names])
        ends = np.array([self.scheme == "BIO" or name[0] in "OES" for name in self.names])
        return Constraints(allowed.reshape(size, size), begins, ends)

    def _may_follow(self, before: str, after: str) -> bool:
        is_open = before[0] in "BI" if self.scheme == "BIO" else before[0] in "BMI"
        goes_on = after[0] in "IME"
        same = before[2:] == after[2:]
        if self.scheme == "BIO":
            return not goes_on or (is_open and same)
        return goes_on and same if is_open else not goes_on


def spans_of_names(names: Sequence[str]) -> list[UnitSpan]:
    """Return the spans of any labels, also wrong ones, as conlleval reads them.

    Args:
        names: "O", or "B-type" and so on; M counts as I, L as E, U and W as S.

    Returns:
        (first, after the last, type); an I or E that continues nothing begins a span.
    """
    found: list[UnitSpan] = []
    start, before, kind = -1, "O", ""
    for place, name in enumerate([*names, _OUTSIDE]):
        prefix, _, now = name.partition("-")
        prefix = _LENIENT.get(prefix, _OUTSIDE)
        if start >= 0 and (prefix in "OBS" or before in "ES" or now != kind):
            found.append((start, place, kind))
            start = -1
        if prefix != "O" and start < 0:
            start = place
        before, kind = prefix, now
    return found
