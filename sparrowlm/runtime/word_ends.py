"""Where the first word of a continuation ends, seen together with the text before it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sparrowlm.text.segmentation import HAN, WordSegmenter

# So much of the text before takes part in the segmentation.
_TAIL_CHARACTERS = 16
_GROWING = re.compile(r"[^\W_]['’]?\Z")
_HAN_OR_MIXED = re.compile(f"[{HAN}]")
_APOSTROPHES = ("'", "’")
_CANNOT_CONTINUE = re.compile(r"[^\w'’]|_")


@dataclass(frozen=True)
class FirstWord:
    """The first word of a continuation.

    Attributes:
        word: without the spaces in front of it; "" while there are only spaces.
        end: where it ends in the continuation.
        is_open: whether more characters could still make it longer.
        is_certain: whether the end does not depend on what follows, because signs or spaces mark
            it and not the dictionary.
    """

    word: str
    end: int
    is_open: bool
    is_certain: bool


class WordEnds:
    """Finds the first word of what follows one text.

    Args:
        text: what stands before; only its end matters.
        segmenter: cuts words.
    """

    def __init__(self, text: str, segmenter: WordSegmenter) -> None:
        self._tail = text[-_TAIL_CHARACTERS:]
        self._segmenter = segmenter

    def first(self, continuation: str) -> FirstWord:
        """Find the first word; a word that began in the text before counts from its rest on."""
        begin = len(continuation) - len(continuation.lstrip(" "))
        if begin == len(continuation):
            return FirstWord("", begin, is_open=True, is_certain=False)
        # A text that ends inside a word goes on with it only where no space stands between.
        position = len(self._tail) + begin
        end = 0
        for word in self._segmenter.words(self._tail + continuation):
            end += len(word)
            if end > position:
                break
        end -= len(self._tail)
        word = continuation[begin:end]
        # An apostrophe right behind a word may be the beginning of its ending: king, king's.
        is_ending = word in _APOSTROPHES and ends_with_word(self._tail) and begin == 0
        is_growing = is_ending or _GROWING.search(word) is not None
        if end == len(continuation):
            return FirstWord(word, end, is_open=is_growing, is_certain=not is_growing)
        is_marked = not is_growing or cannot_continue_word(continuation[end:])
        return FirstWord(word, end, is_open=False, is_certain=is_marked)


def cannot_continue_word(text: str) -> bool:
    """Say whether text begins with a sign that ends any word before it."""
    return _CANNOT_CONTINUE.match(text) is not None


def ends_with_word(text: str) -> bool:
    """Say whether text ends with a letter or digit of a script that puts spaces between words."""
    return text[-1:].isalnum() and _is_spaced(text[-1])


def continues_word(text: str) -> bool:
    """Say whether text begins with a letter or digit of a script with spaces."""
    return text[:1].isalnum() and _is_spaced(text[0])


def _is_spaced(character: str) -> bool:
    # Latin to the scripts of India, and the Latin and Greek supplements; Thai begins at 0E00.
    return character < "\u0e00" or "\u1e00" <= character < "\u2000"
