"""Numbers out of groups of digits: "138-1234-5678", "6222 0212 3456 7890 123", "1 1 0 1 0 5 …".

A run of digits without gaps is never cut: an eleven-digit mobile number inside a twenty-digit order
number is none. Groups that follow one another with equal gaps are joined where that makes a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparrowlm.privacy.check_digits import is_card, is_id, looks_like_id
from sparrowlm.privacy.kinds import Item, Kind
from sparrowlm.privacy.phones import is_landline, is_mobile_groups
from sparrowlm.privacy.windows import Window
from sparrowlm.privacy.words import Words

# Identity cards are written in up to five groups, cards too, and +86 takes one more.
_MOST_GROUPS = 6
_MOST_DIGITS = 22
# What may stand between two groups of one number.
_GROUPS = re.compile(
    r"[0-9](?<![0-9].)[0-9]*(?:(?: ?- ?|  ?)[0-9]+)*(?:[Xx](?![A-Za-z]))?(?![0-9])"
)
# Letters right before a number that leave it one: "tel13812345678", and not "SN13812345678".
_BEFORE = frozenset((
    "tel", "phone", "mobile", "mob", "cell", "call", "sms", "whatsapp", "wx", "vx", "wechat",
    "weixin", "qq", "user", "name", "m", "t", "p",
))  # fmt: skip
_WORD_BEFORE = re.compile(r"(?:^|[^0-9A-Za-z_])([A-Za-z]{0,8})_?$")
_WORD_AFTER = re.compile(r"_?[A-Za-z]{0,8}(?![0-9A-Za-z_])")
_REACH = 10
_FEWEST_DIGITS = 10
_GROUP = re.compile(r"([0-9]+[Xx]?)([ -]*)")
Groups = list[tuple[int, int, str, str]]
_CARD_BEGINNINGS = re.compile(r"62|4|5[1-5]|2[2-7]|3[47]|35|60|65|81|9558")


def numbers_of_groups(window: Window) -> Iterator[Item]:
    """Yield identity cards, mobiles, landlines and bank cards of a window."""
    words = Words(window.text)
    for run in _GROUPS.finditer(window.text):
        start, end = run.span()
        if end - start < _FEWEST_DIGITS:
            continue
        if run[0][:-1].isdecimal():
            kind = _kind(run[0], [end - start], words, start)
            found = [] if kind is None else [(start, end, *kind)]
        else:
            groups = [
                (start + g.start(1), start + g.end(1), g[1], g[2]) for g in _GROUP.finditer(run[0])
            ]
            found = list(_numbers(groups, words))
        for first, last, name, certainty in found:
            if _stands_alone(window.text, first, last, name):
                yield _item(window, first, last, name, certainty)


def _stands_alone(text: str, start: int, end: int, kind: Kind) -> bool:
    """Say whether what touches a number leaves it one: it is no part of a code or a fraction."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if before == "." and text[start - 2 : start - 1].isdecimal():
        return False
    touches_before = before.isascii() and (before.isalpha() or before == "_")
    touches_after = after.isascii() and (after.isalpha() or after == "_")
    if not touches_before and not touches_after:
        return True
    word = _WORD_BEFORE.search(text, max(start - _REACH, 0), start) if touches_before else None
    if (touches_before and word is None) or (
        touches_after and _WORD_AFTER.match(text, end) is None
    ):
        return False
    letters = "" if word is None else word[1].casefold()
    return kind == "id_card" or not letters or letters in _BEFORE


def _numbers(groups: Groups, words: Words) -> Iterator[tuple[int, int, Kind, int]]:
    """Yield start, end, kind and certainty of the numbers in a row of groups."""
    place = 0
    while place < len(groups):
        found = _longest(groups, place, words)
        if found is None:
            place += 1
            continue
        count, kind, certainty = found
        yield groups[place][0], groups[place + count - 1][1], kind, certainty
        place += count


def _longest(groups: Groups, first: int, words: Words) -> tuple[int, Kind, int] | None:
    """Return the longest number that begins with a group: groups, kind, certainty."""
    if len(groups[first][2]) == 1:
        return _single_digits(groups, first, words)
    joined, sizes = "", []
    best = None
    gap = groups[first][3]
    for count, (_start, _end, digits, after) in enumerate(
        groups[first : first + _MOST_GROUPS], start=1
    ):
        joined += digits
        sizes.append(len(digits))
        if len(joined) > _MOST_DIGITS:
            break
        found = _kind(joined, sizes, words, groups[first][0])
        if found is not None and (best is None or found[1] >= best[2]):
            best = (count, *found)
        if after != gap:
            break
    return best


def _single_digits(groups: Groups, first: int, words: Words) -> tuple[int, Kind, int] | None:
    """Read digits that stand one by one as a whole: no part of a long row of them is a number."""
    if first > 0 and len(groups[first - 1][2]) == 1:
        return None
    end = first
    while end < len(groups) and len(groups[end][2].rstrip("Xx")) <= 1:
        end += 1
        if end - first > _MOST_DIGITS:
            return None
    joined = "".join(group[2] for group in groups[first:end])
    found = _kind(joined, [1] * (end - first), words, groups[first][0])
    return None if found is None else (end - first, *found)


def _kind(digits: str, sizes: list[int], words: Words, start: int) -> tuple[Kind, int] | None:
    """Return kind and certainty of digits, None where they are no number of somebody."""
    length = len(digits)
    if length < _FEWEST_DIGITS or not digits[:-1].isdecimal():
        return None
    if length == 18 and is_id(digits):
        return "id_card", 3
    if length >= 13:
        return _long_kind(digits, sizes, words, start) if digits.isdecimal() else None
    if is_mobile_groups(digits, sizes):
        return "mobile", 3
    # Twelve digits in a row are more often another number.
    is_likely = len(sizes) > 1 or length < 12 or words.announce("phone", start)
    return ("phone", 2) if is_likely and is_landline(digits, sizes) else None


def _long_kind(digits: str, sizes: list[int], words: Words, start: int) -> tuple[Kind, int] | None:
    if len(digits) <= 19 and _are_card_groups(sizes) and _is_card(digits, words, start):
        return "bank_card", 3
    if sizes == [15] and looks_like_id(digits) and digits[12:] != "000":
        is_likely = words.announce("id_card", start) or not words.announce_number(start)
        return ("id_card", 2) if is_likely else None
    return None


def _are_card_groups(sizes: list[int]) -> bool:
    return len(sizes) == 1 or set(sizes[:-1]) == {4} or sizes[0] in (1, 6)


def _is_card(digits: str, words: Words, start: int) -> bool:
    if not is_card(digits) or len(set(digits)) < 3:
        return False
    if words.announce("bank_card", start):
        return True
    # A number of another kind that happens to pass: one in ten does.
    is_other = words.announce_number(start) or words.announce("id_card", start)
    is_other = is_other or len(digits) < 15 or (len(digits) == 18 and looks_like_id(digits))
    return not is_other and _CARD_BEGINNINGS.match(digits) is not None


def _item(window: Window, start: int, end: int, kind: Kind, certainty: int) -> Item:
    first, last = window.start(start), window.end(end)
    return Item(first, last, kind, "", certainty)
