"""From tagged texts to the directory of a tagger: names, slots with intents, or words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sparrowlm.api.labels import TaskData
from sparrowlm.api.request import TrainRequest
from sparrowlm.api.task_parts import (
    DEFAULT_BYTES,
    TaskOutcome,
    fingerprint_of,
    learnt_codec,
    model_parts,
    seconds_left,
)
from sparrowlm.corpora.labelled import TaggedText
from sparrowlm.export.model_directory import ModelParts
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress

if TYPE_CHECKING:
    from sparrowlm.tasks.tag.evaluation import TaggerFigures
    from sparrowlm.tasks.tag.settings import Parts, TaggerTrainingSettings
    from sparrowlm.tasks.tag.training import TrainedTagger
    from sparrowlm.text.tokenizers import TokenCodec

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

    examples = _tagged(data.examples)
    settings = _settings(request, began)
    codec = _codec(request, examples)
    place = StagePlace(request.work / "network", fingerprint_of(request, data), progress, stop)
    held_out = _tagged(data.held_out)
    trained = TaggerTraining(examples, held_out or None, codec, settings, place).run()
    known = known_words_of(examples) if data.task == "segment" else None
    figures = _named(evaluate_parts(trained, list(trained.held_out), known))
    tests = {}
    if data.test:
        tests = _named(evaluate_parts(trained, _tagged(data.test), known))
    for line in _closing_lines(figures, tests, trained):
        progress.note(line)
    tagger = trained.tagger
    outcome = TaskOutcome(
        task={**tagger.settings.as_json(), "labels": list(tagger.types)},
        measured={**trained.facts, "held_out": figures, "test": tests},
        num_held_out=len(trained.held_out),
        stages=trained.stages,
        encoder=None if tagger.network is None else tagger.network.encoder,
        arrays=trained.model_arrays,
        binaries=binaries(trained),
    )
    return model_parts(request, data, codec, outcome)


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


def _settings(request: TrainRequest, began: float) -> TaggerTrainingSettings:
    from sparrowlm.tasks.tag.settings import TaggerTrainingSettings

    return TaggerTrainingSettings(
        seconds=seconds_left(request, began),
        most_bytes=request.size_bytes or DEFAULT_BYTES,
        steps=request.steps,
        parts=_PARTS.get(request.model, "auto"),
        seed=request.seed,
    )


def _codec(request: TrainRequest, examples: list[TaggedText]) -> TokenCodec | None:
    if request.model == "linear":
        return None
    return learnt_codec(request, [example.text for example in examples])


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
