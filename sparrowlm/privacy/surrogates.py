"""Stand-ins of the same form: a number becomes another valid number, made with a key.

Equal numbers get equal stand-ins, so rows that belonged together still do; without the key nobody
can tell which number it was. Gaps, width and length stay, check digits are right.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import date, timedelta

from sparrowlm.privacy.check_digits import company_check, iban_check, id_check, luhn_check
from sparrowlm.privacy.kinds import Kind
from sparrowlm.privacy.windows import plain_signs

_FIRST_BIRTHDAY = date(1950, 1, 1)
_NUM_BIRTHDAYS = 20_000
_COMPANY_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰"
_NAMES = ("Alex", "Sam", "Robin", "Kim", "Chris", "Jamie", "Lee", "Morgan", "Taylor", "Jordan")
_PLACES: dict[Kind, tuple[str, str]] = {
    "address": ("某地", "Somewhere"),
    "organisation": ("某机构", "Some Company"),
}


class Draws:
    """An endless row of numbers that a key and an item decide.

    Args:
        key: secret.
        item: what is replaced, in plain form.
    """

    def __init__(self, key: bytes, item: str) -> None:
        self._key = key
        self._item = item.encode("utf-8", "surrogatepass")
        self._number = 0

    def below(self, limit: int) -> int:
        """Return the next number, 0 to limit - 1."""
        self._number += 1
        message = self._number.to_bytes(4, "big") + self._item
        digest = hmac.new(self._key, message, hashlib.sha256).digest()
        return int.from_bytes(digest[:8], "big") % limit

    def among(self, signs: str) -> str:
        """Return one of some signs."""
        return signs[self.below(len(signs))]

    def digits(self, count: int, signs: str = "0123456789") -> str:
        """Return so many digits."""
        return "".join(self.among(signs) for _ in range(count))


def plain_form(text: str) -> str:
    """Return an item without gaps, invisible signs and differences of width and case.

    >>> plain_form("１３８-1234 5678")
    '13812345678'
    """
    plain = text.translate(plain_signs())
    return "".join(sign for sign in plain if sign not in " -()·•\t").casefold()


def surrogate(kind: Kind, text: str, key: bytes) -> str:
    """Return a stand-in for an item.

    Args:
        kind: of the item.
        text: the item as it stands in a text.
        key: secret; equal keys give equal stand-ins.
    """
    draws = Draws(key, kind + plain_form(text))
    if kind == "name":
        return _name(text, draws)
    if kind in _PLACES:
        return _PLACES[kind][0 if not text.isascii() else 1]
    if kind == "email":
        return _email(text, draws)
    places = [i for i, sign in enumerate(text) if sign.translate(plain_signs()).isalnum()]
    signs = "".join(text[i].translate(plain_signs()) for i in places)
    if kind == "ip":
        return _address(text, draws)
    made = _MAKERS.get(kind, _same_signs)(signs, draws)
    written = list(text)
    for place, sign in zip(places, made, strict=True):
        is_wide = "\uff01" <= text[place] <= "\uff5e"
        written[place] = chr(ord(sign) + 0xFEE0) if is_wide and sign.isascii() else sign
    return "".join(written)


def _same_signs(signs: str, draws: Draws) -> str:
    """Replace digits by digits and letters by letters; the first sign stays."""
    return signs[:1] + "".join(_like(sign, draws) for sign in signs[1:])


def _like(sign: str, draws: Draws) -> str:
    if sign.isdecimal():
        return draws.among("0123456789")
    if not sign.isascii():
        return sign
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return draws.among(letters if sign.isupper() else letters.lower())


def _id_card(signs: str, draws: Draws) -> str:
    born = _FIRST_BIRTHDAY + timedelta(days=draws.below(_NUM_BIRTHDAYS))
    if len(signs) == 15:
        return f"{signs[:6]}{born:%y%m%d}{1 + draws.below(999):03d}"
    body = f"{signs[:6]}{born:%Y%m%d}{draws.digits(3)}"
    return body + id_check(body)


def _bank_card(signs: str, draws: Draws) -> str:
    # Never all alike: such numbers are nobody's.
    body = signs[:6] + draws.digits(len(signs) - 9) + "37"
    return body + luhn_check(body)


def _mobile(signs: str, draws: Draws) -> str:
    return signs[:-9] + draws.digits(9)


def _phone(signs: str, draws: Draws) -> str:
    kept = max(len(signs) - 7, 0)
    return signs[:kept] + draws.digits(len(signs) - kept, "23456789")


def _company_code(signs: str, draws: Draws) -> str:
    body = signs[:8].upper() + draws.digits(9, _COMPANY_SIGNS)
    return body + company_check(body)


def _iban(signs: str, draws: Draws) -> str:
    country, account = signs[:2].upper(), signs[4:].upper()
    other = "".join(_like(sign, draws) for sign in account)
    return country + iban_check(country, other) + other


def _ssn(_signs: str, draws: Draws) -> str:
    return draws.among("12345") + draws.digits(8, "123456789")


def _plate(signs: str, draws: Draws) -> str:
    return signs[:2] + "".join(_like(sign, draws) for sign in signs[2:])


def _email(text: str, draws: Draws) -> str:
    local, _, domain = text.translate(plain_signs()).partition("@")
    other = "".join(_like(sign, draws) for sign in local)
    return f"{other}@example.{domain.rpartition('.')[2]}"


def _address(text: str, draws: Draws) -> str:
    plain = text.translate(plain_signs())
    if "." in plain:
        return "10." + ".".join(str(1 + draws.below(254)) for _ in range(3))
    return "".join(draws.among("123456789abcdef") if sign not in ":." else sign for sign in plain)


def _name(text: str, draws: Draws) -> str:
    if text.isascii():
        return " ".join(_NAMES[draws.below(len(_NAMES))] for _word in text.split()) or text
    return draws.among(_SURNAMES) + draws.digits(max(len(text) - 1, 0), _GIVEN)


_MAKERS: dict[Kind, Callable[[str, Draws], str]] = {
    "id_card": _id_card,
    "bank_card": _bank_card,
    "mobile": _mobile,
    "phone": _phone,
    "company_code": _company_code,
    "iban": _iban,
    "ssn": _ssn,
    "plate": _plate,
}
