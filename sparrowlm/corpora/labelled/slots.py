"""Values of slots to places in the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.corpora.labelled.problems import ProblemTally

_NAME_KEYS = ("name", "slot", "entity", "label", "type", "key", "slot_name", "domain")
_VALUE_KEYS = ("value", "values", "text", "slot_value", "word")


def slot_values(slots: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Yield (name, value) of slots in their usual forms.

    >>> list(slot_values({"city": ["北京", "上海"], "day": "明天"}))
    [('city', '北京'), ('city', '上海'), ('day', '明天')]
    >>> list(slot_values([{"name": "city", "value": "北京"}]))
    [('city', '北京')]
    """
    pairs = slots.items() if isinstance(slots, dict) else _listed(slots)
    for name, value in pairs:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, (str, int, float)) and not isinstance(one, bool) and str(one):
                yield str(name), str(one)
            elif isinstance(one, dict):
                yield from ((str(name), v) for k, v in one.items() if k in _VALUE_KEYS and v)


def _listed(slots: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON value
    for slot in slots if isinstance(slots, list) else []:
        if isinstance(slot, dict):
            name = next((slot[key] for key in _NAME_KEYS if key in slot), None)
            value = next((slot[key] for key in _VALUE_KEYS if key in slot), None)
            if name is not None:
                yield str(name), value
            elif len(slot) == 1:
                yield from slot.items()
        elif isinstance(slot, list) and len(slot) == 2:
            yield str(slot[0]), slot[1]


def locate_slots(
    text: str, values: Iterable[tuple[str, str]], tally: ProblemTally
) -> tuple[Span, ...]:
    """Find the values of slots in the text.

    Args:
        text: what was said.
        values: (name, value) in any order.
        tally: counts values that stand nowhere.

    Returns:
        Spans in order. Longer values are placed first; a value that stands several times gets its
        first free place, one that stands inside a Latin word only where it stands nowhere else.
    """
    taken: list[Span] = []
    for name, value in sorted(values, key=lambda pair: -len(pair[1])):
        start = _free_place(text, value, taken)
        if start < 0 and len(text.lower()) == len(text):
            start = _free_place(text.lower(), value.lower(), taken)
        if start < 0:
            tally.add("corpora.labelled-slot-missing", f"{name}={value}: {text}")
            continue
        taken.append(Span(start, start + len(value), name))
    return tuple(sorted(taken))


def _free_place(text: str, value: str, taken: list[Span]) -> int:
    if not value:
        return -1
    inside_word = -1
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        if all(end <= span.start or start >= span.end for span in taken):
            if not _cuts_word(text, start, end):
                return start
            inside_word = start if inside_word < 0 else inside_word
        start = text.find(value, start + 1)
    return inside_word


def _cuts_word(text: str, start: int, end: int) -> bool:
    def joined(position: int) -> bool:
        if not 0 < position < len(text):
            return False
        pair = text[position - 1 : position + 1]
        return pair.isascii() and pair.isalnum()

    return joined(start) or joined(end)
