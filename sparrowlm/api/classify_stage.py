"""From labelled texts to the directory of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api.both_ways import both_ways, both_ways_lines
from sparrowlm.api.classify_lessons import Lessons, read_lessons
from sparrowlm.api.labels import TaskData
from sparrowlm.api.needs import needs_torch
from sparrowlm.api.request import TrainRequest
from sparrowlm.api.task_parts import (
    DEFAULT_BYTES,
    TaskOutcome,
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
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.linear_prior import LinearPrior
from sparrowlm.tasks.classify.settings import ClassifierTrainingSettings, Parts
from sparrowlm.text.ngram_features import NgramFeatureSettings
from sparrowlm.text.tokenizers import load_tokenizer

if TYPE_CHECKING:
    from sparrowlm.tasks.classify.evaluation import ClassifierFigures
    from sparrowlm.tasks.classify.training import TrainedClassifier
    from sparrowlm.text.tokenizers import TokenCodec

_LEAST_NETWORK_TEXTS = 20
_SHORT_CONTEXT, _LONG_CONTEXT = 128, 256


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
    settings = _settings(request, lessons, began)
    codec = _codec(request, texts, settings)
    progress.note(_plan_line(texts, settings, codec))
    place = StagePlace(request.work / "network", fingerprint_of(request, data), progress, stop)
    trained = ClassifierTraining(texts, lessons.held_out, codec, settings, place).run()
    figures = trained_figures(trained, texts)
    test_figures: dict[str, Any] = {}
    if data.test:
        examples = [example for example in data.test if isinstance(example, LabelledText)]
        test_figures = evaluate_classifier(trained.classifier, trained.floor, examples)
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
        task={**trained.classifier.settings.as_json(), "floor": trained.floor.as_json()},
        measured={
            **trained.facts,
            **lessons,
            "held_out": {name: one.as_json() for name, one in figures.items()},
            "test": {name: one.summary() for name, one in test_figures.items()},
        },
        num_held_out=len(trained.rows),
        stages=trained.stages,
        encoder=None if part is None else part.encoder,
        arrays=trained.model_arrays,
        binaries=binaries(trained),
    )


def _settings(request: TrainRequest, lessons: Lessons, began: float) -> ClassifierTrainingSettings:
    from sparrowlm.api.encoder_start import encoder_start
    from sparrowlm.training.encoder_stage import EncoderSize

    parts: Parts = "auto"
    if request.model == "linear":
        parts = "linear"
    elif request.model == "encoder":
        parts = "encoder"
    texts = lessons.texts
    start = None
    # Of a model without a network, its answers and its data stand for it.
    has_network = lessons.old is None or lessons.old.classifier.encoder is not None
    if request.start_from is not None and has_network:
        start = encoder_start(request.start_from, texts.labels)
    prior = _prior(request, lessons)
    return ClassifierTrainingSettings(
        seconds=seconds_left(request, began),
        most_bytes=request.size_bytes or DEFAULT_BYTES,
        parts=parts,
        size=EncoderSize(context_tokens=_context(texts)) if start is None else start.size,
        start=None if start is None else start.tensors,
        transfer=request.transfer,
        prior=prior,
        features=NgramFeatureSettings() if prior is None else prior.features.settings,
        steps=request.steps,
        unlabelled=lessons.unlabelled,
        words=user_words(request),
        seed=request.seed,
    )


def _prior(request: TrainRequest, lessons: Lessons) -> LinearPrior | None:
    """Return the linear model whose n-grams new texts may lack, where its data are gone."""
    old = lessons.old
    if old is None or not request.keep_answers or old.classifier.linear is None:
        return None
    linear = old.classifier.linear
    return LinearPrior(linear.model, linear.features, old.classifier.labels)


def _context(texts: LabelledTexts) -> int:
    """Return how much of a text the network reads: most texts whole, within reason."""
    lengths = np.sort([len(text) for text in texts.texts])
    is_short = lengths[int(0.9 * (len(lengths) - 1))] < _SHORT_CONTEXT
    return _SHORT_CONTEXT if is_short else _LONG_CONTEXT


def _codec(
    request: TrainRequest, texts: LabelledTexts, settings: ClassifierTrainingSettings
) -> TokenCodec | None:
    """Learn a tokenizer, or None where no network is wanted or there is too little for one."""
    if settings.parts == "linear":
        return None
    is_asked_for = settings.parts == "encoder"
    if len(texts) < _LEAST_NETWORK_TEXTS and not is_asked_for:
        return None
    needs_torch()
    if settings.start is not None and request.start_from is not None:
        return load_tokenizer(request.start_from)
    return learnt_codec(request, [*texts.texts, *settings.unlabelled], settings.words)


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
            "floor": "–" if floor is None else f"{100 * floor.accuracy:.2f}",
            "shipped": " + ".join(trained.classifier.settings.blend.weights),
        }
        lines.append(say(code, **fields))
    return lines
