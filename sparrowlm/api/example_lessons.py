"""What a tagger or a matcher is to learn: its data, old data, another model's answers.

train       the data, the old data, and what another model answers
held out    new and old: both choose and both are measured; none where the training draws its own
groups      the same by name, to measure the model before and the one after

A classifier has lessons of its own (classify_lessons.py): its targets are probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from sparrowlm.api.asked_models import asked_directory, told_answers, told_to_judge
from sparrowlm.api.labels import TaskData, read_more, unlabelled_texts
from sparrowlm.api.predictors import open_matcher, open_tagger
from sparrowlm.api.request import TrainRequest
from sparrowlm.corpora.labelled import LabelledText, TaggedText, TextPair, divide
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.tasks.match.examples import divided as by_label
from sparrowlm.tasks.match.examples import label_names
from sparrowlm.tasks.match.lessons import judged, mixed, renamed
from sparrowlm.tasks.match.model import Matcher
from sparrowlm.tasks.tag.dividing import divided
from sparrowlm.tasks.tag.lessons import answered, with_kept_answers
from sparrowlm.tasks.tag.model import Tagger

E = TypeVar("E", bound=TaggedText | TextPair)
Draw = Callable[[Sequence[E]], tuple[list[E], list[E]]]
NEW, OLD = "new", "old"
# As many true examples as this are kept for measuring, but not more than half of a few.
_LEAST_HELD_OUT, _MOST_HELD_OUT, _HELD_OUT_SHARE, _HALF = 100, 3000, 0.15, 0.5


@dataclass(frozen=True)
class ExampleLessons(Generic[E]):
    """All that is learnt and measured.

    Attributes:
        train: examples to learn from.
        held_out: examples that choose and measure; empty where the training draws them.
        unlabelled: texts that are read and not answered.
        groups: held-out examples by name, "old" and "new"; empty where nothing is compared.
        before: the model that was gone on from, to be measured beside the one that comes of it.
        facts: who taught, and how many examples, as JSON values.
    """

    train: list[E]
    held_out: list[E]
    unlabelled: list[str] = field(default_factory=list)
    groups: Mapping[str, list[E]] = field(default_factory=dict)
    before: Tagger | Matcher | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class _Parts(Generic[E]):
    """New and old examples, divided; what another model answers."""

    learnt: list[E]
    held_out: list[E]
    old: list[E]
    old_held_out: list[E]
    answered: list[E] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def _assembled(
    parts: _Parts[E], more: list[str], before: Tagger | Matcher | None, stored: Sequence[E] = ()
) -> ExampleLessons[E]:
    """Put everything together.

    Args:
        parts: what there is.
        more: texts that are only read.
        before: the model that was gone on from; None where there is none to compare with.
        stored: examples that are kept and neither true nor false.
    """
    train = [*parts.learnt, *parts.old, *parts.answered, *stored]
    both = {OLD: parts.old_held_out, NEW: parts.held_out}
    groups = {name: own for name, own in both.items() if own} if before is not None else {}
    held_out = [*parts.held_out, *parts.old_held_out]
    return ExampleLessons(train, held_out, more, groups, before, parts.facts)


def tag_lessons(
    request: TrainRequest, data: TaskData, progress: Progress
) -> ExampleLessons[TaggedText]:
    """Read what a tagger is to learn, and let another one answer.

    Raises:
        ModelError: the teacher, or the model gone on from, is no tagger of this kind.
        SettingError: labels do not fit.
        DataError: old data or unlabelled texts cannot be read.
    """
    train, held_out = _of(TaggedText, data.examples), _of(TaggedText, data.held_out)
    silent = [one.text for one in _of(LabelledText, data.examples)]
    more = [*silent, *unlabelled_texts(request)]
    if not _has_lessons(request):
        return ExampleLessons(train, held_out, more)

    def draw(examples: Sequence[TaggedText]) -> tuple[list[TaggedText], list[TaggedText]]:
        return divided(examples, request.seed, _share(len(examples)))

    replay = _replay(request, data, progress)
    old = [] if replay is None else _of(TaggedText, replay.examples)
    old_held_out = [] if replay is None else _of(TaggedText, replay.held_out or replay.test)
    parts = _divided(request, (train, held_out), (old, old_held_out), draw)
    old_path = _compared_path(request)
    before = None if old_path is None else _tagger(old_path, "--from", data.task)
    if request.teacher is not None:
        teacher = _tagger(request.teacher, "--teacher", data.task)
        more = _taught_tags(request.teacher, teacher, parts, more, progress)
    elif old_path is not None and before is not None:
        more = _kept_tags(request, (old_path, before), parts, more, progress)
    return _assembled(parts, more, before)


def _taught_tags(
    path: Path, teacher: Tagger, parts: _Parts[TaggedText], texts: list[str], progress: Progress
) -> list[str]:
    """Let the teacher tag texts; return what is still only to be read."""
    own = _labels([*parts.learnt, *parts.held_out])
    unknown = sorted(own - set(teacher.types))
    if unknown:
        raise SettingError(
            "api.teacher-labels", unknown=", ".join(unknown[:5]), path=path,
            known=", ".join(teacher.types[:20]),
        )  # fmt: skip
    missing = set(teacher.types) - own
    if own and missing:
        # The data say nothing about them, which is not that there are none.
        parts.learnt, _number = with_kept_answers(teacher, parts.learnt, missing)
    known = {one.text for one in (*parts.learnt, *parts.held_out, *parts.old_held_out)}
    parts.answered = answered(teacher, [text for text in dict.fromkeys(texts) if text not in known])
    _tell_teacher(path, parts, progress)
    return []


def _kept_tags(
    request: TrainRequest, old: tuple[Path, Tagger], parts: _Parts[TaggedText],
    texts: list[str], progress: Progress,
) -> list[str]:  # fmt: skip
    """Let the model gone on from add its own labels to texts that leave them out."""
    path, before = old
    missing = set(before.types) - _labels([*parts.learnt, *parts.held_out])
    if missing:
        parts.learnt, number = with_kept_answers(before, parts.learnt, missing)
        parts.held_out, _number = with_kept_answers(before, parts.held_out, missing)
        parts.facts["kept_labels"] = {"labels": sorted(missing), "spans": number}
        names = ", ".join(sorted(missing)[:10])
        progress.note(say("api.kept-labels", labels=names, number=f"{number:,}", path=path))
        return texts
    if not request.keep_answers or not texts:
        return texts
    # It knows every label: what it says about texts that nobody tagged is worth keeping.
    parts.answered = answered(before, list(dict.fromkeys(texts)))
    _tell_teacher(path, parts, progress)
    return []


def match_lessons(
    request: TrainRequest, data: TaskData, progress: Progress
) -> ExampleLessons[TextPair]:
    """Read what a matcher is to learn, and let another one judge.

    Raises:
        ModelError: the teacher, or the model gone on from, is no matcher.
        DataError: old data or unlabelled texts cannot be read.
    """
    pairs, held_out = _of(TextPair, data.examples), _of(TextPair, data.held_out)
    more = unlabelled_texts(request)
    if not _has_lessons(request):
        return ExampleLessons(pairs, held_out, more)

    def draw(examples: Sequence[TextPair]) -> tuple[list[TextPair], list[TextPair]]:
        learnt, others = divide(examples, _share(len(examples)), request.seed)
        return _of(TextPair, learnt), _of(TextPair, others)

    replay = _replay(request, data, progress)
    old_pairs = [] if replay is None else _of(TextPair, replay.examples)
    old_others = [] if replay is None else _of(TextPair, replay.held_out or replay.test)
    old_path, teacher = _compared_path(request), None
    before = None if old_path is None else _matcher(old_path, "--from")
    if request.teacher is not None:
        teacher = _matcher(request.teacher, "--teacher")
    (labelled, stored), (old, old_stored) = by_label(pairs), by_label(old_pairs)
    names = _names([*labelled, *held_out], teacher or before)
    old, old_others = renamed(old, names), renamed(by_label(old_others)[0], names)
    parts = _divided(request, (labelled, by_label(held_out)[0]), (old, old_others), draw)
    answers = [*stored, *old_stored]
    if request.teacher is not None and teacher is not None:
        parts.answered = judged(teacher, stored, names)
        answers = old_stored
        _tell_teacher(request.teacher, parts, progress)
    elif request.keep_answers and before is not None:
        parts.learnt = mixed(before, parts.learnt, names)
    return _assembled(parts, more, before, answers)


def _names(pairs: Sequence[TextPair], other: Matcher | None) -> tuple[str, str]:
    """Return the labels: those of the data, else of the other model."""
    return label_names(pairs) if pairs or other is None else other.settings.labels


def _has_lessons(request: TrainRequest) -> bool:
    return request.teacher is not None or _compared_path(request) is not None


def _compared_path(request: TrainRequest) -> Path | None:
    """Return the model gone on from, where it is measured beside the one that comes of it."""
    is_compared = request.replay is not None or request.keep_answers
    return request.start_from if is_compared else None


def _share(number: int) -> float:
    few = min(_LEAST_HELD_OUT / number, _HALF)
    return min(max(_HELD_OUT_SHARE, few), _MOST_HELD_OUT / number)


def _of(kind: type[Any], examples: Sequence[Any]) -> list[Any]:
    return [one for one in examples if isinstance(one, kind)]


def _labels(examples: Sequence[TaggedText]) -> set[str]:
    return {span.label for one in examples for span in one.spans}


def _replay(request: TrainRequest, data: TaskData, progress: Progress) -> TaskData | None:
    if request.replay is None:
        return None
    return read_more(request.replay, request, progress, data.task)


def _divided(
    request: TrainRequest, new: tuple[list[E], list[E]], old: tuple[list[E], list[E]], draw: Draw[E]
) -> _Parts[E]:
    """Draw what to measure on where it was not given; learn the share of old ones asked for."""
    facts: dict[str, Any] = {}
    (learnt, held_out), (old_learnt, old_held_out) = new, old
    if learnt and not held_out:
        learnt, held_out = draw(learnt)
    if request.replay is not None:
        facts["replay"] = {"texts": len(old_learnt), "share": request.replay_share}
    if old_learnt and not old_held_out:
        old_learnt, old_held_out = draw(old_learnt)
    share = request.replay_share
    if share < 1:
        old_learnt = divide(old_learnt, share, request.seed)[1] if share else []  # type: ignore[assignment]
    return _Parts(learnt, held_out, old_learnt, old_held_out, facts=facts)


def _tell_teacher(path: Path, parts: _Parts[Any], progress: Progress) -> None:
    number = len(parts.answered)
    facts = told_answers(path, number, number, progress)
    if not parts.learnt and not parts.held_out:
        told_to_judge(facts, progress)
    parts.facts["teacher"] = facts


def _tagger(path: Path, dial: str, task: str) -> Tagger:
    kinds = ("segment",) if task == "segment" else ("tag", "intent")
    return open_tagger(asked_directory(path, dial, kinds, task))


def _matcher(path: Path, dial: str) -> Matcher:
    return open_matcher(asked_directory(path, dial, ("match",), "match"))
