"""Patterns as trees, from which automata are made.

Source: Thompson 1968, "Regular expression search algorithm".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LAST_CHARACTER = 0x10FFFF
_HALVES = range(0xD800, 0xE000)

Range = tuple[int, int]


@dataclass(frozen=True)
class Characters:
    """One character out of some.

    Attributes:
        ranges: code points, first and last of each range, ascending, apart from each other.
    """

    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Literal:
    """One text, as UTF-8."""

    content: bytes


@dataclass(frozen=True)
class Sequence:
    """One pattern after the other; none at all is the empty text."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True)
class Choice:
    """One of several patterns; of none nothing comes."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True)
class Repeat:
    """A pattern several times.

    Attributes:
        part: the pattern.
        least: how often at the least.
        most: at the most; None for any number.
    """

    part: Pattern
    least: int
    most: int | None


Pattern = Characters | Literal | Sequence | Choice | Repeat
EMPTY = Sequence(())


def written_down(pattern: Pattern) -> list[int]:
    """Return a pattern as numbers, every part behind its own parts, for the compiled part.

    0 n first last ... is a character out of n ranges; 1 n and 2 n are the n parts before, one after
    the other or one of them; 3 least most is the part before so many times, -1 for any number; 4 n
    byte ... is a text.

    >>> written_down(Repeat(Characters(((97, 98),)), 1, None))
    [0, 1, 97, 98, 3, 1, -1]
    """
    found: list[int] = []
    waiting: list[Pattern | tuple[int, ...]] = [pattern]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tuple):
            found += one
        elif isinstance(one, Characters):
            found += (0, len(one.ranges), *(code for pair in one.ranges for code in pair))
        elif isinstance(one, Literal):
            found += (4, len(one.content), *one.content)
        elif isinstance(one, Repeat):
            waiting += ((3, one.least, -1 if one.most is None else one.most), one.part)
        else:
            kind = 1 if isinstance(one, Sequence) else 2
            waiting.append((kind, len(one.parts)))
            waiting += reversed(one.parts)
    return found


def literal(text: str) -> Pattern:
    """Return the pattern of one text."""
    return Literal(text.encode("utf-8", "surrogatepass"))


def choice(texts: Iterable[str]) -> Pattern:
    """Return the pattern of several texts."""
    return Choice(tuple(literal(text) for text in texts))


def characters(ranges: Iterable[Range]) -> Characters:
    """Return one character out of ranges in any order, half characters left out."""
    parts: list[Range] = []
    for first, last in sorted(ranges):
        for begin, end in _without_halves(first, last):
            if parts and begin <= parts[-1][1] + 1:
                parts[-1] = (parts[-1][0], max(parts[-1][1], end))
            else:
                parts.append((begin, end))
    return Characters(tuple(parts))


def others(these: Characters) -> Characters:
    """Return one character out of all others."""
    found, first = [], 0
    for begin, end in these.ranges:
        if begin > first:
            found.append((first, begin - 1))
        first = end + 1
    if first <= LAST_CHARACTER:
        found.append((first, LAST_CHARACTER))
    return characters(found)


def _without_halves(first: int, last: int) -> list[Range]:
    before, behind = (first, min(last, _HALVES.start - 1)), (max(first, _HALVES.stop), last)
    return [one for one in (before, behind) if one[0] <= one[1]]
