"""Continuous batching: texts join and leave at any token, and none notices the others.

Every step reads one more id of every text that is being written, all in one call of the engine, and
one piece of one prompt that still waits. The engine gives every row the bits it would have alone
(Engine.step_together), every text has its own random numbers, and so a text is the same alone and
in company.

Source: Yu et al. 2022, "Orca: a distributed serving system for Transformer-based generative
models", section 3.1 (scheduling by iteration, not by request).

Shape letters: B texts, T positions, V vocabulary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.continuation import (
    Continuation,
    DecodingSettings,
    Ending,
    advance_each,
)
from sparrowlm.runtime.decoding import guide_of, with_seed
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.grammar_guides import Grammar
from sparrowlm.runtime.guides import TextGuide
from sparrowlm.runtime.prompts import Prompt, make_prompt
from sparrowlm.runtime.sampling import refuse_setting
from sparrowlm.runtime.token_logs import DrawnToken, drawn_token, given_tokens
from sparrowlm.text.patterns import Automaton
from sparrowlm.text.tokenizers import TokenCodec

MOST_TEXTS = 64
# Prompts are read in pieces, so that texts in the making wait no longer than for one of them.
_PROMPT_PIECE = 64
_KEPT_GUIDES = 8

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is to be written.

    Attributes:
        prompt: a text, or the ids of one.
        settings: of decoding.
        num_samples: continuations of the prompt, >= 1.
        likeliest: how many alternatives come with each token; None for no log-probabilities.
        echoes: whether the prompt's own tokens come first. A text is then read exactly as its
            tokens stand: the last one is not taken back (see runtime.prompts).
    """

    prompt: str | Sequence[int]
    settings: DecodingSettings
    num_samples: int = 1
    likeliest: int | None = None
    echoes: bool = False


class Event(NamedTuple):
    """Something that happened to a text.

    Attributes:
        sample: its number among the samples of the task.
        token: drawn, or of the prompt where the task echoes it; its text may be empty. The
            separator that ends a text comes where log-probabilities are wanted.
        is_prompt: whether it is the prompt's own.
        ending: why the text ended, with its last event.
    """

    sample: int
    token: DrawnToken
    is_prompt: bool = False
    ending: Ending | None = None


@dataclass(eq=False)
class Writing:
    """A task on its way.

    Attributes:
        task: what is wanted.
        prompt: as ids.
        guide: of its texts.
        cache: while the prompt is read.
        num_read: ids of the prompt that are read.
        num_unfinished: samples that go on.
        num_drawn: ids drawn for all samples.
        is_wanted: set to False from any thread, it ends within one step.
    """

    task: Task
    prompt: Prompt
    guide: TextGuide | None
    cache: Any = None
    num_read: int = 0
    num_unfinished: int = field(init=False)
    num_drawn: int = 0
    is_wanted: bool = True

    def __post_init__(self) -> None:
        """All samples are to come."""
        self.num_unfinished = self.task.num_samples

    @property
    def num_prompt_tokens(self) -> int:
        """How many ids the prompt has, without the separator in front of it."""
        return len(self.prompt.ids) - 1 + bool(self.prompt.begun)


@dataclass(eq=False, slots=True)
class _Row:
    """One text that is being written."""

    writing: Writing
    sample: int
    text: Continuation
    cache: Any


class BatchDecoder:
    """Continues any number of texts with one model, a step at a time; for one thread.

    Args:
        engine: gives the scores.
        codec: text to ids and back.
        most_texts: written at once; others wait.
    """

    def __init__(
        self, engine: Engine[Any], codec: TokenCodec, most_texts: int = MOST_TEXTS
    ) -> None:
        self._engine = engine
        self._codec = codec
        self._characters = WholeCharacters(codec)
        self._most_texts = most_texts
        self._waiting: deque[Writing] = deque()
        self._rows: list[_Row] = []
        self._guides: dict[Automaton | Grammar, TextGuide] = {}
        self._guides_lock = Lock()

    @property
    def num_waiting(self) -> int:
        """How many tasks have not begun to write."""
        return len(self._waiting)

    @property
    def num_writing(self) -> int:
        """How many texts are being written."""
        return len(self._rows)

    @property
    def longest_token_bytes(self) -> int:
        """How many bytes the longest token stands for, >= 1."""
        return max(1, int(self._characters.lengths_V.max()))

    def has_work(self) -> bool:
        """Say whether another step does anything."""
        return bool(self._rows or self._waiting)

    def prepare(self, task: Task) -> Writing:
        """Check a task and encode its prompt; any thread may do so.

        Args:
            task: see Task.

        Raises:
            SettingError: an id is none of the vocabulary; the pattern allows no text.
        """
        task = replace(task, settings=with_seed(task.settings))
        return Writing(task, self._prompt(task), self._guide(task.settings))

    def add(self, writing: Writing) -> None:
        """Let a task begin as soon as there is room."""
        self._waiting.append(writing)

    def step(self) -> list[tuple[Writing, Event]]:
        """Read one piece of a prompt, and one more id of every text; return what came of it."""
        self._leave()
        events = list(self._read_on())
        if self._rows:
            events += self._write_on()
        return events

    def _leave(self) -> None:
        """Drop what nobody wants any more."""
        if any(not row.writing.is_wanted for row in self._rows):
            self._rows = [row for row in self._rows if row.writing.is_wanted]
        if any(not writing.is_wanted for writing in self._waiting):
            self._waiting = deque(one for one in self._waiting if one.is_wanted)

    def _read_on(self) -> Iterator[tuple[Writing, Event]]:
        """Read a piece of the first prompt that waits, and begin its texts behind the last."""
        if not self._waiting:
            return
        writing = self._waiting[0]
        if self._rows and len(self._rows) + writing.task.num_samples > self._most_texts:
            return
        if writing.cache is None:
            writing.cache = self._engine.start()
        ids, first = writing.prompt.ids, writing.num_read
        piece_T = np.array(ids[first : first + _PROMPT_PIECE], dtype=np.int64)
        echoes = writing.task.echoes
        logits_TV = self._engine.step(piece_T, writing.cache, is_last_only=not echoes)
        writing.num_read += len(piece_T)
        if echoes:
            targets = ids[first + 1 : writing.num_read + 1]
            k = writing.task.likeliest
            for token in given_tokens(targets, logits_TV[: len(targets)], self._codec, k):
                for sample in range(writing.task.num_samples):
                    yield writing, Event(sample, token, is_prompt=True)
        if writing.num_read == len(ids):
            self._waiting.popleft()
            yield from self._begin(writing, logits_TV[-1])

    def _begin(
        self, writing: Writing, logits_V: np.ndarray[Any, np.dtype[np.float32]]
    ) -> Iterator[tuple[Writing, Event]]:
        task = writing.task
        for sample in range(task.num_samples):
            text = Continuation(
                writing.prompt, self._characters, task.settings, sample, writing.guide
            )
            if text.has_ended():
                writing.num_unfinished -= 1
                yield writing, Event(sample, DrawnToken(None, None, ""), ending=text.ending)
                continue
            is_last = sample == task.num_samples - 1
            cache = writing.cache if is_last else self._engine.branch(writing.cache, [0])
            row = _Row(writing, sample, text, cache)
            yield self._advance([row], logits_V[None])[0]
            if not text.has_ended():
                self._rows.append(row)
        writing.cache = None

    def _write_on(self) -> list[tuple[Writing, Event]]:
        fed_B = np.array([row.text.last_id for row in self._rows], dtype=np.int64)
        logits_BV = self._engine.step_together(fed_B, [row.cache for row in self._rows])
        events = self._advance(self._rows, logits_BV)
        self._rows = [row for row in self._rows if not row.text.has_ended()]
        return events

    def _advance(self, rows: Sequence[_Row], logits_BV: Matrix) -> list[tuple[Writing, Event]]:
        """Draw the next id of several texts."""
        released = advance_each(self._engine, [row.text for row in rows], logits_BV)
        told = zip(rows, released, logits_BV, strict=True)
        return [(row.writing, self._event(row, text, logits_V)) for row, text, logits_V in told]

    def _event(
        self, row: _Row, released: str, logits_V: np.ndarray[Any, np.dtype[np.float32]]
    ) -> Event:
        """Return what the id that was drawn last means."""
        writing, text = row.writing, row.text
        if text.ending is not None:
            writing.num_unfinished -= 1
        is_separator = text.last_id == self._codec.separator_id
        writing.num_drawn += not is_separator
        likeliest = writing.task.likeliest
        if likeliest is None:
            token = DrawnToken(None if is_separator else text.last_id, None, released)
        else:  # the end of a text has a probability like everything else
            token = drawn_token(text.last_id, released, logits_V, self._codec, likeliest)
        return Event(row.sample, token, ending=text.ending)

    def _prompt(self, task: Task) -> Prompt:
        separator = self._codec.separator_id
        if isinstance(task.prompt, str):
            if not task.echoes:
                return make_prompt(task.prompt, self._codec, self._characters)
            return Prompt([separator, *self._codec.encode(task.prompt)], b"")
        ids = list(task.prompt)
        for token_id in ids:
            if not 0 <= token_id < self._codec.vocab_size:
                refuse_setting("prompt", token_id, f"0 - {self._codec.vocab_size - 1}")
        if not ids or ids[0] != separator:
            ids.insert(0, separator)
        return Prompt(ids, b"")

    def _guide(self, settings: DecodingSettings) -> TextGuide | None:
        """Return the guide of a pattern; what it finds out is kept for the next text."""
        pattern = settings.pattern
        if pattern is None:
            return None
        with self._guides_lock:
            guide = self._guides.pop(pattern, None)
        guide = guide or guide_of(settings, self._codec, self._characters)
        if guide is not None:
            with self._guides_lock:
                self._guides[pattern] = guide
                if len(self._guides) > _KEPT_GUIDES:
                    del self._guides[next(iter(self._guides))]
        return guide
