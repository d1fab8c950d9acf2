"""Kinds of personal data, and what stands in their place."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from sparrowlm.foundation.messages import Language

Kind = Literal[
    "id_card", "mobile", "phone", "bank_card", "passport", "permit", "company_code", "plate",
    "wechat", "qq", "email", "ip", "iban", "ssn", "secret", "name", "address", "organisation",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

_LABELS: dict[Kind, tuple[str, str]] = {
    "id_card": ("身份证号", "ID_CARD"),
    "mobile": ("手机号", "PHONE"),
    "phone": ("电话号码", "PHONE"),
    "bank_card": ("银行卡号", "BANK_CARD"),
    "passport": ("护照号", "PASSPORT"),
    "permit": ("通行证号", "PERMIT"),
    "company_code": ("统一社会信用代码", "COMPANY_CODE"),
    "plate": ("车牌号", "LICENCE_PLATE"),
    "wechat": ("微信号", "WECHAT"),
    "qq": ("QQ号", "QQ"),
    "email": ("邮箱", "EMAIL"),
    "ip": ("IP地址", "IP_ADDRESS"),
    "iban": ("国际银行账号", "IBAN"),
    "ssn": ("社会安全号", "SSN"),
    "secret": ("密钥", "SECRET"),
    "name": ("姓名", "NAME"),
    "address": ("地址", "ADDRESS"),
    "organisation": ("机构", "ORGANISATION"),
}


def label(kind: Kind, language: Language) -> str:
    """Return what a kind is called.

    >>> label("mobile", "zh"), label("mobile", "en")
    ('手机号', 'PHONE')
    """
    return _LABELS[kind][0 if language == "zh" else 1]


class Item(NamedTuple):
    """Personal data somewhere in a text.

    Attributes:
        start: its first character.
        end: one past its last character.
        kind: what it is.
        text: as it stands there.
        certainty: 3 where a check digit or an unmistakable form says so, 2 where words before it
            do, 1 where only its form does; of two that overlap the more certain one stays.
    """

    start: int
    end: int
    kind: Kind
    text: str
    certainty: int = 1


def without_overlaps(items: list[Item]) -> list[Item]:
    """Return items in order; of those that overlap the more certain, then the longer one."""
    kept: list[Item] = []
    for item in sorted(items, key=lambda item: (item.start, -item.end)):
        while kept and item.start < kept[-1].end and _is_better(item, kept[-1]):
            kept.pop()
        if not kept or item.start >= kept[-1].end:
            kept.append(item)
    return kept


def _is_better(one: Item, other: Item) -> bool:
    return (one.certainty, one.end - one.start) > (other.certainty, other.end - other.start)
