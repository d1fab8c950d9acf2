"""What a model with labels answers when one of its parts is replaced, always to the same texts.

Every answer is a distribution: of a text's labels, of one label of a text that may have several, of
a unit's label, of a pair. Shape letters: M answers, K what an answer may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sparrowlm.corpora.labelled import Example, LabelledText, TaggedText, TextPair
from sparrowlm.foundation.array_types import Float, Float64
from sparrowlm.models.crf.lattice import marginals
from sparrowlm.models.sparse_linear import SparseLinear
from sparrowlm.runtime.encoder_files import LoadedEncoder
from sparrowlm.tasks.classify.model import (
    ENCODER,
    LINEAR,
    Classifier,
    EncoderPart,
    label_columns,
    probabilities,
)
from sparrowlm.tasks.match.model import Matcher
from sparrowlm.tasks.tag.blending import FLOOR, NETWORK, ChainScores
from sparrowlm.tasks.tag.decoding import blocks
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.model import Tagger, of_texts
from sparrowlm.tasks.tag.network import NetworkPart

# Texts that costs are measured on.
_MOST_TEXTS, _MOST_CHARACTERS = 1000, 40_000

Matrix = np.ndarray[Any, np.dtype[np.float64]]


class ClassifierAnswers:
    """Answers of a classifier.

    Args:
        model: with both parts, or one.
        examples: labelled texts.
    """

    def __init__(self, model: Classifier, examples: Sequence[Example]) -> None:
        self._model = model
        self._texts = [one.text for one in examples if isinstance(one, LabelledText)][:_MOST_TEXTS]
        self._scores = model.part_scores(self._texts)
        if model.linear is not None:
            counts = model.linear.features.counts(self._texts)
            self._counts = counts

    def with_encoder(self, encoder: LoadedEncoder) -> Float64[np.ndarray, "answers kinds"]:
        """Return the answers with another network."""
        assert self._model.encoder is not None  # noqa: S101 - there is one to replace
        part: EncoderPart = replace(self._model.encoder, encoder=encoder)
        return self._answers({**self._scores, ENCODER: part.scores(self._texts)})

    def with_floor(self, linear: SparseLinear) -> Float64[np.ndarray, "answers kinds"]:
        """Return the answers with another model over n-grams."""
        scores_BC = linear.scores(linear.vocabulary.rows(*self._counts))
        scores_BL = label_columns(scores_BC, len(self._model.labels))
        return self._answers({**self._scores, LINEAR: scores_BL})

    def _answers(self, scores: dict[str, np.ndarray[Any, np.dtype[np.float32]]]) -> Matrix:
        found_BL = probabilities(self._model.settings, scores).astype(np.float64)
        return _yes_and_no(found_BL) if self._model.is_multi_label else found_BL


class TaggerAnswers:
    """Answers of a tagger.

    Args:
        model: with both parts, or one.
        examples: tagged texts.
    """

    def __init__(self, model: Tagger, examples: Sequence[Example]) -> None:
        self._model = model
        texts, left = [], _MOST_CHARACTERS
        for one in examples:
            if isinstance(one, TaggedText) and left > 0:
                texts.append(one.text)
                left -= len(one.text)
        cut = blocks(texts, None, None, joins_runs=model.floor.joins_runs)
        self._units = [units for units, _own in cut]
        self._parts = [model.parts(units) for units in self._units]

    def with_encoder(self, encoder: LoadedEncoder) -> Float64[np.ndarray, "answers kinds"]:
        """Return the answers with another network."""
        assert self._model.network is not None  # noqa: S101 - there is one to replace
        part: NetworkPart = replace(self._model.network, encoder=encoder)
        found = []
        for units, (parts, intents_BK) in zip(self._units, self._parts, strict=True):
            scores = part.scores(units)
            if NETWORK in parts:
                parts = {**parts, NETWORK: ChainScores(scores.labels_NL, part.edges)}  # noqa: PLW2901
            if intents_BK.shape[1]:
                intents_BK = of_texts(units, scores.intents_SK)  # noqa: PLW2901
            found.append((parts, intents_BK))
        return self._answers(found)

    def with_floor(self, floor: TagFloor) -> Float64[np.ndarray, "answers kinds"]:
        """Return the answers with another conditional random field."""
        found = []
        for units, (parts, intents_BK) in zip(self._units, self._parts, strict=True):
            scores = ChainScores(floor.scores(units), floor.weights.edges)
            found.append(({**parts, FLOOR: scores}, intents_BK))
        return self._answers(found)

    def _answers(self, found: Sequence[tuple[dict[str, ChainScores], Matrix]]) -> Matrix:
        blend, rows = self._model.settings.blend, []
        for units, (parts, intents_BK) in zip(self._units, found, strict=True):
            scores_NL, edges = blend.blended(parts, self._model.labels)
            rows.append(marginals(scores_NL, units.chains, edges).astype(np.float64))
            if intents_BK.shape[1]:
                rows.append(blend.intent_probabilities(intents_BK))
        return _side_by_side(rows)


class MatcherAnswers:
    """Answers of a matcher.

    Args:
        model: with a network.
        examples: pairs.
    """

    def __init__(self, model: Matcher, examples: Sequence[Example]) -> None:
        self._model = model
        pairs = [one for one in examples if isinstance(one, TextPair)][:_MOST_TEXTS]
        self._firsts = [pair.first for pair in pairs]
        self._seconds = [pair.second for pair in pairs]

    def with_encoder(self, encoder: LoadedEncoder) -> Float64[np.ndarray, "answers kinds"]:
        """Return the answers with another network."""
        model = self._model
        assert model.encoder is not None  # noqa: S101 - there is one to replace
        part = replace(model.encoder, encoder=encoder)
        other = Matcher(model.settings, model.comparison, part, model.index)
        return _yes_and_no(other.probabilities(self._firsts, self._seconds)[:, None])


def _yes_and_no(shares: Float[np.ndarray, "rows columns"]) -> Matrix:
    yes_M = shares.reshape(-1).astype(np.float64)
    return np.stack([yes_M, 1.0 - yes_M], axis=1)


def _side_by_side(rows: Sequence[Matrix]) -> Matrix:
    """Join distributions over different kinds: what one cannot be has no share."""
    widest = max(one.shape[1] for one in rows)
    return np.concatenate([np.pad(one, ((0, 0), (0, widest - one.shape[1]))) for one in rows])
