"""The next words with their probabilities, whatever the tokens are.

A word may be one token, a few, or one per character. The search grows the likeliest beginnings
level by level, all of a level in one step of the engine:

    p(word) = sum over the token paths that spell it of p(path) p(the word ends there | path)

A word ends where a sign, a space or the document's end follows, which is summed over the whole
vocabulary, or where the segmentation of text, word and what the model would most likely write next
cuts behind it. Of the followers of a Chinese beginning only the likeliest are looked at; the rest
is taken to end the word as often as those do.

A text that ends with a letter of a language that separates its words is taken to end with a whole
word: "the king" is followed by "is", not by "dom".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.decoding import read_prompt
from sparrowlm.runtime.engines import Engine, log_softmax
from sparrowlm.runtime.prompts import Prompt, first_tokens, make_prompt
from sparrowlm.runtime.word_ends import (
    FirstWord,
    WordEnds,
    cannot_continue_word,
    continues_word,
    ends_with_word,
)
from sparrowlm.text.segmentation import WordSegmenter
from sparrowlm.text.tokenizers import TokenCodec

_LARGEST_STEP = 32
_MOST_LEVELS = 24
_LOOKAHEAD_TOKENS = 3
# A beginning less likely than this share of the last word wanted cannot change what is shown.
_NEGLIGIBLE_SHARE = 0.15
_NEGLIGIBLE = 1e-5
# Less likely than this, where the dictionary ends a word is believed.
_WORTH_LOOKING_AHEAD = 0.005
# Up to so many words the search is the same, so that asking for fewer changes no figure.
_LEAST_RANK = 8

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class NextWord:
    """A word that may come next.

    Attributes:
        word: never "", without the space in front of it.
        probability: 0 to 1; those of all words sum to at most 1.
    """

    word: str
    probability: float


@dataclass(slots=True)
class _Beginning:
    """A path of tokens whose word may still grow.

    Attributes:
        data: its bytes behind the prompt.
        probability: of the path.
        found: its first word so far.
        looked_at: share of what may follow that was looked at, in Han characters and the like.
        ended: share of that with which the word turned out to end.
        marked: share of what may follow that ends the word by itself.
    """

    data: bytes
    probability: float
    found: FirstWord
    looked_at: float = 0.0
    ended: float = 0.0
    marked: float = 0.0


@dataclass(slots=True)
class _Candidate:
    parent: int
    token_id: int
    share: float
    beginning: _Beginning


class NextWordSearch:
    """Finds next words with one model.

    Args:
        engine: gives the scores.
        codec: text to ids and back.
        segmenter: cuts Chinese; None takes the common dictionary.
    """

    def __init__(
        self, engine: Engine[Any], codec: TokenCodec, segmenter: WordSegmenter | None = None
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._segmenter = segmenter or WordSegmenter()
        self._characters = WholeCharacters(codec)
        pieces = [self._characters.piece(token_id) for token_id in range(codec.vocab_size)]
        texts = [piece.decode("utf-8", errors="replace") for piece in pieces]
        self._ends_word_V = np.array([cannot_continue_word(text) for text in texts])
        # The end of the document ends a word; a broken character decides nothing yet.
        self._ends_word_V[[text.startswith("\ufffd") for text in texts]] = False
        self._ends_word_V[codec.separator_id] = True
        self._begins_new_V = np.array([not continues_word(text) for text in texts])

    def find(self, text: str, num_words: int) -> list[NextWord]:
        """Return the likeliest next words, best first.

        Args:
            text: what stands before, also nothing.
            num_words: at most so many, >= 1.
        """
        return _Search(self, text, num_words).run()

    @property
    def engine(self) -> Engine[Any]:
        """The model."""
        return self._engine

    @property
    def characters(self) -> WholeCharacters:
        """The bytes of all tokens."""
        return self._characters

    @property
    def codec(self) -> TokenCodec:
        """The tokenizer."""
        return self._codec

    @property
    def segmenter(self) -> WordSegmenter:
        """Cuts words."""
        return self._segmenter

    @property
    def begins_new_V(self) -> Bool[np.ndarray, " vocab"]:
        """Which tokens cannot continue a word of letters before them."""
        return self._begins_new_V

    @property
    def ends_word_V(self) -> Bool[np.ndarray, " vocab"]:
        """Which tokens end any word before them."""
        return self._ends_word_V


class _Search:
    """One search: the state that its levels share."""

    def __init__(self, parts: NextWordSearch, text: str, num_words: int) -> None:
        self._engine, self._characters = parts.engine, parts.characters
        self._separator, self._ends_word_V = parts.codec.separator_id, parts.ends_word_V
        self._word_ends = WordEnds(text, parts.segmenter)
        self._num_words = num_words
        if ends_with_word(text):
            ids = [parts.codec.separator_id, *parts.codec.encode(text)]
            self._prompt = Prompt(ids, b"")
            self._first_V = parts.characters.allowed(b"") & parts.begins_new_V
        else:
            self._prompt = make_prompt(text, parts.codec, parts.characters)
            self._first_V = first_tokens(self._prompt, parts.characters)
        self._words: defaultdict[str, float] = defaultdict(float)
        self._skipped = len(self._prompt.begun)

    def run(self) -> list[NextWord]:
        cache = self._engine.start()
        logits_V = read_prompt(self._engine, self._prompt.ids, cache)
        root = _Beginning(b"", 1.0, self._word_ends.first(""))
        beginnings = [root]
        probabilities_BV = _shares(logits_V[None], self._first_V[None])
        for level in range(_MOST_LEVELS):
            candidates = self._candidates(beginnings, probabilities_BV, is_first=level == 0)
            grown = self._settle(candidates, beginnings, cache)
            for beginning in beginnings:
                self._count_end(beginning)
            if not grown:
                break
            beginnings = [candidate.beginning for candidate, _row in grown]
            rows_BV = np.stack([row_V for _candidate, row_V in grown])
            masks = [self._allowed(beginning) for beginning in beginnings]
            probabilities_BV = _shares(rows_BV, np.stack(masks))
            cache = self._grown_cache
        ranked = sorted(self._words.items(), key=lambda pair: (-pair[1], pair[0]))
        return [NextWord(word, min(p, 1.0)) for word, p in ranked[: self._num_words] if p > 0]

    def _allowed(self, beginning: _Beginning) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return self._characters.allowed(_open_bytes(beginning.data))

    def _candidates(
        self, beginnings: Sequence[_Beginning], probabilities_BV: Matrix, *, is_first: bool
    ) -> list[_Candidate]:
        """Choose the likeliest continuations; what ends a word by a sign is summed at once."""
        joint_BV = probabilities_BV * np.array([[b.probability] for b in beginnings], np.float32)
        for row, beginning in enumerate(beginnings):
            if beginning.found.word and not _open_bytes(beginning.data):
                beginning.marked = float(probabilities_BV[row, self._ends_word_V].sum())
                joint_BV[row, self._ends_word_V] = 0.0
        joint_BV[:, self._separator] = 0.0  # before any word the end of the document is no word
        flat = joint_BV.ravel()
        count = min(_LARGEST_STEP, len(flat))
        chosen = np.argpartition(-flat, count - 1)[:count]
        least = max(_NEGLIGIBLE, _NEGLIGIBLE_SHARE * self._last_wanted())
        candidates = []
        for place in chosen[flat[chosen] >= least]:
            parent, token_id = divmod(int(place), joint_BV.shape[1])
            share = float(probabilities_BV[parent, token_id])
            piece = self._characters.piece(token_id)[self._skipped if is_first else 0 :]
            data = beginnings[parent].data + piece
            found = self._word_ends.first(_whole(data))
            grown = _Beginning(data, float(flat[place]), found)
            candidates.append(_Candidate(parent, token_id, share, grown))
        return candidates

    def _settle(
        self,
        candidates: list[_Candidate],
        beginnings: Sequence[_Beginning],
        cache: Any,  # noqa: ANN401
    ) -> list[tuple[_Candidate, Matrix]]:
        """Count candidates whose word has ended; return those that grow, with logits_V."""
        stepped = []
        for candidate in candidates:
            beginning = candidate.beginning
            is_small = beginning.probability < _WORTH_LOOKING_AHEAD and not beginning.found.is_open
            if beginning.found.is_certain or is_small:
                self._count(candidate, beginnings[candidate.parent])
            else:
                stepped.append(candidate)
        if not stepped:
            return []
        stepped_cache = self._engine.branch(cache, [c.parent for c in stepped])
        ids_B = np.array([c.token_id for c in stepped], dtype=np.int64)
        logits_BV = self._engine.step_rows(ids_B, stepped_cache)
        self._look_ahead(stepped, logits_BV, stepped_cache)
        grown = []
        for row, candidate in enumerate(stepped):
            parent = beginnings[candidate.parent]
            if candidate.beginning.found.is_open:
                parent.looked_at += candidate.share
                grown.append(row)
            else:
                self._count(candidate, parent)
        self._grown_cache = self._engine.branch(stepped_cache, grown) if grown else None
        return [(stepped[row], logits_BV[row]) for row in grown]

    def _count(self, candidate: _Candidate, parent: _Beginning) -> None:
        """Count a candidate whose word has ended."""
        parent.looked_at += candidate.share
        self._words[candidate.beginning.found.word] += candidate.beginning.probability
        if candidate.beginning.found.word == parent.found.word:
            parent.ended += candidate.share

    def _look_ahead(self, stepped: list[_Candidate], logits_BV: Matrix, cache: Any) -> None:  # noqa: ANN401
        """Let the model write on, greedily, where the dictionary alone has ended a word."""
        doubtful = [row for row, c in enumerate(stepped) if not c.beginning.found.is_open]
        if not doubtful:
            return
        ahead = self._engine.branch(cache, doubtful)
        data = [stepped[row].beginning.data for row in doubtful]
        rows_BV = logits_BV[doubtful]
        for turn in range(_LOOKAHEAD_TOKENS):
            masks = np.stack([self._characters.allowed(_open_bytes(d)) for d in data])
            drawn_B = np.where(masks, rows_BV, -np.inf).argmax(axis=1)
            data = [d + self._characters.piece(int(t)) for d, t in zip(data, drawn_B, strict=True)]
            if turn + 1 < _LOOKAHEAD_TOKENS:
                rows_BV = self._engine.step_rows(drawn_B.astype(np.int64), ahead)
        for row, longer in zip(doubtful, data, strict=True):
            beginning = stepped[row].beginning
            written = len(_whole(beginning.data))
            found = self._word_ends.first(_whole(longer))
            if found.end >= written and found.word:
                # Written on, the word goes at least as far as the path: it may still grow.
                word = _whole(beginning.data).lstrip(" ")
                beginning.found = FirstWord(word, written, is_open=True, is_certain=False)
            else:
                beginning.found = found

    def _count_end(self, beginning: _Beginning) -> None:
        """Count what was summed over the vocabulary, and what was not looked at."""
        if not beginning.found.word:
            return
        ends = beginning.marked
        unseen = max(1.0 - beginning.marked - beginning.looked_at, 0.0)
        if beginning.looked_at > 0:
            ends += unseen * beginning.ended / beginning.looked_at
        self._words[beginning.found.word] += beginning.probability * ends

    def _last_wanted(self) -> float:
        rank = max(self._num_words, _LEAST_RANK)
        if len(self._words) < rank:
            return 0.0
        return sorted(self._words.values(), reverse=True)[rank - 1]


def _shares(logits_BV: Matrix, allowed_BV: np.ndarray[Any, np.dtype[np.bool_]]) -> Matrix:
    """Return probabilities among the allowed ids."""
    shares_BV: Matrix = np.exp(log_softmax(np.where(allowed_BV, logits_BV, np.float32(-1e30))))
    return shares_BV


def _open_bytes(data: bytes) -> bytes:
    """Return the beginning of an unfinished character at the end, at most three bytes."""
    for length in range(1, min(4, len(data)) + 1):
        byte = data[-length]
        if byte < 0x80:
            return b""
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[-length:] if length < needed else b""
    return b""


def _whole(data: bytes) -> str:
    """Return the whole characters of data."""
    open_bytes = _open_bytes(data)
    return data[: len(data) - len(open_bytes)].decode("utf-8", errors="replace")
