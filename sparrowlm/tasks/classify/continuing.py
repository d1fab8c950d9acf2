"""Was anything forgotten? A classifier before and after it went on, on old data and on new.

Shape letters: B texts, L labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.evaluation import ClassifierFigures, measured
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.model import FLOOR, LINEAR, Classifier, probabilities

if TYPE_CHECKING:
    from sparrowlm.tasks.classify.training import TrainedClassifier

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Figures = dict[str, ClassifierFigures]


def figures_before(
    classifier: Classifier, floor: Blend | None, data: LabelledTexts, group: int, rows: Any  # noqa: ANN401
) -> Figures:  # fmt: skip
    """Measure the classifier that was gone on from; labels that it does not know are wrong.

    Args:
        classifier: the one before.
        floor: how its linear model alone becomes probabilities; None where it has none.
        data: all texts of the training after it.
        group: of the data that are wanted.
        rows: numbers of the texts that were measured on.

    Returns:
        "model" and "floor", as far as it has them.
    """
    chosen = data.judged().part(_of_group(data, group, rows))
    own_BL = np.zeros((len(chosen), len(classifier.labels)), dtype=np.float32)
    for column, name in enumerate(classifier.labels):
        own_BL[:, column] = chosen.targets_BL[:, data.labels.index(name)]
    known = LabelledTexts(chosen.texts, own_BL, classifier.labels, classifier.is_multi_label)
    threshold = classifier.settings.threshold or 0.5
    figures = {"model": measured(classifier.probabilities(chosen.texts), known, threshold)}
    if floor is not None and classifier.linear is not None:
        scores = {LINEAR: classifier.linear.scores(chosen.texts, len(classifier.labels))}
        figures["floor"] = measured(floor.probabilities(scores), known, threshold)
    return figures


def figures_after(trained: TrainedClassifier, data: LabelledTexts, group: int) -> Figures:
    """Measure what came of a training on the texts of one group that were kept from it.

    Args:
        trained: what came of it.
        data: all its texts.
        group: of the data that are wanted.

    Returns:
        "model" and "floor".
    """
    chosen = np.isin(trained.rows, _of_group(data, group, trained.rows))
    texts = data.judged().part(trained.rows[chosen])
    settings = trained.classifier.settings
    scores = {name: scores_BL[chosen] for name, scores_BL in trained.scores.items()}
    kept = {name: scores[name] for name in settings.blend.weights}
    floor = trained.alone[FLOOR].probabilities(scores)
    return {
        "model": measured(probabilities(settings, kept), texts, settings.threshold or 0.5),
        "floor": measured(floor, texts, settings.threshold or 0.5),
    }


def _of_group(data: LabelledTexts, group: int, rows: Any) -> Any:  # noqa: ANN401 - numbers
    return rows[data.groups_B()[rows] == group]
