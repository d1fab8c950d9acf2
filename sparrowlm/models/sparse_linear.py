"""A linear model over n-gram keys: the classical floor of every text task, a few bytes a feature.

    value of an n-gram = (1 + ln count) idf, divided by the length of the vector of its block
    score of a label   = bias + sum over n-grams of weight times value

The two blocks are character and word n-grams (the highest bit of the key tells them apart). A model
that was never compressed keeps float32 weights; a compressed one integers of 8 or 4 bits with one
scale for every n-gram.

Shape letters: N features of some texts, F features of the model, C columns of scores, B texts.

Source: Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64, UInt32
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.mapped_bytes import FileSource, path_of
from sparrowlm.models.array_file import file_bytes, read_arrays, write_arrays
from sparrowlm.models.quantised_rows import quantised
from sparrowlm.models.sorted_keys import most_keys, packed_keys, unpacked_keys

KIND = "sparse-linear"
# Of every n-gram: inverse document frequency, scale.
_BYTES_BESIDE_WEIGHTS = 2 + 2
_FEW_BITS, _LARGEST_OF_FEW = 4, 7
_STEPS, _SMALLEST_STEP = 255, 2.0**-24
_FIXED_BYTES = 2048

Matrix = np.ndarray[Any, np.dtype[np.float32]]


class SparseRows(NamedTuple):
    """Values of features, text after text.

    Attributes:
        rows_N: number of the text, ascending.
        columns_N: number of the feature in the model.
        values_N: its value.
        num_rows: B.
    """

    rows_N: Int64[np.ndarray, " features"]
    columns_N: Int64[np.ndarray, " features"]
    values_N: Float32[np.ndarray, " features"]
    num_rows: int


@dataclass(frozen=True)
class Vocabulary:
    """The n-grams that a model knows.

    Attributes:
        keys_F: ascending.
        idf_F: inverse document frequency of each, >= 1.
    """

    keys_F: UInt32[np.ndarray, " features"]
    idf_F: Float32[np.ndarray, " features"]

    @staticmethod
    def of(
        keys_N: UInt32[np.ndarray, " occurrences"], num_rows: int, least_rows: int = 1
    ) -> Vocabulary:
        """Count documents.

        Args:
            keys_N: distinct keys of every text, all texts together.
            num_rows: number of texts.
            least_rows: n-grams of fewer texts are left out.
        """
        keys_F, num_documents_F = np.unique(keys_N, return_counts=True)
        keep = num_documents_F >= least_rows
        idf_F = np.log((1 + num_rows) / (1 + num_documents_F[keep])) + 1
        return Vocabulary(keys_F[keep], idf_F.astype(np.float32))

    def part(self, numbers: Int64[np.ndarray, " kept"]) -> Vocabulary:
        """Return some of the n-grams, by ascending number."""
        # As the file will hold them.
        idf_F = self.idf_F[numbers].astype(np.float16).astype(np.float32)
        return Vocabulary(self.keys_F[numbers], idf_F)

    def united(self, other: Vocabulary) -> Vocabulary:
        """Return the n-grams of both; of those in both, with the frequency known here."""
        is_new = ~np.isin(other.keys_F, self.keys_F)
        keys_F = np.concatenate([self.keys_F, other.keys_F[is_new]])
        idf_F = np.concatenate([self.idf_F, other.idf_F[is_new]])
        order = np.argsort(keys_F)
        return Vocabulary(keys_F[order], idf_F[order])

    def rows(
        self,
        rows_N: Int64[np.ndarray, " features"],
        keys_N: UInt32[np.ndarray, " features"],
        counts_N: Float32[np.ndarray, " features"],
        num_rows: int,
    ) -> SparseRows:
        """Look up n-grams and give each its value; unknown ones vanish.

        Args:
            rows_N: number of the text, ascending.
            keys_N: distinct within a text.
            counts_N: how often each occurs there.
            num_rows: B.
        """
        if not len(self.keys_F):
            empty = np.zeros(0, dtype=np.int64)
            return SparseRows(empty, empty, empty.astype(np.float32), num_rows)
        columns_N = np.minimum(np.searchsorted(self.keys_F, keys_N), len(self.keys_F) - 1)
        known = self.keys_F[columns_N] == keys_N
        rows, columns = rows_N[known], columns_N[known]
        values = (1 + np.log(counts_N[known])) * self.idf_F[columns]
        blocks = 2 * rows + (keys_N[known] >> np.uint32(31))
        squares = np.bincount(blocks, values.astype(np.float64) ** 2, minlength=2 * num_rows)
        values /= np.sqrt(squares)[blocks].astype(np.float32)
        return SparseRows(rows, columns, values.astype(np.float32), num_rows)


class SparseLinear:
    """Scores texts by their n-grams.

    Args:
        vocabulary: the n-grams.
        weights_FC: float32, or int8 with scales.
        bias_C: added to every text's scores.
        scales_F: of every row of int8 weights; None for float32 weights.
        bits: of a weight in the file, 8 or 4 (then they are -7 to 7).
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        weights_FC: np.ndarray[Any, np.dtype[Any]],
        bias_C: Float32[np.ndarray, " columns"],
        scales_F: Float32[np.ndarray, " features"] | None = None,
        bits: int = 8,
    ) -> None:
        self.vocabulary = vocabulary
        self.weights_FC = weights_FC
        self.bias_C = bias_C
        self.scales_F = scales_F
        self.bits = bits

    @property
    def num_columns(self) -> int:
        """Number of scores, C."""
        return len(self.bias_C)

    def scores(self, rows: SparseRows) -> Float32[np.ndarray, "texts columns"]:
        """Return the scores of texts."""
        scores_BC = np.repeat(self.bias_C[None], rows.num_rows, axis=0)
        if len(rows.rows_N):
            starts = np.flatnonzero(np.diff(rows.rows_N, prepend=-1))
            sums = np.add.reduceat(self.contributions(rows), starts, axis=0)
            scores_BC[rows.rows_N[starts]] += sums
        return scores_BC

    def contributions(self, rows: SparseRows) -> Float32[np.ndarray, "features columns"]:
        """Return what every n-gram of every text adds to every score."""
        values_N = rows.values_N
        if self.scales_F is not None:
            values_N = values_N * self.scales_F[rows.columns_N]
        added_NC: Matrix = self.weights_FC[rows.columns_N] * values_N[:, None]
        return added_NC

    def importance(self) -> Float32[np.ndarray, " features"]:
        """Return how much each n-gram can move a score, typical for the texts that have it.

        A text with few n-grams gives each more weight; rare n-grams are needed less often.
        """
        largest_F = np.abs(self._plain_weights()).max(axis=1) if self.num_columns else 0.0
        rarity_F = np.exp(self.vocabulary.idf_F - 1)  # texts per text that has the n-gram
        importance_F: Matrix = largest_F * self.vocabulary.idf_F / np.sqrt(rarity_F)
        return importance_F

    def affordable(self, most_bytes: int) -> Int64[np.ndarray, " kept"]:
        """Return the numbers of the most important n-grams that a compressed file has room for.

        Args:
            most_bytes: length of the file.
        """
        beside = -(-self.num_columns * self.bits // 8) + _BYTES_BESIDE_WEIGHTS * self.bits // 8
        room = most_bytes - _FIXED_BYTES - 4 * self.num_columns
        return self.most_important(most_keys(room, beside))

    def most_important(self, num_kept: int) -> Int64[np.ndarray, " kept"]:
        """Return the numbers of the most important n-grams, fewer where others do nothing."""
        importance_F = self.importance()
        useful = np.flatnonzero(importance_F > 0)
        best = useful[np.argsort(-importance_F[useful], kind="stable")[:num_kept]]
        return np.sort(best)

    def part(self, numbers: Int64[np.ndarray, " kept"]) -> SparseLinear:
        """Return a model that knows some of the n-grams alone, by ascending number."""
        scales_F = None if self.scales_F is None else self.scales_F[numbers]
        return SparseLinear(
            self.vocabulary.part(numbers),
            self.weights_FC[numbers],
            self.bias_C,
            scales_F,
            self.bits,
        )

    def halved(self) -> SparseLinear:
        """Return the same model with weights of 4 bits, what belongs to an n-gram in 8."""
        plain_FC = self._plain_weights()
        largest_F = np.abs(plain_FC).max(axis=1, initial=0.0)
        steps_F = np.maximum(largest_F / _LARGEST_OF_FEW, np.float32(_SMALLEST_STEP))
        scales_F = np.exp2(_in_steps(np.log2(steps_F)).values())
        whole_FC = np.clip(np.rint(plain_FC / scales_F[:, None]), -8, _LARGEST_OF_FEW)
        idf_F = _in_steps(self.vocabulary.idf_F).values()
        vocabulary = Vocabulary(self.vocabulary.keys_F, idf_F)
        return SparseLinear(vocabulary, whole_FC.astype(np.int8), self.bias_C, scales_F, _FEW_BITS)

    def compressed(self) -> SparseLinear:
        """Return the same model with 8-bit weights, without n-grams that do nothing."""
        weights_FC = self._plain_weights()
        keep = np.flatnonzero(np.abs(weights_FC).max(axis=1, initial=0.0) > 0)
        rows = quantised(weights_FC[keep])
        return SparseLinear(
            self.vocabulary.part(keep), rows.integers_RD, self.bias_C, rows.scales_R
        )

    def weights_of(self, vocabulary: Vocabulary) -> Float32[np.ndarray, "features columns"]:
        """Return the weights for the n-grams of another vocabulary, 0 for those unknown here."""
        weights_FC: Matrix = np.zeros((len(vocabulary.keys_F), self.num_columns), dtype=np.float32)
        _keys, here, there = np.intersect1d(
            self.vocabulary.keys_F, vocabulary.keys_F, assume_unique=True, return_indices=True
        )
        weights_FC[there] = self._plain_weights()[here]
        return weights_FC

    def plus(self, weights_FC: Float32[np.ndarray, "features columns"]) -> SparseLinear:
        """Return the model whose scores are these and those of other weights, float32.

        Args:
            weights_FC: for the same n-grams.
        """
        return SparseLinear(self.vocabulary, self._plain_weights() + weights_FC, self.bias_C)

    def _plain_weights(self) -> Matrix:
        if self.scales_F is None:
            return self.weights_FC
        plain_FC: Matrix = self.weights_FC * self.scales_F[:, None]
        return plain_FC

    def _arrays(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        arrays = {**packed_keys(self.vocabulary.keys_F), "bias": self.bias_C}
        if self.bits == _FEW_BITS and self.scales_F is not None:
            arrays["weights"] = _pairs(self.weights_FC)
            arrays |= _in_steps(self.vocabulary.idf_F).arrays("idf")
            return arrays | _in_steps(np.log2(self.scales_F)).arrays("scales")
        arrays |= {"idf": self.vocabulary.idf_F.astype(np.float16), "weights": self.weights_FC}
        if self.scales_F is not None:
            arrays["scales"] = self.scales_F.astype(np.float16)
        return arrays

    def size_bytes(self) -> int:
        """Return the length of the file."""
        return file_bytes(KIND, {}, self._arrays())

    def save(self, path: Path, metadata: Mapping[str, Any] | None = None) -> None:
        """Write the model.

        Args:
            path: replaced atomically.
            metadata: JSON values kept beside it.

        Raises:
            ResourceError: disk full or not writable.
        """
        write_arrays(path, KIND, metadata or {}, self._arrays())

    @staticmethod
    def load(source: FileSource) -> tuple[SparseLinear, dict[str, Any]]:
        """Read a model and the metadata kept beside it.

        Raises:
            DamagedFileError: the file fails its checks.
        """
        file = read_arrays(source, KIND)
        arrays = file.arrays
        try:
            model = _loaded(arrays)
        except (KeyError, ValueError) as error:
            raise DamagedFileError(
                "foundation.file-damaged", path=path_of(source), reason=error
            ) from error
        return model, file.metadata


def _loaded(arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> SparseLinear:
    keys_F, weights_FC, bias_C = unpacked_keys(arrays), arrays["weights"], arrays["bias"]
    if weights_FC.dtype == np.uint8:
        idf_F = _Steps.of(arrays, "idf").values()
        scales_F = np.exp2(_Steps.of(arrays, "scales").values())
        whole_FC = _single(weights_FC)[:, : len(bias_C)]
        return SparseLinear(Vocabulary(keys_F, idf_F), whole_FC, bias_C, scales_F, _FEW_BITS)
    scales = arrays.get("scales")
    return SparseLinear(
        Vocabulary(keys_F, arrays["idf"].astype(np.float32)),
        weights_FC,
        bias_C,
        None if scales is None else scales.astype(np.float32),
    )


class _Steps(NamedTuple):
    """Numbers in 255 even steps between two of them."""

    codes_F: np.ndarray[Any, np.dtype[np.uint8]]
    ends: np.ndarray[Any, np.dtype[np.float32]]

    @staticmethod
    def of(arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]], name: str) -> _Steps:
        return _Steps(arrays[name], arrays[f"{name}.ends"])

    def arrays(self, name: str) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        return {name: self.codes_F, f"{name}.ends": self.ends}

    def values(self) -> Matrix:
        low, high = self.ends
        values_F: Matrix = low + (high - low) * (self.codes_F / np.float32(_STEPS))
        return values_F


def _in_steps(values_F: Matrix) -> _Steps:
    """Round numbers to steps; what was rounded already comes back as it is."""
    low, high = (values_F.min(), values_F.max()) if len(values_F) else (0.0, 0.0)
    width = max(float(high) - float(low), 1e-12)
    codes_F = np.rint((values_F - low) * (_STEPS / width)).astype(np.uint8)
    return _Steps(codes_F, np.array([low, high], dtype=np.float32))


def _pairs(weights_FC: np.ndarray[Any, np.dtype[np.int8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Put two weights of 4 bits into a byte."""
    codes_FC = (np.pad(weights_FC, ((0, 0), (0, weights_FC.shape[1] % 2))) + 8).astype(np.uint8)
    pairs: np.ndarray[Any, np.dtype[np.uint8]] = codes_FC[:, ::2] + codes_FC[:, 1::2] * np.uint8(16)
    return pairs


def _single(pairs_FP: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, np.dtype[np.int8]]:
    both_FP2 = np.stack([pairs_FP & np.uint8(15), pairs_FP >> np.uint8(4)], axis=2)
    return both_FP2.reshape(len(pairs_FP), -1).astype(np.int8) - np.int8(8)
