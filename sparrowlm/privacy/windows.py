"""The few places of a text where personal data can be, found without looking at each rule.

Most of a text holds no digits, no "@" and no words that announce a number. One pass finds the
places that do, and only the text around them is brought into plain form (digits of all scripts and
full-width signs become ASCII, invisible signs go) and read by the rules.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_AROUND = 80
_USUAL_LENGTH = 1200
_MOST_TOKEN = 80
# Zero-width signs, soft hyphens and marks of direction: seen by nobody, and apt to hide digits.
_INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff"
_HAS_INVISIBLE = re.compile(f"[{_INVISIBLE}]")
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_SPACES = "\u00a0\u2002\u2003\u2007\u2009\u202f\u3000"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_LETTERS = "A-Za-z\uff21-\uff3a\uff41-\uff5a"

# Five digits with at most three other signs between two of them (invisible ones count, so six more
# are allowed where they are), or four numbers with dots.
_DIGITS = re.compile(r"\d(?:[^\d\n]{0,3}\d){4}|\d{1,3}(?:[.．]\d{1,3}){3}")
_HIDDEN_DIGITS = re.compile(r"\d(?:[^\d\n]{0,12}\d){4}")
_PLATES = re.compile(f"[{_PROVINCES}][{_LETTERS}]")
_COLONS = re.compile(":[0-9a-fA-F]{0,4}:")
# All that has a plain form, but for the punctuation of everyday Chinese.
_UNUSUAL = re.compile(
    f"[{_INVISIBLE}{_DASHES}{_SPACES}\uff0b\uff0d-\uff19\uff20-\uff3a\uff3f\uff41-\uff5a"
    "\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\U0001d7ce-\U0001d7ff]"
)
# From its first dash on: what is searched for begins with a sign that is rare.
_UUID = re.compile(r"-(?<=[0-9a-fA-F]{8}-)(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])")
# Words that announce what has too few digits to be seen, as far as they are written alike.
_WORDS = (
    "@", "＠", "微信", "薇信", "echat", "eChat", "ECHAT", "eixin", "xid_", "vx", "VX", "V信", "v信",
    "QQ", "qq", "ＱＱ", "扣扣", "护照", "assport", "ASSPORT",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a text in plain form.

    Attributes:
        text: the plain form.
        places: of every plain character its place in the whole text, and one past the end; None
            where they simply follow offset.
        offset: where the window begins in the whole text.
    """

    text: str
    places: tuple[int, ...] | None
    offset: int

    def start(self, place: int) -> int:
        """Return where a plain character stands in the whole text."""
        return self.offset + place if self.places is None else self.places[place]

    def end(self, place: int) -> int:
        """Return one past where the plain character before place stands in the whole text."""
        return self.offset + place if self.places is None else self.places[place - 1] + 1


def windows(text: str) -> Iterator[Window]:
    """Yield the parts of a text that the rules have to read, in order, none overlapping."""
    for start, end in _merged(_triggers(text), text):
        yield _plain(text, *_whole_words(text, start, end))


def _triggers(text: str) -> list[tuple[int, int]]:
    is_hidden = _HAS_INVISIBLE.search(text) is not None
    digits = _HIDDEN_DIGITS if is_hidden else _DIGITS
    found = [match.span() for match in digits.finditer(text)]
    found += [match.span() for match in _PLATES.finditer(text)]
    if ":" in text:
        found += [match.span() for match in _COLONS.finditer(text)]
    for word in _WORDS:
        place = text.find(word)
        while place >= 0:
            found.append((place, place + len(word)))
            place = text.find(word, place + len(word))
    found.sort()
    return found


def _merged(spans: list[tuple[int, int]], text: str) -> Iterator[tuple[int, int]]:
    start, end = -1, -1
    for first, last in spans:
        if first - _AROUND > end >= 0:
            yield max(start, 0), min(end, len(text))
            start, end = first - _AROUND, -1
        elif end < 0:
            start = first - _AROUND
        elif first - start > _USUAL_LENGTH:
            # Short windows let most of them be read as they are; a line's end may part them.
            cut = text.rfind("\n", max(start, end - 2 * _AROUND), first)
            if cut >= 0:
                yield max(start, 0), cut
                start = cut
        end = max(end, last + _AROUND)
    if end >= 0:
        yield max(start, 0), min(end, len(text))


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Move both ends outward so that neither cuts a word or number in two."""
    first, last = max(start - _MOST_TOKEN, 0), min(end + _MOST_TOKEN, len(text))
    while start > first and _is_inside(text[start - 1]):
        start -= 1
    while end < last and _is_inside(text[end]):
        end += 1
    return start, end


def _is_inside(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "-._@+")


def _plain(text: str, start: int, end: int) -> Window:
    # Digits of an identifier are no numbers; underscores keep the places as they are.
    part = _UUID.sub(lambda found: "_" * len(found[0]), text[start:end])
    if part.isascii():
        return Window(part, None, start)
    if _UNUSUAL.search(part) is None:
        return Window(part.replace("（", "(").replace("）", ")"), None, start)
    plain = part.translate(plain_signs())
    if len(plain) == len(part):
        return Window(plain, None, start)
    places: list[int] = []
    first = 0
    for found in _HAS_INVISIBLE.finditer(part):
        places.extend(range(start + first, start + found.start()))
        first = found.end()
    return Window(plain, (*places, *range(start + first, end + 1)), start)


@cache
def plain_signs() -> dict[int, str | None]:
    """Map every sign that has a plain ASCII form to it, and invisible signs to nothing."""
    table: dict[int, str | None] = {0xFF01 + i: chr(0x21 + i) for i in range(94)}
    table |= dict.fromkeys(map(ord, _DASHES), "-") | dict.fromkeys(map(ord, _SPACES), " ")
    for code in range(0x80, sys.maxunicode + 1):
        digit = unicodedata.decimal(chr(code), None)
        if digit is not None:
            table[code] = str(digit)
    for first, last in re.findall(r"(.)(?:-(.))?", _INVISIBLE):
        for code in range(ord(first), ord(last or first) + 1):
            table[code] = None
    return table
