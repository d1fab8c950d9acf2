"""The floor: a linear model over n-grams, trained in seconds, scored on texts it did not see.

Shape letters: B texts, F features, L labels, C columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int64
from sparrowlm.models.sparse_linear import SparseLinear, Vocabulary
from sparrowlm.tasks.classify.examples import LabelledTexts
from sparrowlm.tasks.classify.known import KnownLinear
from sparrowlm.tasks.classify.model import LinearPart, label_columns
from sparrowlm.tasks.classify.self_training import LABELLED_IMPORTANCE, Guesses, SelfTraining
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


class LinearRecipe(NamedTuple):
    """How the linear model is learnt.

    Attributes:
        machines: averaged.
        trust: share of the known weights that is added.
        has_guesses: texts without a label are given one and learnt from.
    """

    machines: tuple[Machine, ...]
    trust: float = 0.0
    has_guesses: bool = False


class _Taught(NamedTuple):
    rows: Int64[np.ndarray, " some"]
    targets_BC: Float32[np.ndarray, "some columns"]
    importance_B: Float64[np.ndarray, " some"] | None


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
            # The old weights belong to the old frequencies.
            self.vocabulary = self._known.part.model.vocabulary.united(self.vocabulary)
        self._matrix = self._values(self.vocabulary)
        is_pair = len(data.labels) == 2 and not data.is_multi_label
        # What was known stands in the known weights: beside them the truth, and not old answers.
        targets_BL = data.targets_BL if self._known is None else data.truth_or_answers_BL()
        self._targets_BC = targets_BL[:, 1:] if is_pair else targets_BL
        self._self_training: SelfTraining | None = None

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
        recipe: LinearRecipe,
        most_bytes: int | None = None,
    ) -> SparseLinear:
        """Train on some of the texts and compress.

        What does not fit is left out, and the rest learns again without it.

        Args:
            rows: numbers of the texts.
            recipe: how to learn.
            most_bytes: of the file; None for the room given at the start.
        """
        taught = self._taught(rows, recipe)
        model = self._learnt(self.vocabulary, self._matrix[taught.rows], taught, recipe)
        room = self._most_bytes if most_bytes is None else most_bytes
        if room is not None:
            kept = model.affordable(room)
            if len(kept) < len(self.vocabulary.keys_F):
                vocabulary = self.vocabulary.part(kept)
                matrix = self._values(vocabulary)[taught.rows]
                model = self._learnt(vocabulary, matrix, taught, recipe)
        return model.compressed()

    def _taught(self, rows: Int64[np.ndarray, " some"], recipe: LinearRecipe) -> _Taught:
        targets_BC = self._targets_BC[rows]
        if not recipe.has_guesses:
            return _Taught(rows, targets_BC, None)
        guesses = self.guesses(rows)
        guessed_UL = guesses.targets_UL(len(self._data.labels))
        guessed_UC = guessed_UL[:, 1:] if targets_BC.shape[1] == 1 else guessed_UL
        importance_B = np.ones(len(rows) + len(guesses.rows_U))
        importance_B[len(rows) :] = 1 / LABELLED_IMPORTANCE
        return _Taught(
            np.concatenate([rows, guesses.rows_U]),
            np.concatenate([targets_BC, guessed_UC]),
            importance_B,
        )

    def guesses(self, rows: Int64[np.ndarray, " some"]) -> Guesses:
        """Return labels for the texts that have none, guessed from some that have one."""
        if self._self_training is None:
            unlabelled = self._data.unlabelled()
            self._self_training = SelfTraining(self._matrix, unlabelled, self._seed)
        return self._self_training.guesses(rows, self._data.true_labels()[rows])

    def _learnt(
        self,
        vocabulary: Vocabulary,
        matrix: Any,  # noqa: ANN401 - SciPy has no types
        taught: _Taught,
        recipe: LinearRecipe,
    ) -> SparseLinear:
        model = train_linear(
            vocabulary, matrix, taught.targets_BC, recipe.machines, self._seed, taught.importance_B
        )
        if self._known is None or recipe.trust <= 0.0:
            return model
        return model.plus(np.float32(recipe.trust) * self._known_weights(self._known, vocabulary))

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
        self, folds_B: Int64[np.ndarray, " texts"], recipe: LinearRecipe
    ) -> Float32[np.ndarray, "texts labels"]:
        """Score every text of a fold >= 0 by a model that was trained on the other folds.

        Args:
            folds_B: fold of every text; -1 is trained on always and scored never.
            recipe: how to learn.
        """
        scores_BL: Matrix = np.zeros((len(folds_B), len(self._data.labels)), dtype=np.float32)
        taught_B = self._data.is_taught_B()
        for fold in range(int(folds_B.max()) + 1):
            rows = np.flatnonzero(folds_B == fold)
            model = self.train(np.flatnonzero((folds_B != fold) & taught_B), recipe)
            scores_BL[rows] = self.scores(model, rows)
        return scores_BL

    def part(
        self,
        recipe: LinearRecipe,
        rows: Int64[np.ndarray, " some"],
        most_bytes: int | None = None,
    ) -> LinearPart:
        """Return the model that ships; see train."""
        return LinearPart(self.train(rows, recipe, most_bytes), self.features)

    def _values(self, vocabulary: Vocabulary) -> Any:  # noqa: ANN401 - SciPy has no types
        return as_matrix(vocabulary.rows(*self._counts), len(vocabulary.keys_F))
