"""What a classifier is to learn: labelled texts, a teacher's answers, old data, joined.

labels          of the data, of the old data, of the teacher and of the model gone on from
held out        what the person gave; else a part of the data, drawn by the training
groups          0 the data, 1 the old data: both are measured, before and after
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.api.asked_models import asked_directory, told_answers, told_to_judge
from sparrowlm.api.labels import TaskData, read_more, unlabelled_texts
from sparrowlm.api.predictors import open_predictor
from sparrowlm.api.request import TrainRequest
from sparrowlm.corpora.labelled import Example, LabelledText, divide
from sparrowlm.foundation.array_types import Int64
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.progress import Progress
from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.examples import LabelledTexts, as_targets, label_names
from sparrowlm.tasks.classify.lessons import Lesson, in_columns, joined
from sparrowlm.tasks.classify.model import Classifier

NEW, OLD = 0, 1
# As many old texts as tell one per cent from two are kept for measuring, where none were given.
_HELD_OUT_SHARE, _MOST_HELD_OUT = 0.2, 2000

Answers = Callable[[Sequence[str]], Any]


class KnownModel(NamedTuple):
    """A classifier that knows something already.

    Attributes:
        path: its directory.
        classifier: ready to answer.
        floor: how its linear model alone becomes probabilities; None where it is not kept.
    """

    path: Path
    classifier: Classifier
    floor: Blend | None


@dataclass(frozen=True)
class Lessons:
    """All that is learnt and measured.

    Attributes:
        texts: all texts, with what is learnt and what is right.
        held_out: numbers of the texts to measure on; None where they are still to be drawn.
        unlabelled: texts that are read and not answered.
        old: the model that is gone on from, where old and new data are to be compared.
        facts: who taught, and how many texts, as JSON values.
    """

    texts: LabelledTexts
    held_out: Int64[np.ndarray, " held_out"] | None
    unlabelled: list[str] = field(default_factory=list)
    old: KnownModel | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def read_lessons(request: TrainRequest, data: TaskData, progress: Progress) -> Lessons:
    """Read everything that is to be learnt, and let the teacher answer.

    Raises:
        ModelError: the teacher, or the model gone on from, is no classifier.
        SettingError: labels do not fit.
        DataError: old data or unlabelled texts cannot be read.
    """
    more = unlabelled_texts(request)
    teacher = None if request.teacher is None else _known(request.teacher, "--teacher")
    old = None
    if request.start_from is not None and (request.replay is not None or request.keep_answers):
        old = _known(request.start_from, "--from")
    if teacher is None and old is None:
        texts, held_out = _plain(data)
        return Lessons(texts, held_out, more)
    return _Builder(request, data, teacher, old, progress).built(more)


def _plain(data: TaskData) -> tuple[LabelledTexts, Any]:
    """Join training and held-out texts; the numbers of the held-out ones, or None."""
    train, held_out = _labelled(data.examples), _labelled(data.held_out)
    labels = label_names(train)
    both = as_targets(train, labels, is_multi_label=data.is_multi_label)
    if not held_out:
        return both, None
    others = as_targets(held_out, labels, is_multi_label=data.is_multi_label)
    texts = LabelledTexts(
        both.texts + others.texts, np.concatenate([both.targets_BL, others.targets_BL]), labels,
        data.is_multi_label,
    )  # fmt: skip
    return texts, np.arange(len(both), len(texts))


def _labelled(examples: Sequence[Example]) -> list[LabelledText]:
    return [
        one
        for one in examples
        if isinstance(one, LabelledText) and (one.labels or one.probabilities)
    ]


def _silent_texts(examples: Sequence[Example]) -> list[str]:
    return [
        one.text
        for one in examples
        if isinstance(one, LabelledText) and not one.labels and not one.probabilities
    ]


def _known(path: Path, dial: str) -> KnownModel:
    files = asked_directory(path, dial, ("classify",), "classify")
    floor = files.manifest["task"].get("floor")
    return KnownModel(
        path, open_predictor(files), None if floor is None else Blend.from_json(floor)
    )


class _Builder:
    def __init__(
        self, request: TrainRequest, data: TaskData, teacher: KnownModel | None,
        old: KnownModel | None, progress: Progress,
    ) -> None:  # fmt: skip
        self._request = request
        self._data = data
        self._teacher = teacher
        self._old = old
        self._progress = progress
        self._replay = None
        if request.replay is not None:
            self._replay = read_more(request.replay, request, progress)
        self._answering = teacher or (old if request.keep_answers else None)
        self._is_multi = self._agreed()
        self._labels = self._all_labels()
        self._num_answered = 0

    def _agreed(self) -> bool:
        """Say whether a text may have several labels, which all must see alike."""
        known = [one for one in (self._teacher, self._old) if one is not None]
        is_multi = any(one.classifier.is_multi_label for one in known)
        says_several = self._data.is_multi_label or (
            self._replay is not None and self._replay.is_multi_label
        )
        if says_several:
            for one in known:
                if not one.classifier.is_multi_label:
                    raise SettingError("api.lessons-several", path=one.path)
        return is_multi or says_several

    def _all_labels(self) -> tuple[str, ...]:
        names = set(label_names(_labelled([*self._data.examples, *self._data.held_out])))
        if self._teacher is not None:
            known = self._teacher.classifier.labels
            unknown = sorted(names - set(known))
            if unknown:
                raise SettingError(
                    "api.teacher-labels", unknown=", ".join(unknown[:5]), path=self._teacher.path,
                    known=", ".join(known[:20]),
                )  # fmt: skip
            names |= set(known)
        if self._replay is not None:
            names |= set(label_names(_labelled(self._replay.examples)))
        if self._old is not None:
            names |= set(self._old.classifier.labels)
        return tuple(sorted(names))

    def built(self, more: list[str]) -> Lessons:
        """Return everything; texts that nobody answers are only read."""
        lessons = [*self._new_lessons(), *self._old_lessons()]
        silent = _silent_texts(self._data.examples)
        unanswered = [*silent, *more]
        if self._answering is not None and unanswered:
            lessons.append(Lesson(unanswered, None, self._answers(unanswered)))
            num_more, unanswered = len(unanswered), []
        else:
            num_more = 0
        lessons = [one for one in lessons if one.texts]
        facts = self._facts(num_more)
        if not any(one.truth_BL is not None for one in lessons):
            told_to_judge(facts["teacher"], self._progress)
            lessons = [Lesson(one.texts, one.answers_BL) for one in lessons]
        texts, held_out = joined(lessons, self._labels, is_multi_label=self._is_multi)
        return Lessons(texts, held_out, unanswered, self._old, facts)

    def _lesson(
        self, examples: Sequence[Example], group: int, *, is_held_out: bool = False
    ) -> Lesson:
        """Return labelled texts with truth, and with the teacher's answers where it has a say."""
        own = as_targets(_labelled(examples), self._labels, is_multi_label=self._is_multi)
        answers = None
        if self._answering is not None and group == NEW and not is_held_out and own.texts:
            answers = self._answers(own.texts)
        return Lesson(own.texts, own.targets_BL, answers, group, is_held_out)

    def _answers(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 - matrix of all labels
        answering = self._answering
        assert answering is not None, "nobody to answer"  # noqa: S101 - our own mistake
        self._num_answered += len(texts)
        given_BK = answering.classifier.probabilities(texts)
        return in_columns(given_BK, answering.classifier.labels, self._labels)

    @property
    def _is_drawn_later(self) -> bool:
        """Whether the training draws what to measure on, from old and new data alike.

        That is best for small data, but all or nothing: what was given or drawn here is measured
        on by every model, so it must be there for both.
        """
        replay = self._replay
        is_old_free = replay is None or not (
            replay.held_out or replay.test or self._request.replay_share < 1
        )
        return not self._data.held_out and is_old_free

    def _new_lessons(self) -> list[Lesson]:
        """Return the data, divided where the old ones are."""
        held_out, examples = self._data.held_out, _labelled(self._data.examples)
        if not held_out and not self._is_drawn_later and examples:
            examples, held_out = self._divided(examples)
        own = [self._lesson(examples, NEW)]
        return [*own, self._lesson(held_out, NEW, is_held_out=True)] if held_out else own

    def _old_lessons(self) -> list[Lesson]:
        """Return old data: a part to learn again, and what is needed for measuring."""
        if self._replay is None:
            return []
        share = self._request.replay_share
        examples, held_out = self._replay.examples, self._replay.held_out or self._replay.test
        if not held_out and not self._is_drawn_later:
            examples, held_out = self._divided(examples)
        if share < 1:
            examples = divide(examples, share, self._request.seed)[1] if share else []
        learnt = self._lesson(examples, OLD)
        return [learnt, self._lesson(held_out, OLD, is_held_out=True)]

    def _divided(self, examples: Sequence[Example]) -> tuple[Any, Any]:
        """Draw what to measure on: a fifth of few examples, less of many."""
        share = min(_HELD_OUT_SHARE, _MOST_HELD_OUT / max(len(examples), 1))
        return divide(examples, share, self._request.seed)

    def _facts(self, num_more: int) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        if self._answering is not None:
            facts["teacher"] = told_answers(
                self._answering.path, self._num_answered, num_more, self._progress
            )
        if self._replay is not None:
            share = self._request.replay_share
            facts["replay"] = {"texts": len(self._replay.examples), "share": share}
        return facts
