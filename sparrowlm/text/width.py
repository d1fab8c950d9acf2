"""Full-width letters and digits, which Chinese and Japanese texts mix with ordinary ones."""

from __future__ import annotations

import re

_DISTANCE = 0xFEE0
_RANGES = ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))
_WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]")
_NARROW = {
    code: code - _DISTANCE for first, last in _RANGES for code in range(first, last + 1)
}  # fmt: skip


def narrowed(text: str) -> str:
    """Write full-width letters and digits as ordinary ones; every character keeps its place.

    Args:
        text: any text. Punctuation stays: in Chinese, full-width is its ordinary width.

    >>> narrowed("１９９８年，ＤＮＡ")
    '1998年，DNA'
    """
    return text.translate(_NARROW) if _WIDE.search(text) else text
