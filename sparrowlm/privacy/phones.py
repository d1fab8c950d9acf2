"""Telephone numbers: China, the United States, the United Kingdom, and "+" with a country code.

Sources: the numbering plans of MIIT (China), NANPA (North America) and Ofcom (UK); ITU-T E.164.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparrowlm.privacy.kinds import Item
from sparrowlm.privacy.windows import Window
from sparrowlm.privacy.words import Words

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_MOBILE_GROUPS = ([11], [3, 4, 4], [3, 8], [7, 4], [4, 3, 4], [4, 4, 3], [3, 3, 5], [5, 6], [6, 5])
_AREA = re.compile(r"010|02[0-57-9]|0[3-9][0-9]{2}")
# After the first sign, as in patterns.py.
_BEFORE = r"(?<![0-9A-Za-z_.+-].)"
_AFTER = r"(?![0-9A-Za-z_]|[.-][0-9])"
_INTERNATIONAL = re.compile(
    r"[+0](?<![0-9A-Za-z_+].)(?:(?<=\+)|0)[1-9](?:[ ().-]{0,3}[0-9]){6,16}(?![0-9])"
)
_CHINESE = re.compile(
    r"[+(08](?<![0-9A-Za-z_+].)(?:\+86|0086|(?<=\+)86|(?<=0)086|(?<=8)6)\)?[ -]{0,2}"
    r"0?1[3-9][0-9](?:[ -]?[0-9]){8}(?![0-9])"
)
_BRACKETS = re.compile(
    r"\((?<![0-9A-Za-z_].)(0[1-9][0-9]{1,2})\)[ -]?[2-8][0-9]{2,3}[ -]?[0-9]{4}(?![0-9])"
)
_EXTENSION = re.compile(r"[ ]?(?:-|转|ext\.?|x)[ ]?[0-9]{1,6}(?![0-9])")
_NUMBER = r"(?!400|8(?:00|33|44|55|66|77|88))[2-9][0-9]{2}"
_AMERICAN = re.compile(
    r"[+(1-9]"
    + _BEFORE
    + r"(?:(?<=\+)1[ .-]?\(?"
    + _NUMBER
    + r"|(?<=1)[ .-]\(?"
    + _NUMBER
    + r"|(?<=\()"
    + _NUMBER
    + r"|(?<![(+1])(?<!400)[0-9]{2}(?<!400|800|833|844|855|866|877|888))"
    r"(?:\)[ ]?|[ .-])[2-9][0-9]{2}[ .-][0-9]{4}" + _AFTER
)
_BRITISH = re.compile(
    r"[(0]" + _BEFORE + r"(?:(?<=\()0|)(?:20\)?[ -]?[0-9]{4}[ -]?[0-9]{4}"
    r"|1[0-9]{2,3}\)?[ -][0-9]{3}[ -]?[0-9]{3,4}|7[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3})" + _AFTER
)
_LOCAL = re.compile(r"[2-8](?<![0-9A-Za-z_.+-].)[0-9]{2,3}[ -]?[0-9]{4}(?![0-9A-Za-z_-])")


def is_mobile_groups(digits: str, sizes: list[int]) -> bool:
    """Say whether digits in groups of such sizes are a Chinese mobile number."""
    if not _MOBILE.fullmatch(digits):
        return False
    return sizes in _MOBILE_GROUPS or sizes == [1] * 11


def is_landline(digits: str, sizes: list[int]) -> bool:
    """Say whether digits in groups of such sizes are a Chinese landline with its area code."""
    area = _AREA.match(digits)
    if area is None or len(digits) not in (10, 11, 12):
        return False
    number = digits[area.end() :]
    if len(number) not in (7, 8) or number[0] in "019":
        return False
    return len(sizes) == 1 or sizes[0] == area.end()


def phones(window: Window) -> Iterator[Item]:
    """Yield the telephone numbers of a window that are more than groups of digits."""
    text = window.text
    for found in _CHINESE.finditer(text):
        yield _item(window, found.start(), found.end(), certainty=3, is_mobile=True)
    for found in _INTERNATIONAL.finditer(text):
        num_digits = sum(sign.isdecimal() for sign in found[0])
        if 8 <= num_digits <= 15 + 2 * found[0].startswith("00") and _is_dialled(found[0]):
            certainty = 2 if found[0][0] == "+" else 1
            yield _item(window, found.start(), found.end(), certainty=certainty)
    for pattern in (_AMERICAN, _BRITISH, _BRACKETS):
        for found in pattern.finditer(text):
            end = found.end()
            extension = _EXTENSION.match(text, end) if pattern is _BRACKETS else None
            yield _item(window, found.start(), extension.end() if extension else end, certainty=2)
    words = Words(text)
    for found in _LOCAL.finditer(text):
        if words.announce("phone", found.start()):
            yield _item(window, found.start(), found.end(), certainty=2)


def _is_dialled(number: str) -> bool:
    # "00" begins many numbers that nobody dials.
    return number.startswith("+") or re.match(r"00[1-9][0-9]{0,2}[ -]", number) is not None


def _item(window: Window, start: int, end: int, *, certainty: int, is_mobile: bool = False) -> Item:
    kind = "mobile" if is_mobile else "phone"
    return Item(window.start(start), window.end(end), kind, "", certainty)  # type: ignore[arg-type]
