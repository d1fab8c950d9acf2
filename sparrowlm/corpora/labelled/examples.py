"""What labelled data are made of: one frozen record per example, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

TaskKind = Literal["classify", "tag", "intent", "match", "segment"]


class Span(NamedTuple):
    """A labelled stretch of a text.

    Args:
        start: first character, 0 <= start < end.
        end: behind the last character, end <= len(text).
        label: what the stretch is.
    """

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text and the classes it belongs to.

    Args:
        text: the text.
        labels: one entry; any number where the data are multi-label; () for an unlabelled text.
        probabilities: (label, probability 0 to 1) of soft labels, () where there are none.
    """

    text: str
    labels: tuple[str, ...]
    probabilities: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TaggedText:
    """A text in which stretches are labelled.

    Args:
        text: the text.
        spans: in order of their starts, never overlapping.
        tokens: (start, end) of the given tokens in characters, () when the data gave none.
        intent: class of the whole text, for joint intent and slots.
    """

    text: str
    spans: tuple[Span, ...]
    tokens: tuple[tuple[int, int], ...] = ()
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class TextPair:
    """Two texts that belong together or not.

    Args:
        first: for example a question.
        second: another question, or the answer.
        label: one of two classes; None where the two simply belong together.
        probability: that the two mean the same, of a soft label; None where the label says all.
    """

    first: str
    second: str
    label: str | None = None
    probability: float | None = None


Example: TypeAlias = LabelledText | TaggedText | TextPair
