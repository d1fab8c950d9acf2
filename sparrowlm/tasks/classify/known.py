"""What a linear model has learnt elsewhere, for other n-grams and other labels.

A new model's weights are its own and a share of those that were known: n-grams that none of the
new texts has keep what was learnt of them. Texts that neither has seen say how large the share is.

Source: Chelba and Acero 2006, "Adaptation of maximum entropy capitalizer: little data can help a
lot" (weights of another domain as the middle of the prior).

Shape letters: F features, L labels, C columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.models.sparse_linear import Vocabulary
from sparrowlm.tasks.classify.model import LinearPart, label_columns

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class KnownLinear:
    """What was learnt elsewhere.

    Attributes:
        part: a linear model, and what its texts were made into.
        labels: of its scores.
    """

    part: LinearPart
    labels: tuple[str, ...]

    def weights_FC(self, vocabulary: Vocabulary, labels: Sequence[str], num_columns: int) -> Matrix:
        """Return its weights for other n-grams and labels, 0 for what it does not know.

        Args:
            vocabulary: the n-grams.
            labels: names of the labels.
            num_columns: as many as labels, or 1 where two labels share a column.
        """
        own_FC = self.part.model.weights_of(vocabulary)
        own_FL = label_columns(own_FC, len(self.labels))
        found_FL: Matrix = np.zeros((len(own_FL), len(labels)), dtype=np.float32)
        for number, label in enumerate(labels):
            if label in self.labels:
                found_FL[:, number] = own_FL[:, self.labels.index(label)]
        if num_columns == len(labels):
            return found_FL
        halves_F1: Matrix = (found_FL[:, 1:] - found_FL[:, :1]) / np.float32(2.0)
        return halves_F1
