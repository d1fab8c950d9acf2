"""The user's dictionary: entries that outrank every model.

One entry per line, word TAB label. In a text the longest entry wins, from left to right; it must
begin and end where units do, so that "cat" is not found in "category". The units of an entry may
take no other labels, and the model labels the rest with that in mind.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.errors import DataError
from sparrowlm.models.crf.constraints import FORBIDDEN
from sparrowlm.tasks.tag.schemes import LabelSet
from sparrowlm.tasks.tag.units import Units


class UserDictionary:
    """Words and what they always are.

    Args:
        entries: word -> label; a label that the model does not know is given all the same.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = {word: label for word, label in entries.items() if word.strip()}
        lengths: dict[str, set[int]] = {}
        for word in self.entries:
            lengths.setdefault(word[0], set()).add(len(word))
        self._lengths = {first: sorted(sizes, reverse=True) for first, sizes in lengths.items()}
        firsts = "".join(sorted(lengths))
        self._firsts = re.compile(f"[{re.escape(firsts)}]") if firsts else None

    @classmethod
    def read(cls, path: Path, default_label: str | None = None) -> UserDictionary:
        """Read a file of entries.

        Args:
            path: word TAB label on each line, in any encoding that Sparrow detects; empty lines
                and lines that begin with # are passed over.
            default_label: the label of lines without one.

        Raises:
            DataError: the file cannot be read, or a line is no entry.
        """
        from sparrowlm.text.encodings import decode_bytes

        try:
            text = decode_bytes(path.read_bytes()).text
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError("tasks.tag-dictionary-unreadable", path=path, reason=reason) from error
        entries = {}
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            word, _, label = (part.strip() for part in line.partition("\t"))
            label = label or default_label or ""
            if not word or not label:
                raise DataError(
                    "tasks.tag-dictionary-line", path=path, line=number, received=line[:80]
                )
            entries[word] = label
        return cls(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, units: Units) -> list[tuple[int, int, str]]:
        """Return (first unit, unit after the last, label) of all entries in the texts."""
        if self._firsts is None:
            return []
        starts = {int(place): number for number, place in enumerate(units.begins)}
        ends = {int(place): number for number, place in enumerate(units.ends)}
        found: list[tuple[int, int, str]] = []
        position = 0
        while (hit := self._firsts.search(units.text, position)) is not None:
            begin = hit.start()
            end = self._longest(units.text, begin, ends) if begin in starts else begin
            if end > begin:
                label = self.entries[units.text[begin:end]]
                found.append((starts[begin], ends[end] + 1, label))
            position = max(end, begin + 1)
        return found

    def _longest(self, text: str, begin: int, ends: Mapping[int, int]) -> int:
        for length in self._lengths[text[begin]]:
            end = begin + length
            if end in ends and text[begin:end] in self.entries:
                return end
        return begin


def penalties(
    units: Units, found: Iterable[tuple[int, int, str]], labels: LabelSet
) -> Float64[np.ndarray, "units labels"]:
    """Return FORBIDDEN for all labels that the entries leave no room for, else 0.

    Args:
        units: see units_of.
        found: see UserDictionary.find. An entry whose label the model does not know lies outside
            every span (or, where nothing is outside, is one span).
        labels: those of the model.
    """
    allowed = np.ones((len(units), len(labels)), dtype=np.bool_)
    bounds = units.chains.tolist()
    starts = set(bounds)
    for start, end, label in found:
        if label in labels.types or labels.scheme == "BMES":
            kind = label if label in labels.types else labels.types[0]
            inside = bounds[bisect_right(bounds, start) : bisect_left(bounds, end)]
            wanted = labels.encode(
                [(0, end - start, kind)], end - start, [b - start for b in inside]
            )
        else:
            wanted = np.full(end - start, labels.numbers["O"], dtype=np.int32)
        allowed[start:end] = False
        allowed[np.arange(start, end), wanted] = True
        if labels.scheme == "BIO" and end < len(units) and end not in starts:
            # Nothing may lengthen the entry.
            goes_on = [n for n, name in enumerate(labels.names) if name[0] == "I"]
            allowed[end, goes_on] = False
    return np.where(allowed, 0.0, FORBIDDEN)
