"""What is asked and what is answered, whoever answers: the small model, or a large one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

Answer: TypeAlias = Any
"""A JSON value; equal answers are equal values.

    classify    "label", or a sorted list of labels where a text may have several
    match       the label of the pair
    search      the text of the answer
    tag         {"intent": "label" or None, "spans": [[start, end, "label"], ...]}
    complete    the text
"""


class Question(NamedTuple):
    """What is asked.

    Attributes:
        text: any text.
        second: the other text of a pair; None elsewhere.
    """

    text: str
    second: str | None = None


@dataclass(frozen=True, slots=True)
class LargeRequest:
    """A question on its way to a large model.

    Attributes:
        question: as it was asked.
        task: kind of the small model: "classify", "match", "tag", "intent", "segment" or another.
        labels: that may be answered; () where the answer is not a label.
        answer: of the small model.
        confidence: that it is right, 0 to 1.
        spans: labels that stretches of the text may have; () where none are looked for.
    """

    question: Question
    task: str
    labels: tuple[str, ...]
    answer: Answer
    confidence: float
    spans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LargeAnswer:
    """What a large model answered.

    Attributes:
        answer: in the form of the small model's.
        cost: in the currency of the budget, >= 0.
        was_kept: whether it was known from an earlier call, and nothing was sent.
        masked: kinds of personal data that were masked on the way out, "PHONE" and the like.
    """

    answer: Answer
    cost: float = 0.0
    was_kept: bool = False
    masked: tuple[str, ...] = ()


@runtime_checkable
class LargeModel(Protocol):
    """Anything that answers what the small model does not."""

    def answer(self, request: LargeRequest, deadline: float) -> LargeAnswer:
        """Answer, or raise.

        Args:
            request: the question.
            deadline: of time.monotonic(), by which there is an answer or an error.

        Raises:
            SparrowError: there is no answer: refused, too late, over budget, not understood.
        """
        ...
