"""The floor: a linear model over n-grams, trained in seconds, scored on texts it did not see.

Shape letters: B texts, F features, L labels, C columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.models.sparse_linear import SparseLinear, Vocabulary
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.known import KnownLinear
from sparrowlm.tasks.classify.model import LinearPart, label_columns
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings
from sparrowlm.text.segmentation import WordSegmenter
from sparrowlm.training.linear import Machine, as_matrix, train_linear

# With fewer texts than this every n-gram counts; with more, one seen once is noise.
_MOST_TEXTS_FOR_ALL_NGRAMS = 2000
# What held-out texts choose from. Where that would take too long, the last but one is taken: with
# many labels it is the best, and naive Bayes scales never are.
_RECIPES: tuple[tuple[Machine, ...], ...] = (
    (Machine(0.3),),
    (Machine(0.3, has_bayes_scales=True),),
    (Machine(1.0),),
    (Machine(1.0), Machine(0.3, has_bayes_scales=True)),
)
_USUAL_RECIPE = 2
_MOST_WORK = 80_000_000

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class LinearTraining:
    """Trains linear models on parts of some texts; the n-grams are counted once.

    Args:
        data: all labelled texts.
        features: which n-grams.
        words: of the user's dictionary.
        most_bytes: of a model's file; None for no limit.
        seed: of the order in which texts are visited.
        known: what was learnt elsewhere; left out where its n-grams are of another kind or none of
            the labels is known to it.
    """

    def __init__(
        self,
        data: LabelledTexts,
        features: NgramFeatureSettings,
        words: Sequence[str],
        most_bytes: int | None,
        seed: int,
        known: KnownLinear | None = None,
    ) -> None:
        self._data = data
        self._seed = seed
        self._most_bytes = most_bytes
        self.features = NgramFeatures(features, WordSegmenter(words))
        self._counts = self.features.counts(data.texts)
        least = 1 if len(data) <= _MOST_TEXTS_FOR_ALL_NGRAMS else 2
        self.vocabulary = Vocabulary.of(self._counts.keys_N, self._counts.num_rows, least)
        self._known = known if known is not None and self._fits(known) else None
        if self._known is not None:
            self.vocabulary = self.vocabulary.united(self._known.part.model.vocabulary)
        self._matrix = self._values(self.vocabulary)
        is_pair = len(data.labels) == 2 and not data.is_multi_label
        self._targets_BC = data.targets_BL[:, 1:] if is_pair else data.targets_BL

    def recipes(self, num_folds: int) -> tuple[tuple[Machine, ...], ...]:
        """Return the ways to learn that are worth trying.

        Args:
            num_folds: how often each would be learnt.
        """
        work = self._matrix.nnz * self._targets_BC.shape[1] * num_folds
        return _RECIPES if work <= _MOST_WORK else (_RECIPES[_USUAL_RECIPE],)

    def train(
        self,
        rows: Int64[np.ndarray, " some"],
        machines: Sequence[Machine],
        trust: float = 0.0,
        most_bytes: int | None = None,
    ) -> SparseLinear:
        """Train on some of the texts and compress.

        What does not fit is left out, and the rest learns again without it.

        Args:
            rows: numbers of the texts.
            machines: see train_linear.
            trust: share of the known weights that is added.
            most_bytes: of the file; None for the room given at the start.
        """
        model = self._learnt(self.vocabulary, self._matrix[rows], rows, machines, trust)
        room = self._most_bytes if most_bytes is None else most_bytes
        if room is not None:
            kept = model.affordable(room)
            if len(kept) < len(self.vocabulary.keys_F):
                vocabulary = self.vocabulary.part(kept)
                model = self._learnt(
                    vocabulary, self._values(vocabulary)[rows], rows, machines, trust
                )
        return model.compressed()

    def _learnt(
        self,
        vocabulary: Vocabulary,
        matrix: Any,  # noqa: ANN401 - SciPy has no types
        rows: Int64[np.ndarray, " some"],
        machines: Sequence[Machine],
        trust: float,
    ) -> SparseLinear:
        model = train_linear(vocabulary, matrix, self._targets_BC[rows], machines, self._seed)
        if self._known is None or trust <= 0.0:
            return model
        return model.plus(np.float32(trust) * self._known_weights(self._known, vocabulary))

    def known_scores(self) -> Float32[np.ndarray, "texts labels"] | None:
        """Return the scores of what is known for all texts; None where nothing is."""
        if self._known is None:
            return None
        scores_BC: Matrix = (
            self._matrix @ self._known_weights(self._known, self.vocabulary)
        ).astype(np.float32)
        return label_columns(scores_BC, len(self._data.labels))

    def _known_weights(self, known: KnownLinear, vocabulary: Vocabulary) -> Matrix:
        return known.weights_FC(vocabulary, self._data.labels, self._targets_BC.shape[1])

    def _fits(self, known: KnownLinear) -> bool:
        is_alike = known.part.features.settings == self.features.settings
        return is_alike and bool(set(known.labels) & set(self._data.labels))

    def scores(self, model: SparseLinear, rows: Int64[np.ndarray, " some"]) -> Matrix:
        """Return the scores of all labels for some of the texts."""
        values = model.vocabulary.rows(*self._counts.part(rows))
        return label_columns(model.scores(values), len(self._data.labels))

    def held_out_scores(
        self, folds_B: Int64[np.ndarray, " texts"], machines: Sequence[Machine]
    ) -> Float32[np.ndarray, "texts labels"]:
        """Score every text of a fold >= 0 by a model that was trained on the other folds.

        Args:
            folds_B: fold of every text; -1 is trained on always and scored never.
            machines: see train_linear.
        """
        scores_BL: Matrix = np.zeros((len(folds_B), len(self._data.labels)), dtype=np.float32)
        for fold in range(int(folds_B.max()) + 1):
            rows = np.flatnonzero(folds_B == fold)
            model = self.train(np.flatnonzero(folds_B != fold), machines)
            scores_BL[rows] = self.scores(model, rows)
        return scores_BL

    def part(
        self, machines: Sequence[Machine], trust: float = 0.0, most_bytes: int | None = None
    ) -> LinearPart:
        """Train on all texts that may be learnt from; see train."""
        model = self.train(self._data.learnt(), machines, trust, most_bytes)
        return LinearPart(model, self.features)

    def _values(self, vocabulary: Vocabulary) -> Any:  # noqa: ANN401 - SciPy has no types
        return as_matrix(vocabulary.rows(*self._counts), len(vocabulary.keys_F))
