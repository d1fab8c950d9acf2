"""From pairs of texts to the directory of a matcher."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from sparrowlm.api.classify_stage import is_mostly_han
from sparrowlm.api.finished_task import FinishedTask
from sparrowlm.api.labels import TaskData
from sparrowlm.api.request import TrainRequest
from sparrowlm.corpora.labelled import TextPair
from sparrowlm.export.model_directory import ModelParts
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.runtime.encoder_files import body_tensors
from sparrowlm.text.segmentation import read_user_words

if TYPE_CHECKING:
    from sparrowlm.tasks.match.metric import PairFigures, SearchFigures
    from sparrowlm.tasks.match.settings import MatcherTrainingSettings, Parts
    from sparrowlm.tasks.match.training import TrainedMatcher
    from sparrowlm.text.tokenizers import TokenCodec

_LEAST_NETWORK_PAIRS = 200
_CLOSING_SECONDS = 2.0
# What answers pairs, and the floor it must beat, by their names in the figures.
_PAIR_PARTS = {"model": "blend", "floor": "tf-idf", "encoder": "encoder"}


def train_match(
    request: TrainRequest,
    data: TaskData,
    progress: Progress,
    stop: StopRequest,
    began: float,
) -> FinishedTask:
    """Train, choose, measure; see classify_stage.train_classifier.

    Raises:
        StoppedBySignal: after saving.
    """
    from sparrowlm.tasks.match.training import train_matcher
    from sparrowlm.training.encoder_stage import StagePlace

    pairs = [example for example in data.examples if isinstance(example, TextPair)]
    held_out = [example for example in data.held_out if isinstance(example, TextPair)]
    settings = _settings(request, began)
    codec = _codec(request, pairs, settings.words)
    fingerprint = request.fingerprint(bytes.fromhex(data.fingerprint))
    place = StagePlace(request.work / "network", fingerprint, progress, stop)
    trained = train_matcher(pairs, held_out or None, codec, settings, place)
    figures = _figures(trained)
    for line in _closing_lines(figures):
        progress.note(line)
    return FinishedTask(_parts(request, data, trained, codec, fingerprint, figures))


def _settings(request: TrainRequest, began: float) -> MatcherTrainingSettings:
    from sparrowlm.tasks.match.settings import MatcherTrainingSettings

    seconds = None
    if request.minutes is not None:
        seconds = request.minutes * 60 - (time.monotonic() - began) - _CLOSING_SECONDS
        seconds = max(seconds, 1.0)
    parts: Parts = "auto"
    if request.model == "linear":
        parts = "linear"
    elif request.model == "encoder":
        parts = "encoder"
    words: tuple[str, ...] = ()
    if request.user_dictionary is not None:
        words = tuple(read_user_words(request.user_dictionary))
    return MatcherTrainingSettings(
        seconds=seconds, most_bytes=request.size_bytes, parts=parts, words=words,
        seed=request.seed,
    )  # fmt: skip


def _codec(
    request: TrainRequest, pairs: list[TextPair], words: tuple[str, ...]
) -> TokenCodec | None:
    """Learn a tokenizer where a network may pay: labelled pairs, and not too few of them."""
    num_labelled = sum(pair.label is not None for pair in pairs)
    is_asked_for = request.model == "encoder"
    if request.model == "linear" or (num_labelled < _LEAST_NETWORK_PAIRS and not is_asked_for):
        return None
    from sparrowlm.text.tokenizers import TokenizerKind, train_tokenizer
    from sparrowlm.text.tokenizers.sequences import whole

    sample = [whole(text) for pair in pairs for text in (pair.first, pair.second)]
    kind: TokenizerKind = "character" if is_mostly_han(sample) else "word"
    if request.tokenizer != "auto":
        kind = request.tokenizer
    return train_tokenizer(kind, lambda: iter(sample), sum(map(len, sample)), user_words=words)


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


def _parts(
    request: TrainRequest, data: TaskData, trained: TrainedMatcher, codec: TokenCodec | None,
    fingerprint: str, figures: dict[str, dict[str, Any]],
) -> ModelParts:  # fmt: skip
    from sparrowlm.tasks.match.training import files

    encoder = trained.matcher.encoder
    facts = {
        "fingerprint": fingerprint,
        "task": trained.matcher.settings.as_json(),
        "data": {
            "format": data.format,
            "evidence": data.evidence,
            "num_examples": len(data.examples),
            "num_held_out": len(data.held_out),
        },
        "recipe": {
            "task": "match", "model": request.model, "minutes": request.minutes,
            "steps": request.steps, "seed": request.seed, "size_bytes": request.size_bytes,
        },
        "measured": {"seconds": trained.seconds, "search": trained.search, "held_out": figures},
        "curve": {
            name: [dataclasses.asdict(point) for point in result.curve]
            for name, result in trained.stages.items()
        },
    }  # fmt: skip
    return ModelParts(
        kind="match",
        codec=codec if encoder else None,
        shape=encoder.encoder.engine.shape if encoder else None,
        tensors=body_tensors(trained.model_arrays),
        binaries=files(trained),
        facts=facts,
    )
