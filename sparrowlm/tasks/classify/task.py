"""The whole task: a classifier on unseen labelled texts, beside the linear floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.corpora.labelled import LabelledText
from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.evaluation import ClassifierFigures, measured
from sparrowlm.tasks.classify.examples import LabelledTexts, as_targets
from sparrowlm.tasks.classify.model import ENCODER, FLOOR, Classifier, probabilities

if TYPE_CHECKING:
    from sparrowlm.tasks.classify.training import TrainedClassifier

_BATCH_TEXTS = 1024

Matrix = np.ndarray[Any, np.dtype[np.float32]]


def evaluate_classifier(
    classifier: Classifier, alone: Mapping[str, Blend], examples: Sequence[LabelledText]
) -> dict[str, ClassifierFigures]:
    """Measure a classifier and its parts.

    Args:
        classifier: ready to answer.
        alone: how its parts alone become probabilities, see TrainedClassifier; models of earlier
            versions do not say it of the encoder.
        examples: labelled texts that were not trained on.

    Returns:
        "model", what answers; "floor", the linear model alone; and "encoder", the network alone,
        as far as the classifier has them.
    """
    data = as_targets(examples, classifier.labels, is_multi_label=classifier.is_multi_label)
    blends: dict[str, Blend] = {"model": classifier.settings.blend}
    if classifier.linear is not None and FLOOR in alone:
        blends[FLOOR] = alone[FLOOR]
    shipped = classifier.settings.blend
    if ENCODER in shipped.weights and len(shipped.weights) > 1:
        weights = {ENCODER: shipped.weights[ENCODER]}
        raw = Blend(weights, shipped.offset, shipped.is_multi_label)
        blends[ENCODER] = alone.get(ENCODER, raw)
    given: dict[str, list[Matrix]] = {name: [] for name in blends}
    for start in range(0, len(data), _BATCH_TEXTS):
        scores = classifier.part_scores(data.texts[start : start + _BATCH_TEXTS])
        for name, blend in blends.items():
            own = None if name == "model" else blend
            given[name].append(probabilities(classifier.settings, scores, own))
    threshold = classifier.settings.threshold or 0.5
    return {
        name: measured(np.concatenate(rows), data, threshold)
        for name, rows in given.items()
        if rows
    }


def trained_figures(
    trained: TrainedClassifier, data: LabelledTexts
) -> dict[str, ClassifierFigures]:
    """Measure every part on the texts that were kept from it while it was trained.

    Args:
        trained: what came of a training.
        data: all its labelled texts; judged by what is right, whatever was learnt.
    """
    measured_texts = data.judged().part(trained.rows)
    settings = trained.classifier.settings
    kept = {name: trained.scores[name] for name in settings.blend.weights}
    figures = {"model": measured(probabilities(settings, kept), measured_texts)}
    for name, blend in trained.alone.items():
        figures[name] = measured(blend.probabilities(trained.scores), measured_texts)
    return figures
