"""Paraphrases of questions by a written, seeded procedure, from what real paraphrases do.

    harvest      of pairs that mean the same: how many words are kept and how many are new, which
                 words are lost how often, what stands in the place of what, what is added where
    paraphrase   draws a pair and keeps and adds as large a share of words as it did; loses words by
                 their harvested rates; puts in the place of a lost word what people put there, and
                 adds words that people add, never one twice

It shares nothing with the noise that the retriever trains with (sparrowlm/tasks/match/noise.py),
which knows no words at all. See docs/decisions/040-matching.md.
"""

from __future__ import annotations

import difflib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sparrowlm.foundation.randomness import random_generator
from sparrowlm.text.segmentation import WordSegmenter

_SMOOTHING = 5.0  # words as rare as these many occurrences take the mean rate of rare words
_RARE = 20


@dataclass
class Harvest:
    """What people change.

    Attributes:
        profiles: of every pair, the share of the first question's words in the second, and how
            many words of the second are not in the first, by the first's length.
        occurrences: of every word in first questions.
        losses: how many of these were lost.
        substitutes: word -> what stood in its place, with counts.
        additions: words that were added, with counts, at "start", "inside", "end".
    """

    profiles: list[tuple[float, float]] = field(default_factory=list)
    occurrences: Counter[str] = field(default_factory=Counter)
    losses: Counter[str] = field(default_factory=Counter)
    substitutes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    additions: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def loss_rate(self, word: str) -> float:
        """Return how likely a word is lost; words not seen as the rare ones that were."""
        count = self.occurrences[word]
        return (self.losses[word] + _SMOOTHING * self.rare_rate) / (count + _SMOOTHING)

    @property
    def rare_rate(self) -> float:
        """Loss rate of rare words."""
        if not hasattr(self, "_rare_rate"):
            rare = [w for w, c in self.occurrences.items() if c <= _RARE]
            total = sum(self.occurrences[w] for w in rare)
            self._rare_rate = sum(self.losses[w] for w in rare) / max(total, 1)
        return self._rare_rate


def words_of(text: str) -> list[str]:
    return [word for word in WordSegmenter().words(text) if not word.isspace()]


def harvest(pairs: Sequence[tuple[str, str]]) -> Harvest:
    """Look at pairs of questions that mean the same, both ways round."""
    found = Harvest()
    for first, second in [*pairs, *((b, a) for a, b in pairs)]:
        _look(found, words_of(first), words_of(second))
    return found


def _look(found: Harvest, first: list[str], second: list[str]) -> None:
    lost = Counter(first) - Counter(second)
    gained = Counter(second) - Counter(first)
    length = max(len(first), 1)
    found.profiles.append((1 - sum(lost.values()) / length, sum(gained.values()) / length))
    found.occurrences.update(first)
    found.losses.update(lost)
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        new = [word for word in second[c:d] if gained[word]]
        if kind == "replace" and b - a == 1 and d - c <= 2 and len(new) == d - c:
            if lost[first[a]]:
                found.substitutes[first[a]]["".join(new)] += 1
        elif kind in ("insert", "replace"):
            place = "start" if a == 0 else "end" if b == len(first) else "inside"
            found.additions[place].update(new)


class Paraphraser:
    """Changes questions.

    Args:
        harvested: what people change.
        known: words that the questions' field uses; only these are added to a question.
        seed: same seed, same paraphrases.
    """

    def __init__(self, harvested: Harvest, known: frozenset[str], seed: int) -> None:
        self._harvest = harvested
        self._random = random_generator(seed, "paraphrases")
        self._additions = {
            place: [(w, c) for w, c in counts.items() if w in known]
            for place, counts in harvested.additions.items()
        }

    def paraphrase(self, question: str) -> str:
        """Return one paraphrase."""
        words = words_of(question)
        profiles = self._harvest.profiles
        kept_share, new_share = profiles[int(self._random.integers(len(profiles)))]
        num_lost = min(round((1 - kept_share) * len(words)), len(words) - 1)
        result, num_new = self._thinned(words, max(num_lost, 0))
        for _ in range(round(new_share * len(words)) - num_new):
            self._add(result, words)
        return _joined(result)

    def _thinned(self, words: list[str], num_lost: int) -> tuple[list[str], int]:
        """Lose words; return what is left, substitutes included, and how many these are."""
        harvested, random = self._harvest, self._random
        rates = np.array([harvested.loss_rate(word) for word in words])
        # Without replacement, proportional to the rates (Efraimidis and Spirakis 2006).
        order = np.argsort(np.log(random.random(len(words))) / np.maximum(rates, 1e-6))[::-1]
        lost = set(order[:num_lost].tolist())
        result, num_new = [], 0
        for place, word in enumerate(words):
            if place not in lost:
                result.append(word)
                continue
            options = harvested.substitutes.get(word)
            share = sum(options.values()) / max(harvested.losses[word], 1) if options else 0.0
            if options and random.random() < share:
                result.append(self._drawn(list(options.items())))
                num_new += 1
        return result, num_new

    def _add(self, result: list[str], words: list[str]) -> None:
        place = ("start", "inside", "end")[int(self._random.integers(3))]
        used = {*result, *words}
        options = [(word, count) for word, count in self._additions[place] if word not in used]
        if not options:
            return
        inside = int(self._random.integers(len(result) + 1))
        at = {"start": 0, "end": len(result), "inside": inside}[place]
        result.insert(at, self._drawn(options))

    def _drawn(self, options: list[tuple[str, int]]) -> str:
        counts = np.array([count for _, count in options], dtype=np.float64)
        return options[int(self._random.choice(len(options), p=counts / counts.sum()))][0]


def _joined(words: list[str]) -> str:
    text = ""
    for word in words:
        is_latin = bool(text) and text[-1].isascii() and text[-1].isalnum()
        text += (" " if is_latin and word[:1].isascii() and word[:1].isalnum() else "") + word
    return text
