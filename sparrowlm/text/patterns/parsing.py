r"""Regular expressions as `re.fullmatch` means them, as far as they are regular languages.

    a . [a-z] [^"\\] \d \w \s \D \W \S \n \t \r \. \u4e00 \x41
    ab  a|b  (a)  (?:a)  a?  a*  a+  a{2}  a{2,}  a{2,5}

No anchors (the whole text is meant), no backward references, no looking around, no lazy
quantifiers: they change nothing about what matches a whole text and are read as the others.
"""

from __future__ import annotations

import re
import sys
from functools import cache

from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.patterns.tree import (
    LAST_CHARACTER,
    Characters,
    Choice,
    Pattern,
    Range,
    Repeat,
    Sequence,
    characters,
    others,
)

_MOST_REPEATS = 1000
_DEEPEST = 50
_MOST_QUANTIFIERS = 50
_NAMED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_HEX = {"x": 2, "u": 4, "U": 8}
_NO_LITERALS = frozenset("|)*+?{}")
_QUANTIFIERS: dict[str, tuple[int, int | None]] = {"?": (0, 1), "*": (0, None), "+": (1, None)}


def parse_pattern(source: str) -> Pattern:
    """Read a regular expression.

    Raises:
        SettingError: it is none, or asks for what no automaton can do.
    """
    parser = _Parser(source)
    found = parser.alternatives(0)
    if parser.place < len(source):
        parser.refuse(source[parser.place])
    return found


@cache
def named_class(name: str) -> Characters:
    r"""Return the characters of \d, \w or \s, as `re` has them."""
    matches = re.compile(rf"\{name}").match
    ranges: list[Range] = []
    for code in range(sys.maxunicode + 1):
        if matches(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1] = (ranges[-1][0], code)
            else:
                ranges.append((code, code))
    return characters(ranges)


class _Parser:
    """Reads from left to right."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.place = 0

    def refuse(self, what: str) -> None:
        raise SettingError(
            "text.pattern", pattern=self._source, place=self.place + 1, received=what
        )

    def alternatives(self, depth: int) -> Pattern:
        if depth > _DEEPEST:
            self.refuse("(")
        parts = [self._sequence(depth)]
        while self._take("|"):
            parts.append(self._sequence(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self, depth: int) -> Pattern:
        parts = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._quantified(self._atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _atom(self, depth: int) -> Pattern:
        if self._take("("):
            if self._take("?") and not self._take(":"):
                self.refuse("(?" + self._next())
            inside = self.alternatives(depth + 1)
            if not self._take(")"):
                self.refuse(self._next() or "the end")
            return inside
        if self._take("["):
            return self._class()
        if self._take("."):
            return others(characters([(10, 10)]))
        sign = self._next()
        if sign in _NO_LITERALS or sign in ("^", "$"):
            self.refuse(sign)
        return self._sign()

    def _sign(self) -> Characters:
        """Read one character or class, behind a backslash or as it is."""
        sign = self._advance()
        if sign != "\\":
            return characters([(ord(sign), ord(sign))])
        sign = self._advance()
        if sign.lower() in ("d", "w", "s"):
            found = named_class(sign.lower())
            return found if sign.islower() else others(found)
        code = self._escaped(sign)
        return characters([(code, code)])

    def _escaped(self, sign: str) -> int:
        if sign in _NAMED:
            return ord(_NAMED[sign])
        if sign in _HEX:
            digits = self._source[self.place : self.place + _HEX[sign]]
            if not re.fullmatch(f"[0-9a-fA-F]{{{_HEX[sign]}}}", digits):
                self.refuse(f"\\{sign}{digits}")
            self.place += len(digits)
            code = int(digits, 16)
            if code > LAST_CHARACTER:
                self.refuse(f"\\{sign}{digits}")
            return code
        if sign.isalnum():
            self.refuse(f"\\{sign}")
        return ord(sign)

    def _class(self) -> Pattern:
        is_negated = self._take("^")
        ranges: list[Range] = []
        is_first = True
        while is_first or not self._take("]"):
            is_first = False
            first = self._sign()
            is_range = self._next() == "-" and self._source[self.place + 1 : self.place + 2] != "]"
            if not is_range:
                ranges += first.ranges
                continue
            self._advance()
            last = self._sign()
            ends = (
                (first.ranges[0][0], last.ranges[-1][1]) if first.ranges and last.ranges else (1, 0)
            )
            if len(first.ranges) != 1 or len(last.ranges) != 1 or ends[0] > ends[1]:
                self.refuse("-")
            ranges.append(ends)
        found = characters(ranges)
        return others(found) if is_negated else found

    def _quantified(self, part: Pattern) -> Pattern:
        count = 0
        while (sign := self._next()) and sign in "?*+{":
            count += 1
            if count > _MOST_QUANTIFIERS:
                self.refuse(sign)
            self._advance()
            least, most = self._counts() if sign == "{" else _QUANTIFIERS[sign]
            self._take("?")  # lazy: the same texts
            part = Repeat(part, least, most)
        return part

    def _counts(self) -> tuple[int, int | None]:
        found = re.compile(r"([0-9]+)(,([0-9]*))?\}").match(self._source, self.place)
        if found is None:
            self.refuse("{")
            return 0, 0
        self.place = found.end()
        least = int(found[1])
        most = least if found[2] is None else int(found[3]) if found[3] else None
        if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
            self.refuse(found[0])
        return least, most

    def _next(self) -> str:
        return self._source[self.place : self.place + 1]

    def _advance(self) -> str:
        sign = self._next()
        if not sign:
            self.refuse("the end")
        self.place += 1
        return sign

    def _take(self, wanted: str) -> bool:
        if self._next() != wanted:
            return False
        self.place += 1
        return True
