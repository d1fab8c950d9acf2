"""Automata that read a text byte by byte, made deterministic as far as they are used.

Characters are ranges of code points; each is a few sequences of ranges of UTF-8 bytes. From every
state that is reached the end can be: what cannot become a whole text is DEAD at once.

Source: Rabin and Scott 1959, "Finite automata and their decision problems" (subsets); Cox 2010,
"Regular expression matching in the wild" (UTF-8 ranges).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.text.patterns.tree import (
    Characters,
    Choice,
    Literal,
    Pattern,
    Range,
    Repeat,
    Sequence,
    written_down,
)

DEAD = -1
# More bytes than any way has.
NEVER = 2**32 - 1
# Of the automaton before it is made deterministic.
_MOST_NODES = 200_000
_LENGTHS = ((0x7F, 1), (0x7FF, 2), (0xFFFF, 3), (0x10FFFF, 4))

Subset = frozenset[int]


class Automaton:
    """Reads bytes; states are numbers, 0 is where every text begins.

    Args:
        pattern: of whole texts.

    Raises:
        SettingError: the pattern repeats too much.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        if native_part() is None:
            _ = self._nodes  # whatever is too large is refused here
        self._unused = [self._compiled()]

    def compiled(self) -> Any | None:  # noqa: ANN401 - of the compiled part
        """Return a new automaton of the compiled part, which has a memory of states of its own.

        Returns:
            None where nothing is compiled.
        """
        try:
            return self._unused.pop()  # several threads may ask
        except IndexError:
            return self._compiled()

    def _compiled(self) -> Any | None:  # noqa: ANN401
        native = native_part()
        if native is None:
            return None
        try:
            return native.Pattern(np.array(written_down(self._pattern), dtype=np.int32))
        except ValueError as error:
            raise SettingError("text.pattern-too-large", most=_MOST_NODES) from error

    def step(self, state: int, byte: int) -> int:
        """Return the state after one more byte, DEAD where no text goes on so."""
        return self._nodes.step(state, byte)

    def read(self, state: int, content: bytes) -> int:
        """Return the state after some bytes, DEAD where no text goes on so."""
        for byte in content:
            state = self._nodes.step(state, byte)
            if state == DEAD:
                break
        return state

    def is_end(self, state: int) -> bool:
        """Say whether a text may end here."""
        return self._nodes.is_end(state)

    def can_go_on(self, state: int) -> bool:
        """Say whether a text may go on from here."""
        return self._nodes.can_go_on(state)

    def left(self, state: int) -> int:
        """Return how many bytes the shortest way to an end has; NEVER where there is none."""
        return self._nodes.left(state)

    @property
    def longest_left(self) -> int:
        """The longest of all shortest ways to an end, in bytes."""
        return self._nodes.longest_left

    def matches(self, text: str) -> bool:
        """Say whether a whole text is one of the pattern's."""
        state = self.read(0, text.encode("utf-8", "surrogatepass"))
        return state != DEAD and self.is_end(state)

    @cached_property
    def _nodes(self) -> _Nodes:
        return _Nodes(self._pattern)


class _Nodes:
    """The automaton itself, made when somebody asks it something.

    Args:
        pattern: of whole texts.

    Raises:
        SettingError: the pattern repeats too much.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._edges: list[list[tuple[int, int, int]]] = []
        self._free: list[list[int]] = []
        begin, self._end = self._node(), self._node()
        self._connect(pattern, begin, self._end)
        start = self._closed([begin])
        self._numbers: dict[Subset, int] = {start: 0}
        self._subsets: list[Subset] = [start]
        self._steps: list[dict[int, int]] = [{}]

    def step(self, state: int, byte: int) -> int:
        """Return the state after one more byte, DEAD where no text goes on so."""
        steps = self._steps[state]
        if byte not in steps:
            nodes = {
                target
                for node in self._subsets[state]
                for first, last, target in self._edges[node]
                if first <= byte <= last
            }
            steps[byte] = self._number(self._closed(nodes)) if nodes else DEAD
        return steps[byte]

    def is_end(self, state: int) -> bool:
        """Say whether a text may end here."""
        return self._end in self._subsets[state]

    def can_go_on(self, state: int) -> bool:
        """Say whether a text may go on from here."""
        return any(self._edges[node] for node in self._subsets[state])

    def left(self, state: int) -> int:
        """Return how many bytes the shortest way from a state to an end has."""
        return min((self._left[node] for node in self._subsets[state]), default=NEVER)

    @cached_property
    def longest_left(self) -> int:
        """The longest of all shortest ways to an end, in bytes."""
        return max(length for length in self._left if length != NEVER)

    @cached_property
    def _left(self) -> list[int]:
        """Bytes from every node to the end, found against all edges, level by level."""
        before: list[list[tuple[int, int]]] = [[] for _node in self._edges]
        for node, edges in enumerate(self._edges):
            for _first, _last, target in edges:
                before[target].append((node, 1))
            for target in self._free[node]:
                before[target].append((node, 0))
        found = [NEVER] * len(self._edges)
        levels: list[list[int]] = [[self._end], []]
        length = 0
        while levels[0]:
            while levels[0]:
                node = levels[0].pop()
                if found[node] != NEVER:
                    continue
                found[node] = length
                for source, cost in before[node]:
                    if found[source] == NEVER:
                        levels[cost].append(source)
            levels.reverse()
            length += 1
        return found

    def _number(self, subset: Subset) -> int:
        if subset not in self._numbers:
            self._numbers[subset] = len(self._subsets)
            self._subsets.append(subset)
            self._steps.append({})
        return self._numbers[subset]

    def _closed(self, nodes: Iterable[int]) -> Subset:
        found, waiting = set(nodes), list(nodes)
        while waiting:
            for target in self._free[waiting.pop()]:
                if target not in found:
                    found.add(target)
                    waiting.append(target)
        return frozenset(found)

    def _node(self) -> int:
        if len(self._edges) >= _MOST_NODES:
            raise SettingError("text.pattern-too-large", most=_MOST_NODES)
        self._edges.append([])
        self._free.append([])
        return len(self._edges) - 1

    def _connect(self, pattern: Pattern, begin: int, end: int) -> None:
        """Add what leads from one node to another over the texts of a pattern."""
        if isinstance(pattern, Characters):
            for ranges in (r for one in pattern.ranges for r in utf8_ranges(*one)):
                self._bytes(ranges, begin, end)
        elif isinstance(pattern, Literal):
            self._literal(pattern.content, begin, end)
        elif isinstance(pattern, Sequence):
            for part in pattern.parts:
                behind = self._node()
                self._connect(part, begin, behind)
                begin = behind
            self._free[begin].append(end)
        elif isinstance(pattern, Choice):
            for part in pattern.parts:
                self._connect(part, begin, end)
        else:
            self._repeat(pattern, begin, end)

    def _literal(self, content: bytes, begin: int, end: int) -> None:
        for byte in content:
            behind = self._node()
            self._edges[begin].append((byte, byte, behind))
            begin = behind
        self._free[begin].append(end)

    def _repeat(self, pattern: Repeat, begin: int, end: int) -> None:
        for _ in range(pattern.least):
            behind = self._node()
            self._connect(pattern.part, begin, behind)
            begin = behind
        if pattern.most is None:
            loop = self._node()
            self._free[begin].append(loop)
            back = self._node()
            self._connect(pattern.part, loop, back)
            self._free[back].append(loop)
            self._free[loop].append(end)
            return
        for _ in range(pattern.most - pattern.least):
            self._free[begin].append(end)
            behind = self._node()
            self._connect(pattern.part, begin, behind)
            begin = behind
        self._free[begin].append(end)

    def _bytes(self, ranges: tuple[Range, ...], begin: int, end: int) -> None:
        for first, last in ranges[:-1]:
            behind = self._node()
            self._edges[begin].append((first, last, behind))
            begin = behind
        self._edges[begin].append((*ranges[-1], end))


def utf8_ranges(first: int, last: int) -> list[tuple[Range, ...]]:
    """Return the sequences of byte ranges of the characters first to last.

    >>> utf8_ranges(0x41, 0x5A)
    [((65, 90),)]
    >>> utf8_ranges(0x7F, 0x80)
    [((127, 127),), ((194, 194), (128, 128))]
    """
    found: list[tuple[Range, ...]] = []
    begin = first
    for largest, length in _LENGTHS:
        if begin <= min(last, largest):
            found += _same_length(begin, min(last, largest), length)
            begin = largest + 1
        if begin > last:
            break
    return found


def _same_length(first: int, last: int, length: int) -> list[tuple[Range, ...]]:
    """Split until all bytes behind a differing one run over their whole range."""
    for shift in range(6, 6 * length, 6):
        mask = (1 << shift) - 1
        if (first >> shift) == (last >> shift):
            continue
        if first & mask:
            middle = first | mask
            return _same_length(first, middle, length) + _same_length(middle + 1, last, length)
        if (last & mask) != mask:
            middle = last & ~mask
            return _same_length(first, middle - 1, length) + _same_length(middle, last, length)
    low, high = (chr(code).encode("utf-8", "surrogatepass") for code in (first, last))
    return [tuple(zip(low, high, strict=True))]
