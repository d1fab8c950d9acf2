"""Units -> columns of numbers, and the templates over them.

Every column is one 64-bit number per unit; a template joins columns around a unit and is hashed
(models/crf/templates.py). Three sets of columns and templates:

    words         Latin and other words: spelling, shape, prefixes, suffixes, neighbours
    characters    Chinese: characters, kinds, rjieba's dictionary, its words and their tags
    segmentation  Chinese words: the same without tags and words: fast
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

import numpy as np

from sparrowlm.foundation.array_types import UInt64
from sparrowlm.foundation.hashing import Hashes, Places, RunHashes, mixed
from sparrowlm.models.crf.templates import Templates
from sparrowlm.tasks.tag.gazetteer import Gazetteer
from sparrowlm.tasks.tag.lattice import COLUMNS as LATTICE_COLUMNS
from sparrowlm.tasks.tag.lattice import lattice_columns
from sparrowlm.tasks.tag.lexicon import Cut, cut, dictionary_lengths
from sparrowlm.tasks.tag.profiles import COLUMNS, GAZETTEER, TEMPLATES, Profile
from sparrowlm.tasks.tag.units import UPPER, Codes, Units, codes_of, is_cjk

Kept = TypeVar("Kept")

_KIND_BASE = 1 << 40


@dataclass(frozen=True)
class Features:
    """What is looked at in a text.

    Args:
        profile: which columns and templates.
        gazetteer: the spans of the training text, where they are a feature.
    """

    profile: Profile
    gazetteer: Gazetteer | None = None

    def templates(self) -> Templates:
        """Return the templates over the columns of this profile."""
        names = list(COLUMNS[self.profile])
        wanted = TEMPLATES[self.profile] + (
            GAZETTEER[self.profile] if self.gazetteer is not None else []
        )
        numbers = {name: number for number, name in enumerate([*names, "gazetteer"])}
        return Templates.of([[(numbers[name], o) for name, o in parts] for parts in wanted])

    def columns(
        self,
        units: Units,
        own: Iterable[tuple[int, int, int]] = (),
        columns: UnitColumns | None = None,
    ) -> UInt64[np.ndarray, "units columns"]:
        """Return the columns of all units.

        Args:
            units: see units_of.
            own: in training, the spans of these units that the gazetteer was made of.
            columns: of these units, where somebody else reads them too.
        """
        makers = columns or UnitColumns(units)
        found = [getattr(makers, name)() for name in COLUMNS[self.profile]]
        if self.gazetteer is not None:
            found.append(
                self.gazetteer.column(makers.lower(), units.chains, own, units.unit_starts)
            )
        return np.ascontiguousarray(np.stack(found, axis=1))


class UnitColumns:
    """Makes columns of one text; what several of them need is kept."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._kept: dict[str, Any] = {}

    def unit(self) -> Hashes:
        """The characters."""
        return self._once("unit", lambda: self._runs(self._units.codes, self._whole()))

    def lower(self) -> Hashes:
        """The characters, capitals as small letters."""
        return self._once("lower", lambda: self._runs(self._lowered(), self._whole()))

    def kind(self) -> Hashes:
        """The kind of the first character, and whether the unit is long."""
        units = self._units
        length = np.minimum(units.ends - units.begins, 5)
        return _coded(1, units.kinds[units.begins].astype(np.int64) * 8 + length)

    def shape(self) -> Hashes:
        """The kinds of all characters, repeated ones once; of four digits, their number."""
        kinds = self._units.kinds.astype(np.uint64)
        is_new = np.ones(len(kinds), dtype=np.bool_)
        is_new[1:] = kinds[1:] != kinds[:-1]
        is_new[self._units.begins] = True
        values = np.where(is_new, mixed(kinds + np.uint64(_KIND_BASE)), np.uint64(0))
        sums = np.concatenate([[np.uint64(0)], np.cumsum(values * self._order(is_new))])
        length = np.minimum(self._units.ends - self._units.begins, 6).astype(np.uint64)
        total = sums[self._units.ends] - sums[self._units.begins]
        return mixed(total * np.uint64(8) + length)

    def capital(self) -> Hashes:
        """Whether the unit begins with a capital, is all capitals, or has no case."""
        units = self._units
        is_upper = np.concatenate([[0], np.cumsum(units.kinds == UPPER)])
        num_upper = is_upper[units.ends] - is_upper[units.begins]
        is_first = units.kinds[units.begins] == UPPER
        all_upper = num_upper == units.ends - units.begins
        return _coded(2, is_first * 4 + all_upper * 2 + (num_upper > 0))

    def space(self) -> Hashes:
        """Whether white space stands before the unit."""
        units = self._units
        before = np.concatenate([[-1], units.ends[:-1]])
        return _coded(3, (units.begins > before).astype(np.int64))

    def word(self) -> Hashes:
        """The word of rjieba that the unit's last character lies in."""
        bounds = self._word_bounds()
        return self._once("word", lambda: self._runs(self._lowered(), bounds))

    def place(self) -> Hashes:
        """Where in rjieba's word the unit stands."""
        return _coded(4, self._places())

    def tag(self) -> Hashes:
        """The part of speech of that word."""
        return _coded(5, self._tags())

    def place_tag(self) -> Hashes:
        """Both together."""
        return _coded(6, self._tags() * 8 + self._places())

    def word_before(self) -> Hashes:
        """The word of rjieba before this unit's."""
        return self._once("word_before", lambda: self._neighbour(-1))

    def word_after(self) -> Hashes:
        """The word of rjieba after this unit's."""
        return self._once("word_after", lambda: self._neighbour(1))

    def word_length(self) -> Hashes:
        """How long rjieba's word is."""
        starts, ends = self._word_bounds()
        return _coded(7, np.minimum(ends - starts, 6))

    def begins(self) -> Hashes:
        """The longest dictionary word that begins here."""
        return _coded(8, self._dictionary()[:, 0])

    def ends(self) -> Hashes:
        """The longest dictionary word that ends here."""
        return _coded(9, self._dictionary()[:, 1])

    def around(self) -> Hashes:
        """The longest dictionary word around this unit."""
        return _coded(10, self._dictionary()[:, 2])

    def repeats(self) -> Hashes:
        """Whether the unit equals the one before, and the one before that."""
        unit = self.unit()
        state = np.zeros(len(unit), dtype=np.int64)
        behind = self._units.places_in_texts()
        state[1:] += (unit[1:] == unit[:-1]) & (behind[1:] >= 1)
        state[2:] += 2 * ((unit[2:] == unit[:-2]) & (behind[2:] >= 2))
        return _coded(11, state)

    def lattice(self, name: str) -> Hashes:
        """One column of all dictionary words, see lattice.py, at the unit's last character."""

        def make() -> dict[str, Hashes]:
            runs = self._once("lowered_runs", lambda: RunHashes(mixed(self._lowered())))
            return lattice_columns(self._units.read, runs)

        return self._once("lattice", make)[name][self._units.ends - 1]

    def prefix(self, length: int) -> Hashes:
        """The first characters of units that have more."""
        begins, ends = self._whole()
        stops = np.minimum(begins + length, ends)
        return self._affix(12 + length, (begins, stops))

    def suffix(self, length: int) -> Hashes:
        """The last characters of units that have more."""
        begins, ends = self._whole()
        return self._affix(20 + length, (np.maximum(ends - length, begins), ends))

    def _affix(self, number: int, bounds: tuple[Places, Places]) -> Hashes:
        units = self._units
        is_there = (units.ends - units.begins > bounds[1] - bounds[0]) & ~is_cjk(
            units.kinds[units.begins]
        )
        return np.where(is_there, self._runs(self._lowered(), bounds) ^ np.uint64(number), 0)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - prefix_2, suffix_3
        base, _, length = name.rpartition("_")
        if base in ("prefix", "suffix") and length.isdigit():
            return lambda: getattr(self, base)(int(length))
        if name in LATTICE_COLUMNS:
            return lambda: self.lattice(name)
        raise AttributeError(name)

    def _once(self, name: str, make: Callable[[], Kept]) -> Kept:
        if name not in self._kept:
            self._kept[name] = make()
        return cast("Kept", self._kept[name])

    def _whole(self) -> tuple[Places, Places]:
        return self._units.begins, self._units.ends

    def _lowered(self) -> Codes:
        def make() -> Codes:
            lowered = self._units.read.lower()
            same = len(lowered) == len(self._units.read)
            return codes_of(lowered) if same else _lowered_one_by_one(self._units.read)

        return self._once("lowered", make)

    def _runs(self, codes: Codes, bounds: tuple[Places, Places]) -> Hashes:
        def make() -> RunHashes:
            return RunHashes(mixed(codes))

        key = "runs" if codes is self._units.codes else "lowered_runs"
        return self._once(key, make).of(*bounds)

    def _cut(self) -> Cut:
        return self._once("cut", lambda: cut(self._units.read, with_tags=False))

    def _tagged(self) -> Cut:
        def make() -> Cut:
            found = cut(self._units.read, with_tags=True)
            self._kept.setdefault("cut", found)
            return found

        return self._once("tagged", make)

    def _dictionary(self) -> Places:
        def make() -> Places:
            found: Places = dictionary_lengths(self._units.read)[self._units.ends - 1].astype(
                np.int64
            )
            return found

        return self._once("dictionary", make)

    def _places(self) -> Places:
        places: Places = self._cut().places()[self._units.ends - 1].astype(np.int64)
        return places

    def _word_numbers(self) -> Places:
        def make() -> Places:
            lengths = self._cut().lengths
            numbers: Places = np.repeat(np.arange(len(lengths)), lengths)[self._units.ends - 1]
            return numbers

        return self._once("word_numbers", make)

    def _tags(self) -> Places:
        return self._tagged().tags[self._word_numbers()] if len(self._units) else self._whole()[0]

    def _word_bounds(self) -> tuple[Places, Places]:
        ends = np.cumsum(self._cut().lengths)
        numbers = self._word_numbers()
        return (ends - self._cut().lengths)[numbers], ends[numbers]

    def _neighbour(self, step: int) -> Hashes:
        lengths = self._cut().lengths
        ends = np.cumsum(lengths)
        if len(lengths) == 0:
            return np.zeros(0, dtype=np.uint64)
        words = self._runs(self._lowered(), (ends - lengths, ends))
        numbers = self._word_numbers() + step
        is_there = (numbers >= 0) & (numbers < len(words))
        # Between two texts stands a line break: the first and the last have one beside them too.
        return np.where(is_there, words[np.clip(numbers, 0, len(words) - 1)], _line_break())

    def _order(self, is_new: np.ndarray[Any, np.dtype[np.bool_]]) -> Hashes:
        """An odd number for the how-manieth new kind of its unit each character is."""
        count = np.cumsum(is_new)
        lengths = self._units.ends - self._units.begins
        base = np.zeros(len(is_new), dtype=np.int64)
        base[self._units.begins] = 1
        owner = np.cumsum(base) - 1
        first = count[self._units.begins] if len(lengths) else count
        within = count - first[np.maximum(owner, 0)] if len(lengths) else count
        return mixed(within + 7) | np.uint64(1)


def _coded(number: int, values: Any) -> Hashes:  # noqa: ANN401
    return mixed(np.asarray(values, dtype=np.int64).astype(np.uint64) + np.uint64(number << 56))


@cache
def _line_break() -> np.uint64:
    """Return the number of the word that is a line break."""
    codes = np.array([ord("\n")])
    found: np.uint64 = RunHashes(mixed(codes)).of(np.array([0]), np.array([1]))[0]
    return found


def _lowered_one_by_one(text: str) -> Codes:
    return codes_of("".join(c if len(c.lower()) != 1 else c.lower() for c in text))


def numbers_of_units(units: Units) -> Hashes:
    """Return a number per unit, equal for equal characters, capitals or not."""
    return UnitColumns(units).lower()
