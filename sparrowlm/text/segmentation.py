"""Words of Chinese and of languages with spaces, with the user's own dictionary on top.

    text ──► user words, longest first
             └──► the gaps between them ──► runs with Han characters: rjieba
                                        └──► everything else: spaces and signs

Nothing is lost or changed: the words joined are the text.

>>> WordSegmenter(user_words=["小语言模型"]).words("我爱小语言模型, it's fun")
['我', '爱', '小语言模型', ',', ' ', "it's", ' ', 'fun']
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from sparrowlm.foundation.errors import DataError

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd"
_KANA = "\u3041-\u30ff"
# Alternatives: a run that holds a Han character (Latin letters and digits may lean on it: 卡拉OK),
# katakana, a word with inner apostrophes, or one single sign of anything else.
_RUNS = re.compile(
    rf"([A-Za-z0-9]*[{HAN}][{HAN}A-Za-z0-9]*)"
    rf"|[\u30a1-\u30fa\u30fc]+"
    rf"|[\u3041-\u309f]"
    rf"|[^\W_{HAN}{_KANA}]+(?:['’][^\W\d_{HAN}{_KANA}]+)*"
    r"|[\s\S]"
)
_ALPHABETIC = re.compile(rf"[^\W_{HAN}{_KANA}]")


class Word(NamedTuple):
    """One word and where it stands, counted in characters: text[start:end]."""

    text: str
    start: int
    end: int


@cache
def _dictionary() -> Any:  # noqa: ANN401 - rjieba has no types
    import rjieba

    # The package has loaded one dictionary for its own functions; another takes 0.1 s and 24 MB.
    return rjieba


def read_user_words(path: Path) -> list[str]:
    """Read a user dictionary: one word per line, anything after a TAB or " #" is ignored.

    Args:
        path: a text file in any encoding that Sparrow detects; jieba's "word freq tag" lines are
            understood as well (what follows the last word is a number and perhaps a tag).

    Returns:
        The words in the file's order, without repetition.

    Raises:
        DataError: the file is missing or holds no text.
    """
    from sparrowlm.text.encodings import decode_bytes

    try:
        text = decode_bytes(path.read_bytes()).text
    except OSError as error:
        raise DataError("text.user-dictionary", path=path, reason=error.strerror) from error
    words = (re.split(r"\t| #", line)[0].strip() for line in text.splitlines())
    jieba_line = re.compile(r"^(.*?) +\d+(?: +[a-z]+)?$")
    return list(dict.fromkeys(jieba_line.sub(r"\1", word) for word in words if word))


class WordSegmenter:
    """Cut text into words; the user's words outrank every model.

    Args:
        user_words: words never to be cut. The longest one wins where several begin. A word of
            an alphabet ("cat") counts only as a whole word, never inside another ("category").
    """

    def __init__(self, user_words: Iterable[str] = ()) -> None:
        self.user_words: tuple[str, ...] = tuple(dict.fromkeys(w for w in user_words if w))
        self._words = frozenset(self.user_words)
        lengths: dict[str, set[int]] = {}
        for word in self.user_words:
            lengths.setdefault(word[0], set()).add(len(word))
        self._lengths = {first: sorted(sizes, reverse=True) for first, sizes in lengths.items()}
        starts = "|".join(re.escape(first) for first in sorted(lengths))
        self._starts = re.compile(starts) if starts else None

    def words(self, text: str) -> list[str]:
        """Return the words of text in order; joined they are text exactly."""
        if self._starts is None:
            return _model_words(text)
        result: list[str] = []
        position = 0
        for start, end in self._user_spans(text):
            result += _model_words(text[position:start])
            result.append(text[start:end])
            position = end
        return result + _model_words(text[position:])

    def segment(self, text: str) -> list[Word]:
        """Return the words with their offsets in characters."""
        result: list[Word] = []
        position = 0
        for word in self.words(text):
            result.append(Word(word, position, position + len(word)))
            position += len(word)
        return result

    def _user_spans(self, text: str) -> Iterator[tuple[int, int]]:
        starts = self._starts
        position = 0
        while starts is not None and (found := starts.search(text, position)):
            start = found.start()
            end = self._longest(text, start)
            if end > start:
                yield start, end
            position = max(end, start + 1)

    def _longest(self, text: str, start: int) -> int:
        for length in self._lengths[text[start]]:
            end = start + length
            if end > len(text):
                continue
            if text[start:end] in self._words and _stands_alone(text, start, end):
                return end
        return start


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] does not begin or end inside a word of an alphabet."""
    before = text[start - 1 : start] + text[start]
    after = text[end - 1] + text[end : end + 1]
    return not any(len(pair) == 2 and _both_alphabetic(pair) for pair in (before, after))


def _both_alphabetic(pair: str) -> bool:
    return all(_ALPHABETIC.match(character) for character in pair)


def _model_words(text: str) -> list[str]:
    result: list[str] = []
    for run in _RUNS.finditer(text):
        if run.group(1):
            result += _dictionary().cut(run.group())
        else:
            result.append(run.group())
    return result
