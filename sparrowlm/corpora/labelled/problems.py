"""What is wrong with data, as a sentence in Chinese or English, with its count and an example."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from sparrowlm.foundation.messages import Language, render

Severity = Literal["note", "warning", "error"]
_EXAMPLE_CHARACTERS = 60


@dataclass(frozen=True)
class Problem:
    """One problem of the data.

    Args:
        code: message, "corpora.labelled-…".
        severity: "note" (nothing to do), "warning" (look at it), "error" (do not train on this).
        fields: values for the braces of the message.
    """

    code: str
    severity: Severity
    fields: dict[str, object] = field(default_factory=dict)

    def sentence(self, language: Language | None = None) -> str:
        """Render the problem in Chinese ("zh") or English ("en"); None is the user's language."""
        return render(self.code, self.fields, language)


def shown(text: str) -> str:
    """Shorten a text for a message.

    >>> shown("a" * 100)[-3:]
    'aa…'
    """
    line = " ".join(text[: 4 * _EXAMPLE_CHARACTERS].split())
    return line if len(line) <= _EXAMPLE_CHARACTERS else line[:_EXAMPLE_CHARACTERS] + "…"


class ProblemTally:
    """Collects what readers repaired, dropped or ignored: a count and the first example each."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, tuple[Severity, str]] = {}

    def add(self, code: str, example: str = "", severity: Severity = "warning") -> None:
        """Count one case.

        Args:
            code: message with the fields count and example.
            example: shown for the first case of the code.
            severity: of the first case.
        """
        self._counts[code] += 1
        if code not in self._first:
            self._first[code] = (severity, shown(example))

    def note_once(self, code: str, example: str) -> None:
        """Note a choice that concerns all of the data, however many files repeat it."""
        self._counts[code] = 1
        self._first.setdefault(code, ("note", example))

    def count(self, code: str) -> int:
        """Return how many cases there were."""
        return self._counts[code]

    def problems(self) -> tuple[Problem, ...]:
        """Return what was collected, in the order in which it first appeared."""
        return tuple(
            Problem(code, severity, {"count": self._counts[code], "example": example})
            for code, (severity, example) in self._first.items()
        )
