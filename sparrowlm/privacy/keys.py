"""Keys, tokens and passwords: what opens something leaves even less than what names somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sparrowlm.privacy.kinds import Item

_TOKEN = r"[A-Za-z0-9_-]"
# Of each kind of key its beginning and what follows, as its issuer documents it.
_KEYS = (
    ("sk-", _TOKEN + r"{16,300}"), ("sk_live_", r"[A-Za-z0-9]{16,200}"),
    ("sk_test_", r"[A-Za-z0-9]{16,200}"), ("rk_live_", r"[A-Za-z0-9]{16,200}"),
    ("gh[opsu]_", r"[A-Za-z0-9]{30,200}"), ("github_pat_", r"[A-Za-z0-9_]{30,200}"),
    ("glpat-", _TOKEN + r"{20,200}"), ("hf_", r"[A-Za-z0-9]{30,200}"),
    ("npm_", r"[A-Za-z0-9]{30,200}"), ("pypi-", _TOKEN + r"{40,400}"),
    ("xox[bp]-", r"[A-Za-z0-9-]{20,200}"), ("A[KS]IA", r"[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("LTAI", r"[A-Za-z0-9]{12,26}(?![A-Za-z0-9])"),
    ("AKID", r"[A-Za-z0-9]{32,40}(?![A-Za-z0-9])"), ("AIza", _TOKEN + r"{35}"),
    (r"ya29\.", _TOKEN + r"{20,400}"), (r"SG\.", _TOKEN + r"{16,64}\." + _TOKEN + r"{16,64}"),
    ("eyJ", rf"{_TOKEN}{{6,4000}}\.eyJ{_TOKEN}{{4,8000}}\.{_TOKEN}{{0,2000}}"),
)  # fmt: skip
# The first sign comes before the look behind it: see patterns.py.
_KEY = re.compile(
    r"[sghrnpxALyeS](?<![0-9A-Za-z_-].)(?:"
    + "|".join(f"(?<={start[0]}){start[1:]}{rest}" for start, rest in _KEYS)
    + ")"
)
# Ends of words that announce something secret, as far as they are written alike.
_ANNOUNCING = (
    "key", "Key", "KEY", "oken", "OKEN", "ecret", "ECRET", "assw", "ASSW", "pwd", "PWD", "密钥",
    "秘钥", "密码", "口令", "令牌",
)  # fmt: skip
_ANNOUNCED = re.compile(
    r"(?:(?<=assw)(?:or)?d)?(?:[_ -]?id)?[\"']?"
    r"(?:\s{0,3}[:=：]{1,2}\s{0,3}|\s{0,2}(?:是|为|is)\s{0,2})"
    r"[\"']?([!-~]{6,200})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\s{1,3}([A-Za-z0-9._~+/=-]{16,2000})")
_END = "\"',;，。；、)）]}<>`"
_BEGIN_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END_BLOCK = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def keys(text: str) -> Iterator[Item]:
    """Yield the keys of a whole text."""
    for found in _KEY.finditer(text):
        if _is_random(found[0]):
            yield Item(found.start(), found.end(), "secret", "", 3)
    if "PRIVATE KEY" in text:
        yield from _blocks(text)
    yield from _announced(text)


def _announced(text: str) -> Iterator[Item]:
    for word in (*_ANNOUNCING, "earer"):
        pattern = _BEARER if word == "earer" else _ANNOUNCED
        place = text.find(word)
        while place >= 0:
            found = pattern.match(text, place + len(word))
            if found is not None:
                value = found[1]
                end = min((value.find(sign) for sign in _END if sign in value), default=len(value))
                if _is_random(value[:end]):
                    yield Item(found.start(1), found.start(1) + end, "secret", "", 2)
            place = text.find(word, place + 1)


def _blocks(text: str) -> Iterator[Item]:
    end = 0
    while (begun := _BEGIN_BLOCK.search(text, end)) is not None:
        ended = _END_BLOCK.search(text, begun.end())
        # A block that was cut off is a key all the same.
        end = len(text) if ended is None else ended.end()
        yield Item(begun.start(), end, "secret", "", 3)


def _is_random(value: str) -> bool:
    """Say whether a value looks made by a machine or a careful person: letters and digits mixed."""
    if len(value) < 6 or "://" in value:
        return False
    num_digits = sum(sign.isdecimal() for sign in value)
    return 0 < num_digits < len(value) and len(set(value)) >= 5
