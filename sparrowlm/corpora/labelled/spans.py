"""Spans as people annotate them to spans that can be trusted: inside the text, never overlapping.

The rules:

    disagreement    an annotation that quotes its text is moved to the nearest place where that
                    text really stands; where it stands nowhere it is dropped
    out of range    what reaches over the end is cut off there; what begins behind it is dropped
    empty           dropped
    overlapping     the one that begins first is kept, of those that begin together the longest
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.corpora.labelled.problems import ProblemTally, shown


class RawSpan(NamedTuple):
    """A span as it was annotated.

    Args:
        start: first character.
        end: behind the last character.
        label: what the stretch is.
        quoted: the stretch as the annotation quotes it, "" where it does not.
    """

    start: int
    end: int
    label: str
    quoted: str = ""


def tidy_spans(text: str, raw: Iterable[RawSpan], tally: ProblemTally) -> tuple[Span, ...]:
    """Repair or drop what cannot be, and count it.

    Args:
        text: the annotated text.
        raw: spans in any order.
        tally: counts repairs and losses, with an example of each.

    Returns:
        Spans in order: 0 <= start < end <= len(text), none overlapping.
    """
    inside = [span for span in (_placed(text, one, tally) for one in raw) if span is not None]
    inside.sort(key=lambda span: (span.start, -span.end, span.label))
    kept: list[Span] = []
    for span in inside:
        if kept and span == kept[-1]:
            continue
        if kept and span.start < kept[-1].end:
            tally.add("corpora.labelled-span-overlapping", _example(text, span))
            continue
        kept.append(span)
    return tuple(kept)


def _placed(text: str, raw: RawSpan, tally: ProblemTally) -> Span | None:
    start, end, label, quoted = raw
    # A place before the text would count from its end in a slice.
    if quoted and (min(start, end) < 0 or text[start:end] != quoted):
        found = _nearest(text, quoted, start)
        code = "dropped" if found < 0 else "moved"
        tally.add(f"corpora.labelled-span-{code}", f"{quoted} ({label}): {text}")
        return None if found < 0 else Span(found, found + len(quoted), label)
    if start >= end:
        tally.add("corpora.labelled-span-empty", f"{start}-{end} ({label}): {text}")
        return None
    if end <= 0 or max(start, 0) >= len(text):
        tally.add("corpora.labelled-span-outside", f"{start}-{end} ({label}): {text}")
        return None
    if start < 0 or end > len(text):
        tally.add("corpora.labelled-span-clipped", f"{start}-{end} ({label}): {text}")
        start, end = max(start, 0), min(end, len(text))
    return Span(start, end, label)


def _nearest(text: str, quoted: str, start: int) -> int:
    """Return the place of quoted that is nearest to start, -1 when there is none."""
    before = text.rfind(quoted, 0, max(start, 0) + len(quoted))
    after = text.find(quoted, max(start, 0))
    if before < 0 or after < 0:
        return max(before, after)
    return before if start - before <= after - start else after


def _example(text: str, span: Span) -> str:
    return f"{shown(text[span.start : span.end])} ({span.label}): {text}"
