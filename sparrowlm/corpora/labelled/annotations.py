"""The usual forms in which JSON holds labelled spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.spans import RawSpan

_START_KEYS = ("start", "start_offset", "begin", "from", "start_idx", "start_pos")
_END_KEYS = ("end", "end_offset", "stop", "to", "end_idx", "end_pos")
_LABEL_KEYS = ("label", "labels", "type", "entity", "tag", "category", "entity_type")
_QUOTED_KEYS = ("text", "surface", "word", "mention")


def looks_like_spans(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Say whether a value holds spans in one of the forms that raw_spans reads.

    >>> looks_like_spans([[0, 2, "PER"]]), looks_like_spans({"PER": {"王伟": [[0, 1]]}})
    (True, True)
    >>> looks_like_spans(["sports"]), looks_like_spans([])
    (False, False)
    """
    if isinstance(value, dict):
        return bool(value) and all(_is_mentions(mentions) for mentions in value.values())
    if isinstance(value, list):
        return bool(value) and all(_as_span(item) is not None for item in value)
    return False


def is_empty_annotation(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Say whether a value says that there are no spans: nothing, [] or {}."""
    return value is None or value in ([], {})


def raw_spans(value: Any, tally: ProblemTally) -> Iterator[RawSpan]:  # noqa: ANN401 - any JSON value
    """Read spans.

    Args:
        value: [[start, end, label], …] or [{"start": …, "end": …, "label": …}, …] with ends behind
            the last character; or {label: {mention: [[first, last], …]}} with the last character
            included.
        tally: counts what is no span.
    """
    if isinstance(value, dict):
        yield from _of_mentions(value, tally)
        return
    for item in value if isinstance(value, list) else []:
        span = _as_span(item)
        if span is None:
            tally.add("corpora.labelled-span-unreadable", str(item))
        else:
            yield span


def _of_mentions(value: dict[str, Any], tally: ProblemTally) -> Iterator[RawSpan]:
    for label, mentions in value.items():
        for mention, places in mentions.items() if isinstance(mentions, dict) else ():
            for place in places if isinstance(places, list) else [places]:
                if _is_place(place):
                    yield RawSpan(place[0], place[1] + 1, str(label), str(mention))
                else:
                    tally.add("corpora.labelled-span-unreadable", f"{label}: {mention} {place}")


def _is_mentions(mentions: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(mentions, dict) and all(
        isinstance(places, list) and all(isinstance(place, list) for place in places)
        for places in mentions.values()
    )


def _is_place(place: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(place, list) and len(place) == 2 and all(_is_offset(one) for one in place)


def _is_offset(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, int) and not isinstance(value, bool)


def _as_span(item: Any) -> RawSpan | None:  # noqa: ANN401 - any JSON value
    if isinstance(item, list) and len(item) >= 3:
        start, end, label = item[:3]
        quoted = ""
    elif isinstance(item, dict):
        start, end = _first(item, _START_KEYS), _first(item, _END_KEYS)
        label, quoted = _first(item, _LABEL_KEYS), _first(item, _QUOTED_KEYS) or ""
    else:
        return None
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    if not (_is_offset(start) and _is_offset(end) and isinstance(label, str) and label):
        return None
    return RawSpan(start, end, label, quoted if isinstance(quoted, str) else "")


def _first(item: dict[str, Any], keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    return next((item[key] for key in keys if key in item), None)
