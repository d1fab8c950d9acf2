"""Other ways to ask a question, made without knowing a single word.

A share of the words is lost, whichever; words of other questions come in, common ones as often as
they are common, and now and then one of the answer's; sometimes the end is said first, a letter is
missing or stands twice, or two change places. What such questions still share with the one they
came from is what identifies it.
"""

from __future__ import annotations

from collections.abc import Sequence

from sparrowlm.foundation.randomness import random_generator
from sparrowlm.text.segmentation import WordSegmenter

_LEAST_KEPT = 0.2
_MOST_ADDED = 1.0
_TURNED_SHARE, _LETTER_SHARE = 0.1, 0.15
_ANSWER_SHARE = 0.03
_MOST_WORDS, _MOST_CHARACTERS = 60, 2000


class QuestionNoise:
    """Changes questions.

    Args:
        questions: all of a field; their words come into others.
        answers: to each of them.
        segmenter: cuts words.
        seed: same seed, same noise.
    """

    def __init__(
        self,
        questions: Sequence[str],
        answers: Sequence[str],
        segmenter: WordSegmenter,
        seed: int,
    ) -> None:
        self._random = random_generator(seed, "noise of questions")
        self._words, self._answers = (
            [_words(text, segmenter) for text in texts] for texts in (questions, answers)
        )
        self._pool = [word for words in self._words for word in words]

    def variant(self, number: int) -> str:
        """Return another way to ask one of the questions.

        Args:
            number: of the question.
        """
        words, random = self._words[number], self._random
        if not words:
            return ""
        kept_share = random.uniform(_LEAST_KEPT, 1.0)
        kept = [word for word, draw in zip(words, random.random(len(words)), strict=True)
                if draw < kept_share]  # fmt: skip
        kept = kept or [words[int(random.integers(len(words)))]]
        for _ in range(int(random.poisson(random.uniform(0, _MOST_ADDED) * len(words)))):
            kept.insert(int(random.integers(len(kept) + 1)), self._stranger(number))
        if random.random() < _TURNED_SHARE:
            middle = int(random.integers(len(kept)))
            kept = kept[middle:] + kept[:middle]
        text = joined(kept)
        return self._misspelt(text) if random.random() < _LETTER_SHARE else text

    def _stranger(self, number: int) -> str:
        answer = self._answers[number]
        source = answer if answer and self._random.random() < _ANSWER_SHARE else self._pool
        return source[int(self._random.integers(len(source)))]

    def _misspelt(self, text: str) -> str:
        place, kind = int(self._random.integers(len(text))), int(self._random.integers(3))
        before, letter, after = text[:place], text[place], text[place + 1 :]
        if kind == 0:
            return before + after
        return before + (letter + letter + after if kind == 1 else after[:1] + letter + after[1:])


def _words(text: str, segmenter: WordSegmenter) -> list[str]:
    words = segmenter.words(text[:_MOST_CHARACTERS])
    return [word for word in words if not word.isspace()][:_MOST_WORDS]


def joined(words: Sequence[str]) -> str:
    """Put words together, with a space between two of a script that has spaces."""
    text = ""
    for word in words:
        is_inside = bool(text) and _has_spaces(text[-1]) and _has_spaces(word[:1])
        text += (" " if is_inside else "") + word
    return text


def _has_spaces(letter: str) -> bool:
    return letter.isalnum() and ord(letter) < 0x2E80
