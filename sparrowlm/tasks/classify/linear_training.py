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
from sparrowlm.tasks.classify.linear_prior import LinearPrior
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
        prior: a model that is known already and must not be forgotten; None for none.
    """

    def __init__(
        self,
        data: LabelledTexts,
        features: NgramFeatureSettings,
        words: Sequence[str],
        most_bytes: int | None,
        seed: int,
        prior: LinearPrior | None = None,
    ) -> None:
        self._data = data
        self._seed = seed
        self._most_bytes = most_bytes
        self.features = NgramFeatures(features, WordSegmenter(words))
        self._counts = self.features.counts(data.texts)
        least = 1 if len(data) <= _MOST_TEXTS_FOR_ALL_NGRAMS else 2
        self._prior = prior
        self.vocabulary = Vocabulary.of(self._counts.keys_N, self._counts.num_rows, least)
        if prior is not None:
            self.vocabulary = prior.joined(self.vocabulary)
        self._matrix = self._values(self.vocabulary)
        is_pair = len(data.labels) == 2 and not data.is_multi_label
        # What was known stands in the prior already: beside it, the truth and not old answers.
        targets_BL = data.targets_BL if prior is None else data.truth_or_answers_BL()
        self._targets_BC = targets_BL[:, 1:] if is_pair else targets_BL

    def recipes(self, num_folds: int) -> tuple[tuple[Machine, ...], ...]:
        """Return the ways to learn that are worth trying.

        Args:
            num_folds: how often each would be learnt.
        """
        work = self._matrix.nnz * self._targets_BC.shape[1] * num_folds
        return _RECIPES if work <= _MOST_WORK else (_RECIPES[_USUAL_RECIPE],)

    def train(self, rows: Int64[np.ndarray, " some"], machines: Sequence[Machine]) -> SparseLinear:
        """Train on some of the texts and compress.

        What does not fit is left out, and the rest learns again without it.
        """
        model = self._trained(self.vocabulary, self._matrix[rows], rows, machines)
        if self._most_bytes is not None:
            kept = model.affordable(self._most_bytes)
            if len(kept) < len(self.vocabulary.keys_F):
                vocabulary = self.vocabulary.part(kept)
                model = self._trained(vocabulary, self._values(vocabulary)[rows], rows, machines)
        return model.compressed()

    def _trained(
        self, vocabulary: Vocabulary, matrix: Any, rows: Any, machines: Sequence[Machine]  # noqa: ANN401
    ) -> SparseLinear:  # fmt: skip
        targets_BC = self._targets_BC[rows]
        known_FC = None
        if self._prior is not None:
            known_FC = self._prior.weights(vocabulary, self._data.labels, targets_BC.shape[1])
        return train_linear(vocabulary, matrix, targets_BC, machines, self._seed, known_FC)

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

    def part(self, machines: Sequence[Machine]) -> LinearPart:
        """Train on all texts that may be learnt from."""
        return LinearPart(self.train(self._data.learnt(), machines), self.features)

    def _values(self, vocabulary: Vocabulary) -> Any:  # noqa: ANN401 - SciPy has no types
        return as_matrix(vocabulary.rows(*self._counts), len(vocabulary.keys_F))
