"""Check digits: whether a number is one that somebody gave out, and the digit that makes it one.

Sources: GB 11643-1999 with ISO 7064:1983 MOD 11-2 (identity cards), ISO/IEC 7812-1 annex B (Luhn,
cards), GB 32100-2015 (social credit codes, MOD 31), ISO 13616-1 (IBAN, MOD 97).
"""

from __future__ import annotations

from datetime import date
from operator import mul

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
# First two digits of the administrative division.
_PROVINCES = frozenset((
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52,
    53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83,
))  # fmt: skip
# Twice a digit, and the digits of that added.
_DOUBLED = str.maketrans("0123456789", "0246813579")
_COMPANY_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_COMPANY_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VG": 24, "XK": 20,
}  # fmt: skip


def id_check(first_17: str) -> str:
    """Return the last sign of an identity card number.

    >>> id_check("11010519491231002")
    'X'
    """
    total = sum(map(mul, map(int, first_17), _ID_WEIGHTS))
    return _ID_CHECKS[total % 11]


def is_division(digits: str) -> bool:
    """Say whether two signs are the number of a province."""
    return digits.isdecimal() and int(digits) in _PROVINCES


def looks_like_id(digits: str) -> bool:
    """Say whether 15 or 18 digits begin with a division and a day of birth, whatever the check."""
    if not is_division(digits[:2]):
        return False
    day = digits[6:14] if len(digits) == 18 else "19" + digits[6:12]
    try:
        born = date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        return False
    return date(1900, 1, 1) <= born <= date.today()


def is_id(digits: str) -> bool:
    """Say whether 18 signs are an identity card number: division, day of birth, check digit."""
    return looks_like_id(digits) and id_check(digits[:17]) == digits[17].upper()


def luhn_check(digits: str) -> str:
    """Return the digit that makes digits a card number.

    >>> luhn_check("7992739871")
    '3'
    """
    doubled = digits[-1::-2].translate(_DOUBLED)
    return str(-(sum(map(int, doubled)) + sum(map(int, digits[-2::-2]))) % 10)


def is_card(digits: str) -> bool:
    """Say whether the last of some digits is the check digit of a card number."""
    return luhn_check(digits[:-1]) == digits[-1]


def company_check(first_17: str) -> str:
    """Return the last sign of a unified social credit code.

    >>> company_check("91350100M000100Y4")
    '3'
    """
    values = (_COMPANY_SIGNS.index(sign) for sign in first_17)
    total = sum(value * w for value, w in zip(values, _COMPANY_WEIGHTS, strict=True))
    return _COMPANY_SIGNS[-total % 31]


def is_company_code(code: str) -> bool:
    """Say whether 18 upper-case signs are a unified social credit code."""
    return set(code) <= set(_COMPANY_SIGNS) and company_check(code[:17]) == code[17]


def iban_check(country: str, account: str) -> str:
    """Return the two check digits of an IBAN.

    >>> iban_check("DE", "370400440532013000")
    '89'
    """
    return f"{98 - _iban_number(account + country + '00') % 97:02d}"


def is_iban_country(country: str) -> bool:
    """Say whether two upper-case letters are a country with IBANs."""
    return country in _IBAN_LENGTHS


def is_iban(code: str) -> bool:
    """Say whether upper-case signs without gaps are an IBAN of a country that has them."""
    if _IBAN_LENGTHS.get(code[:2]) != len(code):
        return False
    return _iban_number(code[4:] + code[:4]) % 97 == 1


def _iban_number(signs: str) -> int:
    return int("".join(str(int(sign, 36)) for sign in signs))
