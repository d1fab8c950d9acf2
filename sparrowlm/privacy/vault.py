"""Personal data that stays here while a text goes out and its answer comes back.

    mask:     "打给13812345678"      -> "打给⟦PHONE_1⟧"
    restore:  "已拨打 ⟦ phone 1 ⟧。"  -> "已拨打 13812345678。"

Large models write placeholders a little differently now and then: in small letters, with other
brackets or gaps, or without brackets. All these are put back; a text that looked like a placeholder
from the start is kept in the vault as well, so that nothing is taken for one that is none.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from sparrowlm.privacy.finding import NamesIn, find_personal
from sparrowlm.privacy.kinds import KINDS, Item, Kind, label, without_overlaps
from sparrowlm.privacy.redacting import Spans, moved_spans, replaced

# Brackets that take the place of ours. Round ones and quotation marks are the text's own.
_PAIRS = ("⟦⟧", "[]", "【】", "〖〗", "<>", "{}", "［］", "〔〕")
_OPEN = "".join(pair[0] for pair in _PAIRS)
_CLOSE = "".join(pair[1] for pair in _PAIRS)
_TEXT = "TEXT"
_NAMES = sorted({label(kind, "en") for kind in KINDS} | {_TEXT}, key=len, reverse=True)
_GAP = r"[ _\-\u00a0]{0,3}"
_ANY_NAME = "|".join(re.escape(name).replace("_", _GAP) for name in _NAMES)
_ESCAPED_OPEN, _ESCAPED_CLOSE = re.escape(_OPEN), re.escape(_CLOSE)
_INSIDE = rf"[ \u00a0]{{0,2}}(?:{_ANY_NAME}){_GAP}[0-9]{{1,6}}[ \u00a0]{{0,2}}"
_PLACEHOLDER = re.compile(
    "|".join(f"{re.escape(pair[0])}{{1,2}}{_INSIDE}{re.escape(pair[1])}{{1,2}}" for pair in _PAIRS)
    + rf"|(?<![A-Za-z0-9_])(?:{_ANY_NAME})_[0-9]{{1,6}}(?![0-9A-Za-z_])",
    re.IGNORECASE,
)
_NAME_AND_NUMBER = re.compile(r"([A-Za-z_ \-\u00a0]+?)[ _\-\u00a0]*([0-9]+)")
_STRICT = re.compile(r"⟦[^⟦⟧\n]{1,40}⟧")
# What may be the beginning of a placeholder at the end of a piece.
_BEGUN = re.compile(
    rf"[{_ESCAPED_OPEN}]{{0,2}}[ \u00a0]{{0,2}}[A-Za-z]{{0,14}}"
    rf"(?:[ _\-\u00a0]{{1,3}}[A-Za-z]{{1,14}})?"
    rf"{_GAP}[0-9]{{0,6}}[ \u00a0]{{0,2}}[{_ESCAPED_CLOSE}]?$"
)
_MOST_BEGUN = 56
_SHORTEST_KNOWN = 2


class Vault:
    """Holds the personal data of one conversation; any number of threads may share it.

    Args:
        kinds: what is looked for.
        names_in: finds names, addresses and organisations; None looks for none.
    """

    def __init__(self, kinds: Iterable[Kind] = KINDS, names_in: NamesIn | None = None) -> None:
        self._kinds = tuple(kinds)
        self._names_in = names_in
        self._placeholders: dict[tuple[str, str], str] = {}
        self._items: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Vault({len(self._items)} items)"

    def __len__(self) -> int:
        return len(self._items)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the items that were masked so far, in the order of their first."""
        with self._lock:
            return tuple(name for name in self._counts if name != _TEXT)

    def mask(self, text: str) -> str:
        """Return a text with placeholders; equal items have equal ones, also in later texts."""
        return self.mask_all([text])[0]

    def mask_all(self, texts: Iterable[str]) -> list[str]:
        """Return texts of one conversation with placeholders.

        What is found in one of them is masked in all: a number that words announce in one turn may
        stand alone in another.
        """
        given = list(texts)
        found = [find_personal(text, self._kinds, self._names_in) for text in given]
        with self._lock:
            for items in found:
                for item in items:
                    self._placeholder(label(item.kind, "en"), item.text)
            return [self._masked(text, items) for text, items in zip(given, found, strict=True)]

    def mask_spans(self, text: str, spans: Spans) -> tuple[str, Spans]:
        """Return a text with placeholders, and where its labelled stretches stand now.

        Args:
            text: any text.
            spans: (start, end, label); see moved_spans.
        """
        items = find_personal(text, self._kinds, self._names_in)
        with self._lock:
            marked, instead = self._marks(text, items)
        return replaced(text, marked, instead), moved_spans(spans, marked, instead)

    def restore(self, text: str) -> str:
        """Return a text with the items in the places of their placeholders."""
        return _PLACEHOLDER.sub(self._item, text)

    def restore_value(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return a JSON value with the items in the places of their placeholders."""
        if isinstance(value, str):
            return self.restore(value)
        if isinstance(value, list):
            return [self.restore_value(one) for one in value]
        if isinstance(value, dict):
            return {self.restore(key): self.restore_value(one) for key, one in value.items()}
        return value

    def restorer(self) -> StreamRestorer:
        """Return what puts items back into a text that comes in pieces."""
        return StreamRestorer(self)

    def holds_raw(self, text: str) -> bool:
        """Say whether any item of the vault stands in a text as it is."""
        with self._lock:
            return any(raw in text for _name, raw in self._placeholders if _name != _TEXT)

    def _masked(self, text: str, items: list[Item]) -> str:
        return replaced(text, *self._marks(text, items))

    def _marks(self, text: str, items: list[Item]) -> tuple[list[Item], list[str]]:
        """Return what is replaced in a text, and by which placeholders."""
        looking_alike = [
            Item(found.start(), found.end(), "secret", found[0], 5)
            for pattern in (_PLACEHOLDER, _STRICT)
            for found in pattern.finditer(text)
        ]
        marked = without_overlaps([*items, *self._known_in(text), *looking_alike])
        names = [_TEXT if item.certainty == 5 else label(item.kind, "en") for item in marked]
        pairs = zip(names, marked, strict=True)
        return marked, [self._placeholder(name, item.text) for name, item in pairs]

    def _known_in(self, text: str) -> Iterator[Item]:
        """Yield what is known from elsewhere, whatever words stand before it here."""
        kinds = {label(kind, "en"): kind for kind in KINDS}
        for name, raw in list(self._placeholders):
            place = text.find(raw) if len(raw) >= _SHORTEST_KNOWN and name != _TEXT else -1
            while place >= 0:
                yield Item(place, place + len(raw), kinds[name], raw, 0)
                place = text.find(raw, place + len(raw))

    def _placeholder(self, name: str, raw: str) -> str:
        known = self._placeholders.get((name, raw))
        if known is not None:
            return known
        number = self._counts[name] = self._counts.get(name, 0) + 1
        placeholder = f"⟦{name}_{number}⟧"
        self._placeholders[name, raw] = placeholder
        self._items[_plain_name(placeholder)] = raw
        return placeholder

    def _item(self, found: re.Match[str]) -> str:
        # What is not ours stays as it is.
        return self._items.get(_plain_name(found[0]), found[0])


class StreamRestorer:
    """Puts items back into a text that comes in pieces, however placeholders are cut.

    Args:
        vault: holds the items.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._waiting = ""

    def take(self, piece: str) -> str:
        """Return what can be given of the text so far; what may be a placeholder waits."""
        self._waiting += piece
        length = len(self._waiting)
        cut = length
        for found in _PLACEHOLDER.finditer(self._waiting):
            if found.end() == length:
                # A digit or a second bracket may follow.
                cut = found.start()
        cut = min(cut, self._begun_at(length))
        ready, self._waiting = self._waiting[:cut], self._waiting[cut:]
        return self._vault.restore(ready)

    def end(self) -> str:
        """Return what was waiting."""
        ready, self._waiting = self._waiting, ""
        return self._vault.restore(ready)

    def _begun_at(self, length: int) -> int:
        """Return where a placeholder may have begun that is not over yet."""
        for place in range(max(length - _MOST_BEGUN, 0), length):
            is_letter_before = (
                place > 0
                and self._waiting[place - 1].isascii()
                and (self._waiting[place - 1].isalnum() or self._waiting[place - 1] == "_")
            )
            if self._waiting[place] not in _OPEN and is_letter_before:
                continue
            if _BEGUN.fullmatch(self._waiting, place):
                return place
        return length


def _plain_name(placeholder: str) -> str:
    """Return letters and number alone, in one case, however a placeholder is written."""
    found = _NAME_AND_NUMBER.search(placeholder)
    if found is None:
        return ""
    return re.sub(r"[^A-Z]", "", found[1].upper()) + str(int(found[2]))
