"""Addresses on networks: e-mail, IPv4, IPv6."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Generator, Iterator

from sparrowlm.privacy.kinds import Item, Kind
from sparrowlm.privacy.windows import Window

_LOCAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._%+-'&")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})\.){1,8}(?:xn--[a-z0-9-]{2,40}|[A-Za-z]{2,24})(?![A-Za-z0-9])"
)
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(
    rf"[0-9](?<![0-9A-Za-z_.-].)[0-9]{{0,2}}(?:\.{_OCTET}){{3}}(?![0-9A-Za-z_-]|\.[0-9])"
)
_VERSION = re.compile(
    r"(?:版本|版|[Vv]ersion|[Vv]er\.?|[Vv]|release|build|固件|驱动|升级到|更新到)"
    r"[号为是]?[ :：=]{0,3}$"
)
_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_IPV6 = re.compile(r"[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?![0-9A-Za-z_:])")


def networks(window: Window) -> Iterator[Item]:
    """Yield e-mail and IP addresses of a window."""
    text = window.text
    place = text.find("@")
    while place >= 0:
        yield from _email(window, place)
        place = text.find("@", place + 1)
    for found in _IPV4.finditer(text):
        first = int(found[0].partition(".")[0])
        if first < 256 and not _VERSION.search(text, max(found.start() - 12, 0), found.start()):
            yield _item(window, *found.span(), "ip", 2)
    place = 0
    while (colons := _COLONS.search(text, place)) is not None:
        looked_until = yield from _ipv6(window, colons.start())
        place = max(looked_until, colons.start() + 1)


def _ipv6(window: Window, colon: int) -> Generator[Item, None, int]:
    """Yield the address around its first two colons, and return where to look on."""
    text = window.text
    start = colon
    while start > 0 and colon - start < 5 and text[start - 1] in _HEXADECIMAL:
        start -= 1
    if start > 0 and (text[start - 1].isascii() and text[start - 1].isalnum()):
        return colon + 1
    found = _IPV6.match(text, start)
    if found is None:
        return colon + 1
    # A colon before it belongs to the words: "地址：2001:…".
    start += found[0][0] == ":" and found[0][1] != ":"
    if _is_ipv6(text[start : found.end()]):
        yield _item(window, start, found.end(), "ip", 2)
    return found.end()


def _email(window: Window, place: int) -> Iterator[Item]:
    """Yield the address around an "@": ASCII alone, so no Chinese word before it is taken along."""
    text = window.text
    domain = _DOMAIN.match(text, place + 1)
    start = place
    while start > 0 and place - start < 64 and text[start - 1] in _LOCAL:
        start -= 1
    while start < place and text[start] in ".'&-+":
        start += 1
    if domain is not None and start < place and text[place - 1] != ".":
        yield _item(window, start, domain.end(), "email", 3)


def _is_ipv6(text: str) -> bool:
    # Names of programs ("abc::de") have no digits, times of day no "::".
    if len(text) < 4 or not any(sign.isdecimal() for sign in text):
        return False
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _item(window: Window, start: int, end: int, kind: Kind, certainty: int) -> Item:
    return Item(window.start(start), window.end(end), kind, "", certainty)
