"""A linear model that is known already: the next one keeps its n-grams and learns what differs.

New texts do not hold all n-grams that old ones did, so a model learnt from them alone forgets the
others. Here they stay in the vocabulary with their weights, and the old score is one more feature
that costs next to nothing; what is learnt beside it is only the difference.

Shape letters: F features, C columns, L labels.

Source: Yang, Yan and Hauptmann 2007, "Cross-domain video concept detection using adaptive SVMs",
section 3 (with the weight of the old model learnt instead of fixed).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.models.sparse_linear import SparseLinear, Vocabulary
from sparrowlm.tasks.classify.model import label_columns
from sparrowlm.text.ngram_features import NgramFeatures

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class LinearPrior:
    """The linear model of a classifier that is gone on from.

    Attributes:
        model: its weights.
        features: how it makes n-grams of texts; the next model must do the same.
        labels: of its classifier, in the order of its scores.
    """

    model: SparseLinear
    features: NgramFeatures
    labels: tuple[str, ...]

    def joined(self, own: Vocabulary) -> Vocabulary:
        """Return the n-grams of both; those that the old model knows keep their rarity.

        Args:
            own: of the new texts.
        """
        old = self.model.vocabulary
        is_new_F = ~np.isin(own.keys_F, old.keys_F)
        keys_F = np.concatenate([old.keys_F, own.keys_F[is_new_F]])
        idf_F = np.concatenate([old.idf_F, own.idf_F[is_new_F]])
        order_F = np.argsort(keys_F, kind="stable")
        return Vocabulary(keys_F[order_F], idf_F[order_F])

    def weights(
        self, vocabulary: Vocabulary, labels: Sequence[str], num_columns: int
    ) -> Float32[np.ndarray, "features columns"]:
        """Return the old weights of n-grams; 0 for n-grams and labels that the model has not.

        Args:
            vocabulary: the n-grams.
            labels: of the new model.
            num_columns: of the new model: one for two labels that exclude each other.
        """
        old_FC = self.model.plain_weights()
        old_FL = label_columns(old_FC, len(self.labels))
        found_FL = np.zeros((len(vocabulary.keys_F), len(labels)), dtype=np.float32)
        own = self.model.vocabulary.keys_F
        rows = np.minimum(np.searchsorted(own, vocabulary.keys_F), len(own) - 1)
        is_known_F = own[rows] == vocabulary.keys_F
        for column, name in enumerate(labels):
            if name in self.labels:
                values_F = old_FL[rows, self.labels.index(name)]
                found_FL[:, column] = np.where(is_known_F, values_F, 0.0)
        kept_FC: Matrix = found_FL[:, len(labels) - num_columns :]
        return kept_FC
