"""From tagged texts to the directory of a tagger: names, slots with intents, or words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparrowlm.api.both_ways import both_ways_lines, examples_both_ways
from sparrowlm.api.encoder_start import encoder_start, start_codec, starting_path
from sparrowlm.api.example_lessons import ExampleLessons, tag_lessons
from sparrowlm.api.labels import TaskData
from sparrowlm.api.needs import needs_torch
from sparrowlm.api.predictors import shortened
from sparrowlm.api.request import TrainRequest
from sparrowlm.api.task_parts import (
    DEFAULT_BYTES,
    TAG_TASKS,
    TaskOutcome,
    fingerprint_of,
    learnt_codec,
    model_parts,
    seconds_left,
)
from sparrowlm.corpora.labelled import TaggedText
from sparrowlm.export.model_directory import ModelParts
from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.text.tokenizers import kind_for_reading
from sparrowlm.text.width import narrowed

if TYPE_CHECKING:
    from sparrowlm.tasks.tag.evaluation import TaggerFigures
    from sparrowlm.tasks.tag.model import Tagger
    from sparrowlm.tasks.tag.settings import Parts, TaggerTrainingSettings
    from sparrowlm.tasks.tag.training import TrainedTagger
    from sparrowlm.text.tokenizers import TokenCodec

# An encoder of which the tagger knows less than this share has read another kind of text.
_LEAST_SHARED_UNITS, _CHECKED_TEXTS = 0.5, 500
_PARTS: dict[str, Parts] = {"auto": "auto", "linear": "floor", "encoder": "network"}


def train_tag(
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
    from sparrowlm.tasks.tag.files import binaries
    from sparrowlm.tasks.tag.task import evaluate_parts, known_words_of
    from sparrowlm.tasks.tag.training import TaggerTraining
    from sparrowlm.training.encoder_stage import StagePlace

    lessons = tag_lessons(request, data, progress)
    examples = lessons.train
    settings = _settings(request, lessons, data.task, began, progress)
    codec = _codec(request, examples, settings)
    place = StagePlace(request.work / "network", fingerprint_of(request, data), progress, stop)
    training = TaggerTraining(examples, lessons.held_out or None, codec, settings, place)
    trained = training.run()
    known = known_words_of(examples) if data.task == "segment" else None
    figures = _named(evaluate_parts(trained, list(trained.held_out), known))
    models = (lessons.before, trained.tagger)
    both = examples_both_ways(lessons.groups, models, _short_figures)
    trained = training.finished(trained)
    tests = {}
    if data.test:
        tests = _named(evaluate_parts(trained, _tagged(data.test), known))
    for line in (*_closing_lines(figures, tests, trained), *both_ways_lines(both)):
        progress.note(line)
    tagger = trained.tagger
    outcome = TaskOutcome(
        task={**tagger.settings.as_json(), "labels": list(tagger.types)},
        measured={**trained.facts, **lessons.facts, **both, "held_out": figures, "test": tests},
        num_held_out=len(trained.held_out),
        stages=trained.stages,
        encoder=None if tagger.network is None else tagger.network.encoder,
        arrays=trained.model_arrays,
        binaries=binaries(trained),
    )
    return model_parts(request, data, codec, outcome)


def _short_figures(tagger: Tagger, examples: Sequence[TaggedText]) -> dict[str, Any]:
    from sparrowlm.tasks.tag.task import evaluate_tagger

    return shortened(tag_json(evaluate_tagger(tagger, examples)))


def _tagged(examples: list[Any]) -> list[TaggedText]:
    return [example for example in examples if isinstance(example, TaggedText)]


def _named(figures: dict[str, TaggerFigures]) -> dict[str, dict[str, Any]]:
    """Return figures as JSON values, under the names that reports know."""
    names = {"network": "encoder"}
    return {names.get(name, name): tag_json(own) for name, own in figures.items()}


def tag_json(figures: TaggerFigures) -> dict[str, Any]:
    """Return the figures of a tagger as JSON values: F1 is that of spans, or of words."""
    table = figures.as_json()
    key = "span_f1" if figures.words is None else "word_f1"
    renamed = {
        key: table.pop("f1"),
        f"{key}_interval": table.pop("f1_interval"),
        "sentence_accuracy": table.pop("text_accuracy"),
    }
    words = table.pop("words")
    if words is not None:
        renamed["out_of_vocabulary_recall"] = words.get("oov_recall")
    renamed["per_label"] = [
        {"label": label, "precision": own["precision"], "recall": own["recall"],
         "f1": own["f1"], "support": own["num_gold"]}
        for label, own in table.pop("by_label").items()
    ]  # fmt: skip
    renamed["errors"] = [
        {**error, "true": _shown(error["true"]), "predicted": _shown(error["predicted"])}
        for error in table.pop("errors")
    ]
    return {**renamed, **{name: value for name, value in table.items() if value is not None}}


def _shown(spans: Sequence[Sequence[str]]) -> list[str]:
    """Show spans as "text = label", of segmentation as the words alone."""
    return [f"{one[0]} = {one[1]}" if len(one) > 1 else str(one[0]) for one in spans]


def _settings(
    request: TrainRequest,
    lessons: ExampleLessons[TaggedText],
    task: str,
    began: float,
    progress: Progress,
) -> TaggerTrainingSettings:
    from sparrowlm.tasks.tag.settings import TaggerTrainingSettings

    settings = TaggerTrainingSettings(
        seconds=seconds_left(request, began),
        most_bytes=request.size_bytes or DEFAULT_BYTES,
        steps=request.steps,
        parts=_PARTS.get(request.model, "auto"),
        transfer=request.transfer,
        unlabelled=lessons.unlabelled,
        entries=_entries(request, lessons.train, task),
        seed=request.seed,
    )
    path = starting_path(request)
    return settings if path is None else _started(settings, path, task, progress)


def _started(
    settings: TaggerTrainingSettings, path: Path, task: str, progress: Progress
) -> TaggerTrainingSettings:
    """Begin with the encoder of a model; of a tagger of the same kind of units, with its columns.

    Raises:
        ModelError: the model has no encoder.
    """
    from sparrowlm.runtime.encoder_files import COLUMN_TABLE
    from sparrowlm.runtime.gguf_files import model_files
    from sparrowlm.tasks.tag.files import start_tensors

    start = encoder_start(path, (), progress)
    epochs = start.most_reading(settings.pretraining_epochs, settings.unlabelled)
    settings = dataclasses.replace(settings, pretraining_epochs=epochs)
    size = dataclasses.replace(start.size, context_tokens=settings.size.context_tokens)
    if start.kind not in TAG_TASKS or (start.kind == "segment") != (task == "segment"):
        return dataclasses.replace(settings, size=size, start=start.tensors)
    tensors = start_tensors(model_files(path))
    rows = len(tensors[COLUMN_TABLE])
    return dataclasses.replace(settings, size=size, start=tensors, column_rows=rows)


def _entries(request: TrainRequest, examples: list[TaggedText], task: str) -> dict[str, str]:
    """Return the entries of the user's dictionary; those of segmentation need no label.

    Raises:
        DataError: the file cannot be read, or a line names no label where there are several.
    """
    if request.user_dictionary is None:
        return {}
    from sparrowlm.tasks.tag.dictionary import UserDictionary

    label = None
    if task == "segment":
        label = next((span.label for one in examples for span in one.spans), None)
    return dict(UserDictionary.read(request.user_dictionary, label).entries)


def _codec(
    request: TrainRequest, examples: list[TaggedText], settings: TaggerTrainingSettings
) -> TokenCodec | None:
    """Return the tokenizer to start from, or learn one; None where no network is wanted.

    Raises:
        ModelError: the tokenizer to start from cuts texts into other pieces than a tagger labels.
    """
    if request.model == "linear":
        return None
    needs_torch()
    started = start_codec(request)
    if started is not None:
        _check_units(started, examples, request.start_from)
        return started
    # As units are read (tasks/tag/units.py).
    texts = [narrowed(text) for text in (*(one.text for one in examples), *settings.unlabelled)]
    return learnt_codec(request, texts, [narrowed(word) for word in settings.entries])


def _check_units(codec: TokenCodec, examples: list[TaggedText], path: Path | None) -> None:
    from sparrowlm.tasks.tag.floor_training import choose_joins_runs
    from sparrowlm.tasks.tag.inputs import shared_units

    some = examples[:: max(len(examples) // _CHECKED_TEXTS, 1)]
    share = shared_units(codec, some, joins_runs=choose_joins_runs(some))
    if share < _LEAST_SHARED_UNITS:
        wanted = kind_for_reading([one.text for one in some], 0)
        raise ModelError(
            "api.start-units", path=path, kind=codec.kind, share=f"{100 * share:.0f} %",
            wanted=wanted,
        )  # fmt: skip


def _closing_lines(
    figures: dict[str, dict[str, Any]], tests: dict[str, dict[str, Any]], trained: TrainedTagger
) -> list[str]:
    lines = []
    for code, table in (("api.tag-held-out", figures), ("api.tag-test", tests)):
        if not table:
            continue
        key = "word_f1" if "word_f1" in table["model"] else "span_f1"
        low, high = table["model"][f"{key}_interval"]
        fields = {
            "value": f"{100 * table['model'][key]:.2f}",
            "low": f"{100 * low:.1f}",
            "high": f"{100 * high:.1f}",
            "floor": f"{100 * table['floor'][key]:.2f}",
            "shipped": " + ".join(trained.tagger.settings.blend.weights),
        }
        lines.append(say(code, **fields))
    return lines
