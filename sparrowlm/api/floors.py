"""What the simple part of a model says by itself, to be shown beside the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.model import FLOOR, LINEAR, Classifier, probabilities

if TYPE_CHECKING:
    from sparrowlm.runtime.loading import LoadedModel
    from sparrowlm.runtime.next_words import NextWord
    from sparrowlm.tasks.tag.model import SpanPrediction, Tagger

Labels = list[tuple[str, float]]


def classifying_floor(
    classifier: Classifier, manifest: Mapping[str, Any]
) -> Callable[[Sequence[str]], Labels] | None:
    """Return what gives texts their labels by n-grams alone: each with its probability.

    Args:
        classifier: of which the linear model is a part.
        manifest: of the model, which holds the floor's own blend.

    Returns:
        None where the model has no such part, or is nothing else.
    """
    blend = (manifest.get("task") or {}).get(FLOOR)
    linear = classifier.linear
    if linear is None or classifier.encoder is None or not blend:
        return None
    own = Blend.from_json(blend)

    def answer(texts: Sequence[str]) -> Labels:
        scores = {LINEAR: linear.scores(texts, len(classifier.labels))}
        given_BL = probabilities(classifier.settings, scores, own)
        best_B = given_BL.argmax(axis=1).tolist()
        return [
            (classifier.labels[best], float(row_L[best]))
            for best, row_L in zip(best_B, given_BL, strict=True)
        ]

    return answer


def tagging_floor(
    tagger: Tagger,
) -> Callable[[Sequence[str]], list[list[SpanPrediction]]] | None:
    """Return what finds spans with the conditional random field alone.

    Args:
        tagger: of which the random field is a part.

    Returns:
        None where the model has no such part, or is nothing else.
    """
    from sparrowlm.tasks.tag.blending import FLOOR as FIELD
    from sparrowlm.tasks.tag.blending import NETWORK, TagBlend
    from sparrowlm.tasks.tag.model import Tagger as Spans
    from sparrowlm.tasks.tag.model import TaggerSettings

    if not {FIELD, NETWORK} <= set(tagger.settings.blend.weights):
        return None
    alone = TaggerSettings(blend=TagBlend({FIELD: 1.0}))
    return Spans(alone, tagger.floor, None, tagger.dictionary).predict


def completing_floor(loaded: LoadedModel) -> Callable[[str, int], list[NextWord]] | None:
    """Return what names next words by counting alone.

    Args:
        loaded: the model.

    Returns:
        None where the model has no such part, or is nothing else.
    """
    from sparrowlm.runtime.mixture_engine import MixtureEngine
    from sparrowlm.runtime.next_words import NextWordSearch

    if not isinstance(loaded.engine, MixtureEngine):
        return None
    return NextWordSearch(loaded.engine.ngram, loaded.codec).find
