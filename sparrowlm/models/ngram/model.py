"""The counting model: interpolated modified Kneser–Ney over any ids, with exact probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Integer
from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.mapped_bytes import FileSource
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.ngram import files
from sparrowlm.models.ngram.pruning import counted_levels, pruned_to_size
from sparrowlm.models.ngram.scoring import (
    NgramPrediction,
    NgramPredictions,
    NgramScores,
    distributions,
    predict,
    score,
)
from sparrowlm.models.ngram.table import Table
from sparrowlm.models.ngram.trimming import trimmed

Whole = np.ndarray[Any, np.dtype[np.int64]]


class NgramModel:
    """Predicts the next id from how often it followed the last ids.

    Args:
        table: the counts of all orders.
        discounts_NC: what is taken from counts of 1, 2, and 3 or more, one row per order.

    Source: see smoothing.py.
    """

    def __init__(self, table: Table, discounts_NC: Float64[np.ndarray, "orders classes"]) -> None:
        self.table = table
        self.discounts_NC = discounts_NC
        self.vocab_size = table.vocab_size
        self.order = table.order

    def config(self) -> dict[str, Any]:
        """Describe the model as the JSON object of config.json."""
        return {
            "model_type": "sparrow_ngram",
            "vocab_size": self.vocab_size,
            "order": self.order,
        }

    def num_ngrams(self) -> list[int]:
        """Return how many n-grams are stored, per order; of order 1 the ids that occur."""
        seen = int(np.count_nonzero(self.table.levels[0].counts.small))
        return [seen, *(len(level.counts.small) for level in self.table.levels[1:])]

    def forward(
        self, ids_BT: Integer[np.ndarray, "batch time"]
    ) -> Float32[np.ndarray, "batch time vocab"]:
        """Return natural logarithms of probabilities: row t for the id after ids_BT[:, : t + 1].

        Raises:
            DataError: an id is outside the vocabulary.
        """
        logits_BTV = np.empty((*ids_BT.shape, self.vocab_size), dtype=np.float32)
        for ids_T, logits_TV in zip(ids_BT, logits_BTV, strict=True):
            start = 0
            for rows in distributions(self.table, self.discounts_NC, self._checked(ids_T)):
                logits_TV[start : start + len(rows)] = np.log(rows)
                start += len(rows)
        return logits_BTV

    def score(
        self, ids_T: Integer[np.ndarray, " time"] | Sequence[int], *, leave_one_out: bool = False
    ) -> NgramScores:
        """Say how probable every id was after the ids before it.

        Args:
            ids_T: a text; row 0 is predicted from nothing, so give the separator first.
            leave_one_out: for text that the model was counted on: the probability it would give if
                this one occurrence had not been counted.

        Raises:
            DataError: an id is outside the vocabulary.
        """
        ids = self._checked(ids_T)
        return score(self.table, self.discounts_NC, ids, leave_one_out=leave_one_out)

    def predict(self, context_T: Integer[np.ndarray, " time"] | Sequence[int]) -> NgramPrediction:
        """Return the distribution of the id after context_T, at every order.

        Args:
            context_T: the ids before; only the last N - 1, from their last separator on, matter.

        Raises:
            DataError: an id is outside the vocabulary.
        """
        found = self.predict_each([context_T])
        return NgramPrediction(
            found.probabilities_BNV[0], found.context_counts_BN[0], found.num_continuations_BN[0]
        )

    def predict_each(
        self, contexts: Sequence[Integer[np.ndarray, " _"] | Sequence[int]]
    ) -> NgramPredictions:
        """Return the distributions of the id after each of several contexts, at every order.

        Args:
            contexts: as for predict.

        Raises:
            DataError: an id is outside the vocabulary.
        """
        reach = self.order - 1
        ids = [self._checked(context_T[-reach:] if reach else []) for context_T in contexts]
        return predict(self.table, self.discounts_NC, ids)

    def pruned(self, max_bytes: int, progress: Progress) -> NgramModel:
        """Return a model without the n-grams that matter least.

        Args:
            max_bytes: of the file that save writes.
            progress: told how much was kept.

        Raises:
            SettingError: single ids alone need more.
        """
        levels = counted_levels(self.table)
        table = pruned_to_size(self.table, levels, self.discounts_NC, max_bytes, progress)
        return NgramModel(table, self.discounts_NC)

    def trimmed(self, kept_K: Integer[np.ndarray, " kept"]) -> NgramModel:
        """Return a model of fewer ids, whose probabilities sum to 1 over those that are left.

        Args:
            kept_K: ids to keep, ascending, 0 among them; id kept_K[k] becomes k.
        """
        return NgramModel(trimmed(self.table, kept_K.astype(np.int64)), self.discounts_NC)

    def save(self, path: Path) -> None:
        """Write the model as one file, atomically.

        Raises:
            ResourceError: disk full or not writable; an older file is left as it was.
        """
        files.save(path, self.table, self.discounts_NC)

    @classmethod
    def load(cls, source: FileSource) -> NgramModel:
        """Map a saved model into memory, after checking all of it.

        Raises:
            DamagedFileError: missing, truncated, changed, or not an n-gram.
        """
        return cls(*files.load(source))

    def size_bytes(self) -> int:
        """Return the length of the file that save writes."""
        return files.size_bytes(self.table, self.discounts_NC)

    def _checked(self, ids_T: Any) -> Whole:  # noqa: ANN401 - array or sequence of ints
        ids = np.asarray(ids_T)
        if ids.size == 0:
            return np.zeros(0, dtype=np.int64)
        if ids.ndim != 1 or ids.dtype.kind not in "ui":
            raise DataError("models.ids-not-a-list", shape=ids.shape, dtype=ids.dtype)
        smallest, largest = int(ids.min()), int(ids.max())
        if smallest < 0 or largest >= self.vocab_size:
            raise DataError(
                "models.ids-outside-vocabulary",
                smallest=smallest,
                largest=largest,
                vocab_size=self.vocab_size,
            )
        return ids.astype(np.int64)
