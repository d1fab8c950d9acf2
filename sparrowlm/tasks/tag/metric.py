"""Precision, recall and F1 of spans and of words.

A span counts as right where start, end and label are right. Equal to conlleval and seqeval.

Source: Tjong Kim Sang, De Meulder 2003, "Introduction to the CoNLL-2003 shared task"; Sproat,
Emerson 2003, "The first international Chinese word segmentation bakeoff" (recall of unknown words).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Set
from dataclasses import dataclass, field

from sparrowlm.corpora.labelled.examples import Span


@dataclass
class Counts:
    """How many spans were there, given, and right."""

    num_gold: int = 0
    num_found: int = 0
    num_right: int = 0

    @property
    def precision(self) -> float:
        """Share of the spans given that are right; 0 where none was given."""
        return self.num_right / self.num_found if self.num_found else 0.0

    @property
    def recall(self) -> float:
        """Share of the spans that were found; 0 where there was none."""
        return self.num_right / self.num_gold if self.num_gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.num_gold + self.num_found
        return 2.0 * self.num_right / both if both else 0.0

    def result(self) -> dict[str, float | int]:
        """Return precision, recall, f1 and num_gold."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "num_gold": self.num_gold,
        }


@dataclass
class SpanScore:
    """Sums over texts."""

    by_label: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))

    def add(self, gold: Iterable[Span], found: Iterable[Span]) -> None:
        """Compare one text's spans."""
        right, given = set(gold), set(found)
        for span in right:
            self.by_label[span.label].num_gold += 1
        for span in given:
            self.by_label[span.label].num_found += 1
        for span in right & given:
            self.by_label[span.label].num_right += 1

    @property
    def micro(self) -> Counts:
        """All labels together."""
        counts = self.by_label.values()
        return Counts(
            sum(c.num_gold for c in counts),
            sum(c.num_found for c in counts),
            sum(c.num_right for c in counts),
        )

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels."""
        scores = [counts.f1 for counts in self.by_label.values()]
        return sum(scores) / len(scores) if scores else 0.0

    def result(self) -> dict[str, object]:
        """Return micro figures, macro_f1 and by_label."""
        by_label = {label: self.by_label[label].result() for label in sorted(self.by_label)}
        return {**self.micro.result(), "macro_f1": self.macro_f1, "by_label": by_label}


@dataclass
class WordScore:
    """Word segmentation: F1 of words, recall of those that the training text does not have.

    Args:
        known: the words of the training text.
    """

    known: Set[str]
    words: Counts = field(default_factory=Counts)
    num_unknown: int = 0
    num_unknown_right: int = 0

    def add(
        self, text: str, gold: Iterable[tuple[int, int]], found: Iterable[tuple[int, int]]
    ) -> None:
        """Compare one text's words, given as (start, end)."""
        right, given = set(gold), set(found)
        self.words.num_gold += len(right)
        self.words.num_found += len(given)
        self.words.num_right += len(right & given)
        unknown = {(a, b) for a, b in right if text[a:b] not in self.known}
        self.num_unknown += len(unknown)
        self.num_unknown_right += len(unknown & given)

    def result(self) -> dict[str, float | int]:
        """Return precision, recall, f1, oov_recall, oov_share."""
        return {
            **self.words.result(),
            "oov_recall": self.num_unknown_right / self.num_unknown if self.num_unknown else 0.0,
            "oov_share": self.num_unknown / self.words.num_gold if self.words.num_gold else 0.0,
        }
