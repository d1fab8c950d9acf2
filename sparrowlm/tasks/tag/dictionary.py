"""The user's dictionary: entries that outrank every model.

One entry per line, word TAB label. In a text the longest entry wins, from left to right; it must
begin and end where units do, so that "cat" is not found in "category". The units of an entry may
take no other labels, and the model labels the rest with that in mind.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.atomic import write_bytes
from sparrowlm.foundation.errors import DataError
from sparrowlm.models.crf.constraints import FORBIDDEN
from sparrowlm.runtime.directory import DICTIONARY_FILE, ModelFiles
from sparrowlm.tasks.tag.schemes import LabelSet
from sparrowlm.tasks.tag.units import Units

_ANYTHING = -1


class UserDictionary:
    """Words and what they always are.

    Args:
        entries: word -> label, words in one line; a label that the model does not know is given
            all the same.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = {
            word: label for word, label in entries.items() if word.strip() and "\n" not in word
        }
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

    def save(self, path: Path) -> None:
        """Write the entries to one file of a model directory.

        Raises:
            ResourceError: disk full or not writable.
        """
        write_bytes(path, self.as_bytes())

    def as_bytes(self) -> bytes:
        """Return the content of the file of save."""
        return json.dumps(self.entries, ensure_ascii=False).encode("utf-8", "surrogatepass")

    @classmethod
    def load(cls, directory: ModelFiles) -> UserDictionary | None:
        """Read the entries of a model directory; None where it has none.

        Raises:
            DamagedFileError: the file is not what was written.
        """
        if not directory.holds(DICTIONARY_FILE):
            return None
        entries = directory.read_json(DICTIONARY_FILE)
        return cls({str(word): str(label) for word, label in entries.items()})

    def __len__(self) -> int:
        return len(self.entries)

    def find(self, units: Units) -> list[tuple[int, int, str]]:
        """Return (first unit, unit after the last, label) of all entries in the texts."""
        if self._firsts is None:
            return []
        starts = {place: number for number, place in enumerate(units.begins.tolist())}
        ends = {place: number for number, place in enumerate(units.ends.tolist())}
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
    units: Units, found: Sequence[tuple[int, int, str]], labels: LabelSet
) -> Float64[np.ndarray, "units labels"]:
    """Return FORBIDDEN for all labels that the entries leave no room for, else 0.

    Args:
        units: see units_of.
        found: see UserDictionary.find. An entry whose label the model does not know lies outside
            every span (or, where nothing is outside, is one span).
        labels: those of the model.
    """
    bounds = units.chains.tolist()
    patterns: dict[tuple[int, str], list[int]] = {}
    wanted = [_ANYTHING] * len(units)
    for start, end, label in found:
        inside = bounds[bisect_right(bounds, start) : bisect_left(bounds, end)]
        pattern = None if inside else patterns.get((end - start, label))
        if pattern is None:
            pattern = _pattern(labels, label, end - start, [bound - start for bound in inside])
            if not inside:
                patterns[end - start, label] = pattern
        wanted[start:end] = pattern
    wanted_N = np.array(wanted, dtype=np.int64)
    (forced,) = np.nonzero(wanted_N != _ANYTHING)
    penalties_NL = np.zeros((len(units), len(labels)))
    if labels.scheme == "BIO":
        # Nothing may lengthen an entry.
        stops = {end for _, end, _ in found} - set(bounds)
        goes_on = [number for number, name in enumerate(labels.names) if name[0] == "I"]
        penalties_NL[np.ix_(sorted(stops), goes_on)] = FORBIDDEN
    penalties_NL[forced] = FORBIDDEN
    penalties_NL[forced, wanted_N[forced]] = 0.0
    return penalties_NL


def _pattern(labels: LabelSet, label: str, size: int, bounds: list[int]) -> list[int]:
    if label not in labels.types and labels.scheme != "BMES":
        return [labels.numbers["O"]] * size
    kind = label if label in labels.types else labels.types[0]
    pattern: list[int] = labels.encode([(0, size, kind)], size, bounds).tolist()
    return pattern
