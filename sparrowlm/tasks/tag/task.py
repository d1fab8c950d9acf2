"""The whole task: a tagger on unseen tagged texts, beside the floor."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from sparrowlm.corpora.labelled.examples import TaggedText
from sparrowlm.tasks.tag.blending import FLOOR, NETWORK, TagBlend
from sparrowlm.tasks.tag.evaluation import TaggerFigures, measured
from sparrowlm.tasks.tag.model import Tagger

if TYPE_CHECKING:
    from sparrowlm.tasks.tag.training import TrainedTagger


def evaluate_tagger(
    tagger: Tagger, examples: Sequence[TaggedText], known_words: Set[str] | None = None
) -> TaggerFigures:
    """Measure a tagger.

    Args:
        tagger: ready to answer.
        examples: tagged texts that were not trained on.
        known_words: see known_words_of, where the task is segmentation.
    """
    texts, tokens = [one.text for one in examples], [one.tokens for one in examples]
    return measured(tagger.predict_all(texts, tokens=tokens), examples, known_words)


def evaluate_parts(
    trained: TrainedTagger,
    examples: Sequence[TaggedText],
    known_words: Set[str] | None = None,
) -> dict[str, TaggerFigures]:
    """Measure what ships, the floor at its full size, and the network alone where there is one.

    Args:
        trained: what came of a training.
        examples: tagged texts; the held-out ones flatter a little, they chose.
        known_words: see known_words_of, where the task is segmentation.

    Returns:
        "model", "floor", and "network".
    """
    tagger = trained.tagger
    whole = Tagger(replace(tagger.settings, blend=TagBlend({FLOOR: 1.0}), intents=()),
                   trained.whole_floor, None, tagger.dictionary)  # fmt: skip
    taggers = {"model": tagger, FLOOR: whole}
    if tagger.network is not None and NETWORK in trained.blends:
        blend = replace(trained.blends[NETWORK], intent_weight=tagger.settings.blend.intent_weight)
        settings = replace(tagger.settings, blend=blend)
        taggers[NETWORK] = Tagger(settings, tagger.floor, tagger.network, tagger.dictionary)
    return {name: evaluate_tagger(one, examples, known_words) for name, one in taggers.items()}


def known_words_of(examples: Sequence[TaggedText]) -> set[str]:
    """Return the words of examples of segmentation."""
    return {one.text[span.start : span.end] for one in examples for span in one.spans}
