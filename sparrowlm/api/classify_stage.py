"""From labelled texts to the directory of a classifier."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api.both_ways import both_ways, both_ways_lines
from sparrowlm.api.classify_lessons import Lessons, read_lessons
from sparrowlm.api.encoder_start import encoder_start, start_codec
from sparrowlm.api.labels import TaskData
from sparrowlm.api.needs import needs_torch
from sparrowlm.api.request import TrainRequest
from sparrowlm.api.task_parts import (
    DEFAULT_BYTES,
    TaskOutcome,
    asked_parts,
    fingerprint_of,
    learnt_codec,
    model_parts,
    seconds_left,
    user_words,
)
from sparrowlm.corpora.labelled import LabelledText
from sparrowlm.export.model_directory import ModelParts
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.foundation.quantities import format_size
from sparrowlm.runtime.directory import ENCODER_FILE, LINEAR_FILE
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.known import KnownLinear
from sparrowlm.tasks.classify.model import ClassifierSettings, load_linear
from sparrowlm.tasks.classify.settings import (
    LEAST_LINEAR_BYTES,
    ClassifierTrainingSettings,
)

if TYPE_CHECKING:
    from sparrowlm.tasks.classify.evaluation import ClassifierFigures
    from sparrowlm.tasks.classify.training import TrainedClassifier
    from sparrowlm.text.tokenizers import TokenCodec

_LEAST_NETWORK_TEXTS = 20
_SHORT_CONTEXT, _LONG_CONTEXT = 128, 256
_MOST_CONFUSION_LABELS = 200
# Share of an old linear model that stays where its data are gone (decision 032).
_KEPT_TRUST = 0.5


def train_classifier(
    request: TrainRequest,
    data: TaskData,
    progress: Progress,
    stop: StopRequest,
    began: float,
) -> ModelParts:
    """Train, choose, measure.

    Args:
        request: all dials.
        data: labelled texts.
        progress: told about everything.
        stop: looked at after every step.
        began: time.monotonic() when the command began, for the clock.

    Raises:
        StoppedBySignal: after saving.
    """
    from sparrowlm.tasks.classify.task import evaluate_classifier, trained_figures
    from sparrowlm.tasks.classify.training import ClassifierTraining
    from sparrowlm.training.encoder_stage import StagePlace

    lessons = read_lessons(request, data, progress)
    texts = lessons.texts
    settings = _settings(request, lessons, began, progress)
    codec = _codec(request, texts, settings, progress)
    progress.note(_plan_line(texts, settings, codec))
    place = StagePlace(request.work / "network", fingerprint_of(request, data), progress, stop)
    trained = ClassifierTraining(texts, lessons.held_out, codec, settings, place).run()
    figures = trained_figures(trained, texts)
    test_figures: dict[str, Any] = {}
    if data.test:
        examples = [example for example in data.test if isinstance(example, LabelledText)]
        test_figures = evaluate_classifier(trained.classifier, trained.alone, examples)
    both = both_ways(lessons, trained)
    for line in [*closing_lines(trained, figures, test_figures), *both_ways_lines(both)]:
        progress.note(line)
    outcome = _outcome(lessons.facts | both, trained, figures, test_figures)
    return model_parts(request, data, codec, outcome)


def _outcome(
    lessons: dict[str, Any],
    trained: TrainedClassifier,
    figures: dict[str, ClassifierFigures],
    test_figures: dict[str, ClassifierFigures],
) -> TaskOutcome:
    from sparrowlm.tasks.classify.files import binaries

    part = trained.classifier.encoder
    return TaskOutcome(
        task=trained.classifier.settings.as_json()
        | {name: blend.as_json() for name, blend in trained.alone.items()},
        measured={
            **trained.facts,
            **lessons,
            "held_out": {
                name: _details(one) if name == "model" else one.summary()
                for name, one in figures.items()
            },
            "test": {name: one.summary() for name, one in test_figures.items()},
        },
        num_held_out=len(trained.rows),
        stages=trained.stages,
        encoder=None if part is None else part.encoder,
        arrays=trained.model_arrays,
        binaries=binaries(trained),
    )


def _details(figures: ClassifierFigures) -> dict[str, Any]:
    """Return everything about the model; a table of more labels would be larger than the model."""
    found = figures.as_json()
    if len(found["confusion"]) > _MOST_CONFUSION_LABELS:
        found["confusion"] = []
    return found


def _settings(
    request: TrainRequest, lessons: Lessons, began: float, progress: Progress
) -> ClassifierTrainingSettings:
    from sparrowlm.tasks.classify.evaluation import shown_bytes
    from sparrowlm.training.encoder_stage import EncoderSize

    texts = lessons.texts
    start = known = None
    if request.start_from is not None:
        directory = model_files(request.start_from)
        knows_ngrams = directory.manifest["kind"] == "classify" and directory.holds(LINEAR_FILE)
        # Of a classifier without a network, its linear model is gone on from.
        if directory.holds(ENCODER_FILE) or not knows_ngrams:
            start = encoder_start(request.start_from, texts.labels, progress)
        # Old data stand for themselves: a model that saw all of them must not be measured on some.
        if knows_ngrams and request.replay is None:
            old = directory.task_settings(ClassifierSettings.from_json)
            known = KnownLinear(load_linear(directory, old), old.labels)
    size = EncoderSize() if start is None else start.size
    return ClassifierTrainingSettings(
        seconds=seconds_left(request, began),
        most_bytes=request.size_bytes or DEFAULT_BYTES,
        parts=asked_parts(request),
        size=dataclasses.replace(size, context_tokens=_context(texts)),
        start=None if start is None else start.tensors,
        pretraining_epochs=None if start is None else start.most_reading(None, lessons.unlabelled),
        known=known,
        least_trust=_KEPT_TRUST if request.keep_answers else 0.0,
        transfer=request.transfer,
        steps=request.steps,
        unlabelled=lessons.unlabelled,
        words=user_words(request),
        shown_bytes=shown_bytes(texts.texts),
        seed=request.seed,
    )


def _context(texts: LabelledTexts) -> int:
    """Return how much of a text the network reads: most texts whole, within reason."""
    lengths = np.sort([len(text) for text in texts.texts])
    is_short = lengths[int(0.9 * (len(lengths) - 1))] < _SHORT_CONTEXT
    return _SHORT_CONTEXT if is_short else _LONG_CONTEXT


def _codec(
    request: TrainRequest, texts: LabelledTexts, settings: ClassifierTrainingSettings,
    progress: Progress,
) -> TokenCodec | None:  # fmt: skip
    """Learn a tokenizer, or None where no network is wanted or there is too little for one."""
    if settings.parts == "linear":
        return None
    is_asked_for = settings.parts == "encoder"
    if len(texts) < _LEAST_NETWORK_TEXTS and not is_asked_for:
        return None
    needs_torch()
    codec = start_codec(request)
    if codec is None:
        codec = learnt_codec(request, [*texts.texts, *settings.unlabelled], settings.words)
    room = settings.linear_bytes(codec, len(texts.labels))
    if room is None or room >= LEAST_LINEAR_BYTES or is_asked_for:
        return codec
    size = settings.most_bytes or 0
    needed = format_size(size - room + LEAST_LINEAR_BYTES)
    progress.note(say("api.classify-no-room", size=format_size(size), needed=needed))
    return None


def _plan_line(
    texts: LabelledTexts, settings: ClassifierTrainingSettings, codec: TokenCodec | None
) -> str:
    size = format_size(settings.most_bytes or 0)
    fields = {"texts": f"{len(texts):,}", "labels": len(texts.labels), "size": size}
    if codec is None:
        return say("api.classify-plan-linear", **fields)
    parameters = settings.size.shape(codec.vocab_size).num_parameters()
    parameters += settings.size.tables.num_parameters()
    return say(
        "api.classify-plan", parameters=f"{parameters / 1e6:.1f}", tokenizer=codec.kind,
        vocabulary=f"{codec.vocab_size:,}", **fields,
    )  # fmt: skip


def closing_lines(
    trained: TrainedClassifier,
    figures: dict[str, ClassifierFigures],
    test_figures: dict[str, ClassifierFigures],
) -> list[str]:
    """Say what ships and how good it is, the floor beside it."""
    lines = []
    for code, measured in (("api.classify-held-out", figures), ("api.classify-test", test_figures)):
        if not measured:
            continue
        model, floor = measured["model"], measured.get("floor")
        low, high = model.accuracy_interval
        fields = {
            "accuracy": f"{100 * model.accuracy:.2f}",
            "low": f"{100 * low:.1f}",
            "high": f"{100 * high:.1f}",
            "macro_f1": f"{100 * model.macro_f1:.2f}",
            "error": f"{model.calibration_error:.3f}",
            "chance": f"{model.calibration_error_by_chance:.3f}",
            "floor": "–" if floor is None else f"{100 * floor.accuracy:.2f}",
            "shipped": " + ".join(trained.classifier.settings.blend.weights),
        }
        lines.append(say(code, **fields))
    return lines
