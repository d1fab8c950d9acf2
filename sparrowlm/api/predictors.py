"""Models with labels, opened and measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparrowlm.runtime.directory import ModelDirectory
from sparrowlm.tasks.classify.model import Classifier, load_classifier

_DETAILS = ("per_label", "confusion", "reliability", "errors")


def open_predictor(files: ModelDirectory) -> Classifier:
    """Open a model with labels.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    codec = None
    if files.holds("tokenizer.json"):
        from sparrowlm.runtime.loading import load_codec

        codec = load_codec(files)
    return load_classifier(files, codec)


def evaluated(classifier: Classifier, files: ModelDirectory, paths: list[Path]) -> dict[str, Any]:
    """Measure a classifier on labelled data.

    Args:
        classifier: of the directory.
        files: the directory.
        paths: files and folders.

    Returns:
        Figures of what answers, with those of the parts inside.

    Raises:
        DataError: nothing labelled in them.
    """
    from sparrowlm.api.labels import read_examples
    from sparrowlm.corpora.labelled import LabelledText
    from sparrowlm.tasks.classify.blending import Blend
    from sparrowlm.tasks.classify.task import evaluate_classifier

    with TemporaryDirectory() as workspace:
        examples = read_examples(paths, "classify", Path(workspace))
    floor = files.manifest["task"].get("floor")
    figures = evaluate_classifier(
        classifier,
        None if floor is None else Blend.from_json(floor),
        [example for example in examples if isinstance(example, LabelledText)],
    )
    table = {name: one.as_json() for name, one in figures.items()}
    return {**table.pop("model"), **{name: shortened(one) for name, one in table.items()}}


def shortened(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the long tables of figures, at every level."""
    return {
        name: shortened(value) if isinstance(value, Mapping) else value
        for name, value in figures.items()
        if name not in _DETAILS
    }
