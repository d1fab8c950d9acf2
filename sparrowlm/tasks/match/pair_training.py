"""Training of what judges pairs without a network: the floor, and the linear comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64
from sparrowlm.models.sparse_linear import Vocabulary
from sparrowlm.tasks.match.closeness import VIEWS, views_of, without_punctuation
from sparrowlm.tasks.match.comparison import (
    NUM_BORDERS,
    Comparison,
    PairFeatures,
    PairMeasures,
    PairRows,
)
from sparrowlm.tasks.match.examples import Pairs
from sparrowlm.text.segmentation import WordSegmenter
from sparrowlm.training.linear import Machine, as_matrix, train_linear

# With fewer pairs than this every feature counts; with more, one of a single pair is noise.
_MOST_PAIRS_FOR_ALL_FEATURES = 3000
PENALTY = 0.15

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class ComparisonTraining:
    """Trains comparisons on parts of some pairs; everything is measured once.

    Args:
        pairs: all labelled pairs.
        rows: numbers of those whose texts say how rare an n-gram is.
        words: of the user's dictionary.
        seed: of the order in which pairs are visited.
    """

    def __init__(
        self, pairs: Pairs, rows: Int64[np.ndarray, " some"], words: Sequence[str], seed: int
    ) -> None:
        self._pairs = pairs
        self._seed = seed
        segmenter = WordSegmenter(words)
        idfs = rarities(pairs.part(rows), segmenter)
        self.features = PairFeatures(idfs, None, segmenter)
        self.measures: PairMeasures = self.features.measures(pairs.firsts, pairs.seconds)
        self.features.borders_JE = borders(self.measures.numbers_BJ[rows])
        self._rows: PairRows = self.measures.rows(self.features.borders_JE)

    def train(self, rows: Int64[np.ndarray, " some"], most_bytes: int | None = None) -> Comparison:
        """Train on some of the pairs.

        Args:
            rows: their numbers.
            most_bytes: of the file; the model learns again without what has no room.
        """
        chosen = part_of(self._rows, rows)
        least = 1 if len(rows) <= _MOST_PAIRS_FOR_ALL_FEATURES else 2
        vocabulary = Vocabulary.of(chosen.keys_N, len(rows), least)
        model = self._fitted(chosen, vocabulary, rows)
        if most_bytes is not None:
            affordable = model.affordable(most_bytes)
            if len(affordable) < len(vocabulary.keys_F):
                model = self._fitted(chosen, vocabulary.part(affordable), rows)
        return Comparison(self.features, model.compressed())

    def scores(
        self, comparison: Comparison, rows: Int64[np.ndarray, " some"]
    ) -> Float32[np.ndarray, " some"]:
        """Return the scores of some of the pairs."""
        known = part_of(self._rows, rows).known(comparison.model.vocabulary)
        return comparison.model.scores(known)[:, 0]

    def _fitted(self, chosen: PairRows, vocabulary: Vocabulary, rows: Any) -> Any:  # noqa: ANN401
        matrix = as_matrix(chosen.known(vocabulary), len(vocabulary.keys_F))
        targets_B1 = self._pairs.targets_B[rows][:, None] > 0.5
        return train_linear(vocabulary, matrix, targets_B1, (Machine(PENALTY),), self._seed)


def rarities(pairs: Pairs, segmenter: WordSegmenter) -> tuple[Vocabulary, ...]:
    """Count in how many texts the n-grams of every view stand, as the file will hold it."""
    texts = [without_punctuation(text) for text in (*pairs.firsts, *pairs.seconds)]
    least = 1 if len(pairs) <= _MOST_PAIRS_FOR_ALL_FEATURES else 2
    found = []
    for view in views_of(segmenter):
        counts = view.counts(texts)
        vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows, least)
        found.append(vocabulary.part(np.arange(len(vocabulary.keys_F))))
    assert len(found) == len(VIEWS)  # noqa: S101 - one for every view
    return tuple(found)


def borders(numbers_BJ: Float32[np.ndarray, "pairs numbers"]) -> Float32[np.ndarray, "n borders"]:
    """Return where bins end so that every bin holds as many pairs."""
    shares = np.arange(1, NUM_BORDERS + 1) / (NUM_BORDERS + 1)
    borders_JE: Matrix = np.quantile(numbers_BJ, shares, axis=0).T.astype(np.float32)
    return borders_JE


def part_of(rows: PairRows, numbers: Int64[np.ndarray, " some"]) -> PairRows:
    """Return the features of some pairs, in the order given."""
    starts = np.searchsorted(rows.rows_N, np.arange(rows.num_rows + 1))
    lengths = starts[numbers + 1] - starts[numbers]
    before = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    chosen = np.repeat(starts[numbers] - before, lengths) + np.arange(int(lengths.sum()))
    owners = np.repeat(np.arange(len(numbers)), lengths)
    return PairRows(owners, rows.keys_N[chosen], rows.kinds_N[chosen], len(numbers))
