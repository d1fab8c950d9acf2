"""Texts without the personal data that stood in them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, get_args

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import Language, current_language
from sparrowlm.privacy.finding import NamesIn, find_personal
from sparrowlm.privacy.kinds import KINDS, Item, Kind, label
from sparrowlm.privacy.surrogates import plain_form, surrogate

Mode = Literal["mask", "drop", "hash", "surrogate"]
_HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text as it may leave.

    Attributes:
        text: without personal data.
        items: what was found, with places in the text as it was.
    """

    text: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes personal data out of texts.

    Attributes:
        mode: "mask" writes what it was, "[手机号]" or "[PHONE]"; "drop" nothing; "hash" what it was
            and a keyed hash, equal for equal items; "surrogate" another item of the same form.
        kinds: what is looked for.
        language: of what is written.
        key: secret of hashes and surrogates; by default one that nobody knows later.
        names_in: finds names, addresses and organisations; None looks for none.
    """

    mode: Mode = "mask"
    kinds: Collection[Kind] = KINDS
    language: Language = field(default_factory=current_language)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    names_in: NamesIn | None = None

    def __post_init__(self) -> None:
        """Refuse modes and kinds that do not exist.

        Raises:
            SettingError: names those that do.
        """
        for name, received, choices in (
            ("--mode", {self.mode}, get_args(Mode)),
            ("--kinds", set(self.kinds), KINDS),
        ):
            unknown = sorted(received - set(choices))
            if unknown:
                known = " ".join(choices)
                raise SettingError(
                    "foundation.unknown-choice", name=name, received=unknown[0], choices=known
                )

    def redact(self, text: str) -> Redaction:
        """Return a text without personal data."""
        items = find_personal(text, self.kinds, self.names_in)
        return Redaction(
            replaced(text, items, [self.instead(item) for item in items]), tuple(items)
        )

    def instead(self, item: Item) -> str:
        """Return what is written in an item's place."""
        if self.mode == "drop":
            return ""
        if self.mode == "surrogate":
            return surrogate(item.kind, item.text, self.key)
        name = label(item.kind, self.language)
        if self.mode == "mask":
            return f"[{name}]"
        message = f"{item.kind}:{plain_form(item.text)}".encode("utf-8", "surrogatepass")
        digest = hmac.new(self.key, message, hashlib.sha256).hexdigest()
        return f"[{name}:{digest[:_HASH_DIGITS]}]"


def replaced(text: str, items: list[Item], instead: list[str]) -> str:
    """Return a text with other words in the places of some items.

    Args:
        text: where the items stand.
        items: in order, none overlapping.
        instead: one for each item.
    """
    parts: list[str] = []
    done = 0
    for item, other in zip(items, instead, strict=True):
        parts += (text[done : item.start], other)
        done = item.end
    return "".join([*parts, text[done:]])


Spans = list[tuple[int, int, str]]


def moved_spans(spans: Spans, items: list[Item], instead: list[str]) -> Spans:
    """Return where labelled stretches stand once items were replaced.

    Args:
        spans: (start, end, label) in the text as it was; one that begins or ends within an item
            takes in all that stands in its place.
        items: in order, none overlapping.
        instead: one for each item.

    Returns:
        The spans in the new text, without those of which nothing is left.

    >>> moved_spans([(0, 2, "city"), (3, 8, "who")], [Item(3, 14, "mobile", "")], ["[PHONE]"])
    [(0, 2, 'city'), (3, 10, 'who')]
    """
    moved: list[tuple[int, int, int, int]] = []
    shift = 0
    for item, other in zip(items, instead, strict=True):
        start = item.start + shift
        moved.append((item.start, item.end, start, start + len(other)))
        shift = start + len(other) - item.end

    def place(at: int, *, is_end: bool) -> int:
        shift = 0
        for start, end, new_start, new_end in moved:
            if at <= start:
                break
            if at < end:
                return new_end if is_end else new_start
            shift = new_end - end
        return at + shift

    found = [(place(a, is_end=False), place(b, is_end=True), label) for a, b, label in spans]
    return [span for span in found if span[0] < span[1]]
