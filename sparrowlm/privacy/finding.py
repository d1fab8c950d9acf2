"""Personal data in a text, with exact places.

>>> [(item.kind, item.text) for item in find_personal("电话１３８１２３４５６７８，邮箱li@qq.com")]
[('mobile', '１３８１２３４５６７８'), ('email', 'li@qq.com')]
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from sparrowlm.privacy.digit_groups import numbers_of_groups
from sparrowlm.privacy.keys import keys
from sparrowlm.privacy.kinds import KINDS, Item, Kind, without_overlaps
from sparrowlm.privacy.networks import networks
from sparrowlm.privacy.patterns import announced, documents
from sparrowlm.privacy.phones import phones
from sparrowlm.privacy.windows import windows

NamesIn = Callable[[str], Iterable[Item]]
"""Finds names, addresses and organisations of a text."""

_RULES = (numbers_of_groups, phones, documents, announced, networks)


def find_personal(
    text: str, kinds: Collection[Kind] = KINDS, names_in: NamesIn | None = None
) -> list[Item]:
    """Return the personal data of a text in order, none overlapping.

    The time is linear in the length of the text, whatever it holds.

    Args:
        text: any text.
        kinds: what is looked for.
        names_in: finds names, addresses and organisations; None looks for none.
    """
    found = [item for item in _candidates(text, names_in) if item.kind in kinds]
    return [
        Item(start, end, kind, text[start:end], certainty)
        for start, end, kind, _text, certainty in without_overlaps(found)
    ]


def _candidates(text: str, names_in: NamesIn | None) -> Iterator[Item]:
    for window in windows(text):
        for rule in _RULES:
            yield from rule(window)
    yield from keys(text)
    if names_in is not None:
        yield from names_in(text)
