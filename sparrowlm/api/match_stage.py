"""From pairs of texts to the directory of a matcher."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparrowlm.api.both_ways import both_ways_lines, examples_both_ways
from sparrowlm.api.encoder_start import encoder_start, start_codec, starting_path
from sparrowlm.api.example_lessons import match_lessons
from sparrowlm.api.labels import TaskData
from sparrowlm.api.needs import needs_torch
from sparrowlm.api.predictors import judged_pairs
from sparrowlm.api.request import TrainRequest
from sparrowlm.api.task_parts import (
    TaskOutcome,
    asked_parts,
    fingerprint_of,
    learnt_codec,
    model_parts,
    seconds_left,
    user_words,
)
from sparrowlm.corpora.labelled import TextPair
from sparrowlm.export.model_directory import ModelParts
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.tasks.match.lessons import renamed

if TYPE_CHECKING:
    from sparrowlm.tasks.match.metric import PairFigures, SearchFigures
    from sparrowlm.tasks.match.model import Matcher
    from sparrowlm.tasks.match.settings import MatcherTrainingSettings
    from sparrowlm.tasks.match.training import TrainedMatcher
    from sparrowlm.text.tokenizers import TokenCodec

_LEAST_NETWORK_PAIRS = 200
# What answers pairs, and the floor it must beat, by their names in the figures.
_PAIR_PARTS = {"model": "blend", "floor": "tf-idf", "encoder": "encoder"}


def train_match(
    request: TrainRequest,
    data: TaskData,
    progress: Progress,
    stop: StopRequest,
    began: float,
) -> ModelParts:
    """Train, choose, measure; see classify_stage.train_classifier.

    Raises:
        StoppedBySignal: after saving.
    """
    from sparrowlm.tasks.match.training import files, train_matcher
    from sparrowlm.training.encoder_stage import StagePlace

    lessons = match_lessons(request, data, progress)
    pairs = lessons.train
    settings = _settings(request, lessons.unlabelled, began, progress)
    codec = _codec(request, pairs, settings)
    place = StagePlace(request.work / "network", fingerprint_of(request, data), progress, stop)
    trained = train_matcher(pairs, lessons.held_out or None, codec, settings, place)
    models = (lessons.before, trained.matcher)
    figures, both = _figures(trained), examples_both_ways(lessons.groups, models, _short_figures)
    for line in (*_closing_lines(figures), *both_ways_lines(both)):
        progress.note(line)
    part = trained.matcher.encoder
    outcome = TaskOutcome(
        task=trained.matcher.settings.as_json(),
        measured={
            "seconds": trained.seconds,
            "search": trained.search,
            **lessons.facts,
            **both,
            "held_out": figures,
        },
        num_held_out=len(lessons.held_out),
        stages=trained.stages,
        encoder=None if part is None else part.encoder,
        arrays=trained.model_arrays,
        binaries=files(trained),
    )
    return model_parts(request, data, codec, outcome)


def _short_figures(matcher: Matcher, pairs: Sequence[TextPair]) -> dict[str, Any]:
    return judged_pairs(matcher, renamed(pairs, matcher.settings.labels))


def _settings(
    request: TrainRequest, unlabelled: list[str], began: float, progress: Progress
) -> MatcherTrainingSettings:
    from sparrowlm.tasks.match.settings import MatcherTrainingSettings

    chosen = MatcherTrainingSettings()
    size, start, path = chosen.size, None, starting_path(request)
    epochs = chosen.pretraining_epochs
    if path is not None:
        started = encoder_start(path, (), progress)
        size = dataclasses.replace(started.size, context_tokens=size.context_tokens)
        start = started.tensors
        epochs = started.most_reading(epochs, unlabelled) or 0.0
    return dataclasses.replace(
        chosen,
        seconds=seconds_left(request, began),
        most_bytes=request.size_bytes,
        parts=asked_parts(request),
        size=size,
        start=start,
        pretraining_epochs=epochs,
        transfer=request.transfer,
        steps=request.steps,
        unlabelled=unlabelled,
        words=user_words(request),
        seed=request.seed,
    )


def _codec(
    request: TrainRequest, pairs: list[TextPair], settings: MatcherTrainingSettings
) -> TokenCodec | None:
    """Learn a tokenizer where a network may pay: labelled pairs, and not too few of them."""
    num_labelled = sum(pair.label is not None for pair in pairs)
    is_asked_for = request.model == "encoder"
    if request.model == "linear" or (num_labelled < _LEAST_NETWORK_PAIRS and not is_asked_for):
        return None
    needs_torch()
    texts = [text for pair in pairs for text in (pair.first, pair.second)]
    return start_codec(request) or learnt_codec(
        request, [*texts, *settings.unlabelled], settings.words
    )


def _figures(trained: TrainedMatcher) -> dict[str, dict[str, Any]]:
    """Return what is known about pairs and about searches, by part, as JSON values."""
    found: dict[str, dict[str, Any]] = {}
    for part, name in _PAIR_PARTS.items():
        if name in trained.pair_figures:
            found[part] = pair_json(trained.pair_figures[name])
    if trained.search is not None:
        searches = trained.search_figures
        found.setdefault("model", {}).update(search_json(searches[trained.search]))
        rivals = [one for name, one in searches.items() if name != "learnt"]
        if rivals:
            best = max(rivals, key=lambda one: one.hit_1)
            found.setdefault("floor", {}).update(search_json(best))
    return found


def pair_json(figures: PairFigures) -> dict[str, Any]:
    """Return figures about pairs as JSON values."""
    return {**dataclasses.asdict(figures), "f1_interval": list(figures.f1_interval)}


def search_json(figures: SearchFigures) -> dict[str, Any]:
    """Return figures about searches as JSON values."""
    return {
        "hit_at_1": figures.hit_1,
        "hit_at_1_interval": list(figures.hit_1_interval),
        "hit_at_5": figures.hit_5,
        "mean_reciprocal_rank": figures.reciprocal_rank,
    }


def _closing_lines(figures: dict[str, dict[str, Any]]) -> list[str]:
    model, floor = figures.get("model", {}), figures.get("floor", {})
    lines = []
    for code, key in (("api.match-pairs", "f1"), ("api.match-search", "hit_at_1")):
        if key in model:
            low, high = model[f"{key}_interval"]
            lines.append(
                say(
                    code,
                    value=f"{100 * model[key]:.2f}",
                    low=f"{100 * low:.1f}",
                    high=f"{100 * high:.1f}",
                    floor=f"{100 * floor[key]:.2f}" if key in floor else "–",
                )
            )
    return lines
