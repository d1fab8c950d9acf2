"""Labels for texts that have none: guessed by a linear model, the surest first, round by round.

    round 0   learn from the labelled texts
    round r   guess all others; of each label keep the surest part, a larger part every round;
              learn from labelled and kept ones

The model that guesses sees more than the one that will ship: beside n-grams, the place of a text
among all texts (latent semantic analysis), which costs megabytes and needs no label to be learnt.

Shape letters: B texts, U texts without a label, L labels, Z latent dimensions.

Source: Yarowsky 1995, "Unsupervised word sense disambiguation rivaling supervised methods"
(guesses that teach); Deerwester et al. 1990, "Indexing by latent semantic analysis".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int64
from sparrowlm.foundation.randomness import derive_seed
from sparrowlm.training.linear import support_vector_machine

# Of every label, so much is kept in the first round and so much more in each further one.
_FIRST_SHARE, _MORE_SHARE, _NUM_ROUNDS = 0.4, 0.15, 4
_LATENT, _ITERATIONS, _PENALTY = 200, 500, 0.5
# A text with a label counts for so many guessed ones.
LABELLED_IMPORTANCE = 3.0
# More of them do not teach more, and every round costs a training.
MOST_GUESSED = 20_000

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Guesses:
    """Texts that were given a label by a model.

    Attributes:
        rows_U: their numbers.
        labels_U: number of the label of each.
    """

    rows_U: Int64[np.ndarray, " guessed"]
    labels_U: Int64[np.ndarray, " guessed"]

    def targets_UL(self, num_labels: int) -> Float32[np.ndarray, "guessed labels"]:
        """Return the labels as targets, 1 for the guessed one.

        Args:
            num_labels: L.
        """
        targets_UL: np.ndarray[Any, np.dtype[np.float32]] = np.zeros(
            (len(self.labels_U), num_labels), dtype=np.float32
        )
        targets_UL[np.arange(len(self.labels_U)), self.labels_U] = 1.0
        return targets_UL


class SelfTraining:
    """Guesses labels from different parts of the labelled texts.

    Args:
        matrix: n-gram values of all texts, SciPy's sparse rows.
        unlabelled: numbers of the texts without a label.
        seed: of the latent dimensions and of the order in which texts are visited.
    """

    def __init__(self, matrix: Any, unlabelled: Int64[np.ndarray, " guessed"], seed: int) -> None:  # noqa: ANN401
        from scipy.sparse import csr_matrix, hstack

        self._seed = derive_seed(seed, "self-training") % (1 << 32)
        self._unlabelled = unlabelled
        self._matrix = hstack([matrix, csr_matrix(self._latent(matrix))]).tocsr()
        self._found: dict[bytes, Guesses] = {}

    def guesses(
        self, rows: Int64[np.ndarray, " labelled"], labels: Int64[np.ndarray, " labelled"]
    ) -> Guesses:
        """Guess labels from what some labelled texts teach.

        Args:
            rows: their numbers.
            labels: number of the label of each.
        """
        key = rows.tobytes()
        if key not in self._found:
            self._found[key] = self._guessed(rows, labels)
        return self._found[key]

    def _guessed(self, rows: Any, labels: Any) -> Guesses:  # noqa: ANN401 - see guesses
        num_labelled = len(rows)
        kept = Guesses(rows[:0], labels[:0])
        for number in range(_NUM_ROUNDS):
            taught = np.concatenate([rows, kept.rows_U])
            importance = np.ones(len(taught))
            importance[:num_labelled] = LABELLED_IMPORTANCE
            model = support_vector_machine(
                self._matrix[taught], np.concatenate([labels, kept.labels_U]), _PENALTY,
                _ITERATIONS, self._seed, importance,
            )  # fmt: skip
            scores_UL = model.decision_function(self._matrix[self._unlabelled])
            if scores_UL.ndim == 1:
                scores_UL = np.stack([-scores_UL, scores_UL], axis=1)
            share = _FIRST_SHARE + number * _MORE_SHARE
            chosen, columns = surest(scores_UL, share)
            kept = Guesses(self._unlabelled[chosen], model.classes_[columns])
        return kept

    def _latent(self, matrix: Any) -> Matrix:  # noqa: ANN401 - SciPy has no types
        from sklearn.decomposition import TruncatedSVD
        from sklearn.preprocessing import normalize

        num_latent = min(_LATENT, min(matrix.shape) - 1)
        decomposition = TruncatedSVD(num_latent, random_state=self._seed)
        latent_BZ: Matrix = normalize(decomposition.fit_transform(matrix))
        return latent_BZ


def surest(
    scores_UL: Float64[np.ndarray, "guessed labels"], share: float
) -> tuple[Int64[np.ndarray, " kept"], Int64[np.ndarray, " kept"]]:
    """Return the texts whose best label leads most clearly, of every label the same share.

    Args:
        scores_UL: of all labels, at least two.
        share: kept of the texts that each label is best for, 0 to 1; at least one text.

    Returns:
        Numbers of the texts, ascending, and the number of the best label of each.
    """
    best_U = scores_UL.argmax(axis=1)
    two_U2 = np.sort(scores_UL, axis=1)[:, -2:]
    lead_U = two_U2[:, 1] - two_U2[:, 0]
    kept = []
    for label in np.unique(best_U):
        own = np.flatnonzero(best_U == label)
        number = max(int(np.ceil(share * len(own))), 1)
        kept.append(own[np.argsort(-lead_U[own], kind="stable")[:number]])
    rows = np.sort(np.concatenate(kept)) if kept else np.zeros(0, dtype=np.int64)
    return rows, best_U[rows]
