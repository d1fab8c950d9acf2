"""Documents, plates and accounts: what a form, a check digit or a word before it tells."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparrowlm.privacy.check_digits import (
    is_company_code,
    is_division,
    is_iban,
    is_iban_country,
    looks_like_id,
)
from sparrowlm.privacy.kinds import Item, Kind
from sparrowlm.privacy.windows import Window
from sparrowlm.privacy.words import Words

# The first sign comes before the look behind it: a pattern that begins with a set of signs is
# searched for several times faster than one that begins with a condition.
_BEFORE = r"(?<![0-9A-Za-z_].)"
_AFTER = r"(?![0-9A-Za-z_])"
_COMPANY = re.compile(
    r"[1-9ANY]" + _BEFORE + r"[1-59][0-9]{6}[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]{10}" + _AFTER
)
# From its first digit on; two letters stand before.
_IBAN = re.compile(
    r"[0-9](?<=[A-Za-z]{2}.)(?<![0-9A-Za-z_]...)[0-9](?: ?[A-Za-z0-9]){11,30}" + _AFTER
)
_PASSPORT = re.compile(
    r"[DdEeGgHhKkMmPpSs]" + _BEFORE + r"(?:[0-9]{7,10}|[A-HJ-NP-Za-hj-np-z][0-9]{7})" + _AFTER
)
_CHINESE_PASSPORT = re.compile(r"[EeGg][0-9]{8}|[Ee][A-Za-z][0-9]{7}")
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
    r"[A-HJ-NP-Za-hj-np-z][·•. -]?([A-HJ-NP-Za-hj-np-z0-9]{4,5}[A-HJ-NP-Za-hj-np-z0-9挂学警港澳])"
    + _AFTER
)
_IS = r"(?:是|为| is)?[^0-9A-Za-z\u4e00-\u9fff\n]{0,4}"
_NUMBER = r"(?:号码?|编号|[Nn]o\.?| [Nn]o\.?| [Nn]umber)?" + _IS
_WECHAT = re.compile(
    r"(?:号码?|账号|帐号| ?[Ii][Dd])?" + _IS + r"([A-Za-z][-_A-Za-z0-9]{5,19})(?![-_A-Za-z0-9])"
)
_QQ = re.compile(r"(?:号码?|群号?)?" + _IS + r"([1-9][0-9]{4,10})(?![0-9])")
_PASSPORT_OF_ANY = re.compile(_NUMBER + r"([A-Z]{0,3}[0-9]{6,9})" + _AFTER)
_PERMIT_OF_TAIWAN = re.compile(_NUMBER + r"([0-9]{8}(?:[0-9]{2})?)(?![0-9])")
# What is a number of a kind because of the word before it: words, kind, what follows.
_ANNOUNCED: tuple[tuple[tuple[str, ...], Kind, re.Pattern[str]], ...] = (
    (
        ("微信", "薇信", "V信", "v信", "echat", "eChat", "ECHAT", "weixin", "vx", "VX"),
        "wechat",
        _WECHAT,
    ),
    (("QQ", "qq", "Qq", "扣扣"), "qq", _QQ),
    (("护照", "assport", "ASSPORT"), "passport", _PASSPORT_OF_ANY),
    (("台胞证", "大陆通行证"), "permit", _PERMIT_OF_TAIWAN),
)
_WXID = re.compile(r"wxid_(?<![0-9A-Za-z]wxid_)[0-9a-z]{8,24}(?![0-9a-z])")
_SSN = re.compile(
    r"[0-8](?<![0-9A-Za-z_-].)(?<!000|666)[0-9]{2}(?<!000|666)-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9A-Za-z_-])"
)


def documents(window: Window) -> Iterator[Item]:
    """Yield passports, permits, company codes, plates, IBANs and the like of a window."""
    text = window.text
    words = Words(text)
    for found in _COMPANY.finditer(text):
        code = found[0].upper()
        is_person = code[:17].isdecimal() and (
            looks_like_id(code) or words.announce_number(found.start())
        )
        if not is_person and is_division(code[2:4]) and is_company_code(code):
            yield _item(window, *found.span(), "company_code", 3)
    for found in _IBAN.finditer(text):
        yield from _iban(window, found)
    for found in _PASSPORT.finditer(text):
        yield from _passport(window, found, words)
    for found in _PLATE.finditer(text):
        num_digits = sum(sign.isdecimal() for sign in found[1])
        if num_digits >= 2 and len(found[1]) <= 6:
            yield _item(window, *found.span(), "plate", 2)
    for found in _SSN.finditer(text):
        yield _item(window, *found.span(), "ssn", 2)
    for found in _WXID.finditer(text):
        yield _item(window, *found.span(), "wechat", 3)


def announced(window: Window) -> Iterator[Item]:
    """Yield what only the word before it tells: WeChat, QQ, foreign passports, permits."""
    text = window.text
    for words, kind, pattern in _ANNOUNCED:
        for word in words:
            place = text.find(word)
            while place >= 0:
                found = pattern.match(text, place + len(word))
                if found is not None:
                    yield _item(window, *found.span(1), kind, 2)
                place = text.find(word, place + 1)


def _iban(window: Window, found: re.Match[str]) -> Iterator[Item]:
    """Yield an IBAN, without words that follow it: its country says how long it is."""
    start = found.start() - 2
    if not is_iban_country(window.text[start : start + 2].upper()):
        return
    whole = window.text[start : found.end()]
    signs = [(i, sign) for i, sign in enumerate(whole) if sign != " "]
    for length in range(len(signs), 14, -1):
        code = "".join(sign for _i, sign in signs[:length]).upper()
        end = start + signs[length - 1][0] + 1
        is_whole = end == found.end() or window.text[end] == " "
        if is_whole and is_iban(code):
            yield _item(window, start, end, "iban", 3)
            return


def _passport(window: Window, found: re.Match[str], words: Words) -> Iterator[Item]:
    start = found.start()
    document = words.document(start)
    if document is not None:
        yield _item(window, *found.span(), document, 3)
    elif _CHINESE_PASSPORT.fullmatch(found[0]) and not words.announce_number(start):
        yield _item(window, *found.span(), "passport", 1)


def _item(window: Window, start: int, end: int, kind: Kind, certainty: int) -> Item:
    return Item(window.start(start), window.end(end), kind, "", certainty)
