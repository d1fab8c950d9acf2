"""Words before a number that say what it is, or what it is not."""

from __future__ import annotations

import re
from typing import Literal

_REACH = 16
_ANNOUNCING = {
    "id_card": re.compile(
        r"身份证|身分证|证件号|公民身份|居民身份|\bID(?: card| number| no)|identity", re.IGNORECASE
    ),
    "bank_card": re.compile(
        r"卡号|银行|信用卡|借记卡|储蓄卡|账号|帐号|账户|打款|转账|汇款|尾号"
        r"|\bcard|account|visa|master|amex|debit|credit",
        re.IGNORECASE,
    ),
    "phone": re.compile(
        r"电话|座机|固话|传真|拨打|回拨|致电|\b(?:tel|call|phone|fax)", re.IGNORECASE
    ),
    "passport": re.compile(r"护照|passport", re.IGNORECASE),
    "permit": re.compile(
        r"通行证|回乡证|回鄉證|台胞证|港澳|往来|證件|证件|居住证|permit", re.IGNORECASE
    ),
}
_OTHER_NUMBERS = re.compile(
    r"订单|單號|单号|运单|快递|流水|编号|編號|序列|编码|条码|批号|型号|货号|批次|工号|学号|合同|发票"
    r"|票号|版本|代码|案号|期号|样本|校验|哈希|时间戳|金额|设备|商品|物流|参考"
    r"|order|invoice|tracking|serial|\bsn\b|\bsku\b|model|version|batch|ticket|reference|\bref\b"
    r"|product|part|item|build|isbn|timestamp|imei|hash|checksum|case",
    re.IGNORECASE,
)
Announced = Literal["id_card", "bank_card", "phone", "passport", "permit"]
_DOCUMENTS: tuple[Literal["permit"], Literal["passport"]] = ("permit", "passport")


class Words:
    """What stands before places of a text.

    Args:
        text: in plain form.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def announce(self, kind: Announced, place: int) -> bool:
        """Say whether the words before a place speak of a kind, and not later of another number."""
        before = self._text[max(place - _REACH, 0) : place]
        ours = _last(_ANNOUNCING[kind], before)
        return ours >= 0 and ours >= _last(_OTHER_NUMBERS, before)

    def document(self, place: int) -> Literal["passport", "permit"] | None:
        """Say which of two documents the words before a place speak of, None where of neither."""
        before = self._text[max(place - _REACH, 0) : place]
        ends = {_last(_ANNOUNCING[kind], before): kind for kind in _DOCUMENTS}
        latest = max(ends)
        return ends[latest] if latest >= 0 and latest >= _last(_OTHER_NUMBERS, before) else None

    def announce_number(self, place: int) -> bool:
        """Say whether the words before a place speak of an order, a version, a serial number."""
        before = self._text[max(place - _REACH, 0) : place]
        return _OTHER_NUMBERS.search(before) is not None


def _last(pattern: re.Pattern[str], text: str) -> int:
    """Return where the last match ends, -1 where there is none."""
    return max((match.end() for match in pattern.finditer(text)), default=-1)
