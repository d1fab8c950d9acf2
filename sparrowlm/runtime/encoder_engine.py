"""The encoder in NumPy: texts of different lengths in, states and pooled states out; no torch.

Shape letters: B texts, T positions, D width, E width of a head, H query heads, K heads of keys and
values, W width of the n-gram tables, R their rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int, Int32, Int64
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.block_codes import BlockCodes
from sparrowlm.models.ngram_buckets import ngram_buckets
from sparrowlm.models.quantised_rows import QuantisedRows
from sparrowlm.models.sequence_groups import grouped
from sparrowlm.runtime.native_encoder import native_encoder
from sparrowlm.runtime.threads import one_thread_per_product, spread
from sparrowlm.runtime.transformer_layers import (
    Block,
    Matrix,
    product,
    read_block,
    rms_norm,
    rotary_tables,
    swiglu,
    turned,
)
from sparrowlm.runtime.weights import Tensors, take

_BATCH_TOKENS = 4096
Ids = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class NgramTables:
    """What is added to the embeddings.

    Attributes:
        orders: lengths of the n-grams.
        tables_RW: one for every order.
        up_DW: from the tables' width to the stream's.
    """

    orders: tuple[int, ...]
    tables_RW: tuple[QuantisedRows, ...]
    up_DW: Float32[np.ndarray, "width table_width"]


class EncodedBatch(NamedTuple):
    """States of some texts.

    Attributes:
        rows_B: their numbers.
        states_BTD: of every position; those behind the end of a text mean nothing.
        lengths_B: positions that count.
    """

    rows_B: Int64[np.ndarray, " batch"]
    states_BTD: Float32[np.ndarray, "batch time width"]
    lengths_B: Int32[np.ndarray, " batch"]


class EncoderEngine:
    """Runs an encoder.

    Args:
        shape: of the Transformer.
        tensors: weights under their names in model.safetensors; float16 is widened. They are kept:
            NumPy's blocks are made of them when they are needed.
        tables: of the n-grams.
        path: named when a tensor is missing or of another shape.
        codes: those of the matrices that are stored so; the compiled engine, where there is one,
            multiplies codes.

    Attributes:
        multiply: inputs and a matrix of a layer -> their product; another one may look at both.

    Raises:
        DamagedFileError: the tensors do not fit the shape.
    """

    def __init__(
        self,
        shape: TransformerShape,
        tensors: Tensors,
        tables: NgramTables,
        path: object,
        codes: Mapping[str, BlockCodes] | None = None,
    ) -> None:
        self.shape = shape
        self.tables = tables
        self._tensors, self._path = tensors, path
        self._final_norm_D = take(tensors, "model.norm.weight", (shape.width,), path)
        self.multiply = product
        # What does not fit is refused now, layer by layer, and not at the first question.
        self._embedding()
        for layer in range(shape.num_layers):
            read_block(shape, tensors, layer, path)
        codes = codes or {}
        weights = {name: codes[name] if name in codes else tensors[name] for name in tensors}
        self._native = native_encoder(shape, weights, tables)

    @cached_property
    def blocks(self) -> list[Block]:
        """Weights of every layer; the compiled engine has its own."""
        layers = range(self.shape.num_layers)
        return [read_block(self.shape, self._tensors, n, self._path) for n in layers]

    @cached_property
    def embedding_VD(self) -> Matrix:
        """What ids become, and what gives scores for them."""
        return self._embedding()

    @cached_property
    def _rotation(self) -> tuple[Matrix, Matrix]:
        return rotary_tables(self.shape)

    def _embedding(self) -> Matrix:
        size = (self.shape.vocab_size, self.shape.width)
        return take(self._tensors, "model.embed_tokens.weight", size, self._path)

    def run_in_numpy(self) -> None:
        """Leave the compiled engine alone from now on."""
        self._native = None

    @property
    def kernels(self) -> str | None:
        """Name of the instruction set of the compiled engine; None where NumPy runs."""
        return None if self._native is None else str(self._native.kernels)

    def encode(
        self, sequences: Sequence[Ids], added: Sequence[Matrix] | None = None
    ) -> Iterator[EncodedBatch]:
        """Read texts, those of similar lengths together, on all cores.

        Args:
            sequences: ids of each, 1 to context_tokens.
            added: per text [T, D], added to what enters the Transformer.
        """
        lengths = np.array([len(ids) for ids in sequences], dtype=np.int64)
        groups = grouped(lengths, np.argsort(lengths, kind="stable"), _BATCH_TOKENS)
        return spread(lambda rows_B: self._encode_group(sequences, added, rows_B), groups)

    def pooled(self, sequences: Sequence[Ids]) -> Float32[np.ndarray, "texts two_widths"]:
        """Return the mean and the largest of every text's states, side by side."""
        if self._native is not None:
            return self._native_pooled(sequences)
        pooled_BP: Matrix = np.zeros((len(sequences), 2 * self.shape.width), dtype=np.float32)
        for batch in self.encode(sequences):
            pooled_BP[batch.rows_B] = pooled(batch.states_BTD, batch.lengths_B)
        return pooled_BP

    def next_logits(self, states: Matrix) -> Matrix:
        """Return the scores of the id that follows each state."""
        with one_thread_per_product():
            logits: Matrix = states @ self.embedding_VD.T
        return logits

    def input_embeddings(
        self, ids_BT: Int[np.ndarray, "batch time"], lengths_B: Int[np.ndarray, " batch"]
    ) -> Float32[np.ndarray, "batch time width"]:
        """Return what enters the Transformer: embeddings, and the n-grams that hold each position.

        Given as ``inputs_embeds`` to the model that transformers loads, it gives the same states.
        """
        x_BTD: Matrix = self.embedding_VD[ids_BT]
        tables = self.tables
        if not tables.orders:
            return x_BTD
        num_buckets = len(tables.tables_RW[0].scales_R)
        buckets = ngram_buckets(ids_BT, tables.orders, num_buckets)
        is_outside_BT = np.arange(ids_BT.shape[1]) >= lengths_B[:, None]
        sum_BTW = np.zeros((*ids_BT.shape, tables.up_DW.shape[1]), dtype=np.float32)
        for order, rows_BT, table in zip(tables.orders, buckets, tables.tables_RW, strict=True):
            ending_BTW = table.integers_RD[rows_BT] * table.scales_R[rows_BT][..., None]
            ending_BTW[is_outside_BT] = 0.0
            sum_BTW += ending_BTW
            for ahead in range(1, order):
                sum_BTW[:, :-ahead] += ending_BTW[:, ahead:]
        return x_BTD + product(sum_BTW, tables.up_DW)

    def states(
        self,
        ids_BT: Int[np.ndarray, "batch time"],
        lengths_B: Int[np.ndarray, " batch"],
        added_BTD: Float32[np.ndarray, "batch time width"] | None = None,
    ) -> Float32[np.ndarray, "batch time width"]:
        """Return what every position knows after reading.

        Args:
            ids_BT: rows filled up at their ends with any id; at most context_tokens.
            lengths_B: ids of every row that count, >= 1.
            added_BTD: added to what enters the Transformer.
        """
        if self._native is not None:
            return self._native_states(ids_BT, lengths_B, added_BTD)
        length, epsilon = ids_BT.shape[1], self.shape.norm_epsilon
        cosine_CE, sine_CE = self._rotation
        rotation = cosine_CE[:length, None], sine_CE[:length, None]
        is_outside_BT = np.arange(length) >= lengths_B[:, None]
        mask_BT: Matrix = np.where(is_outside_BT, -np.inf, 0.0).astype(np.float32)
        # exp(-x) may overflow to infinity: x / inf is 0.
        with np.errstate(over="ignore"), one_thread_per_product():
            x_BTD = self.input_embeddings(ids_BT, lengths_B)
            if added_BTD is not None:
                x_BTD = x_BTD + added_BTD
            for block in self.blocks:
                normed_BTD = rms_norm(x_BTD, block.attention_norm_D, epsilon)
                x_BTD = x_BTD + self.multiply(
                    self._attention(normed_BTD, rotation, mask_BT, block), block.out_DQ
                )
                normed_BTD = rms_norm(x_BTD, block.feed_forward_norm_D, epsilon)
                x_BTD += self.multiply(
                    swiglu(self.multiply(normed_BTD, block.gate_up_GD)), block.down_DF
                )
        return rms_norm(x_BTD, self._final_norm_D, epsilon)

    def _native_pooled(self, sequences: Sequence[Ids]) -> Matrix:
        """Read texts in their own order: the compiled engine fills nothing up."""
        native = self._native
        if len(sequences) == 1:
            ids = np.ascontiguousarray(sequences[0], dtype=np.int32)
            alone_BP: Matrix = native.pooled(ids, np.array([len(ids)], dtype=np.int32))
            return alone_BP

        def read(some: Sequence[Ids]) -> Matrix:
            lengths_B = np.fromiter(map(len, some), dtype=np.int32, count=len(some))
            found_BP: Matrix = native.pooled(np.concatenate(some).astype(np.int32), lengths_B)
            return found_BP

        if not sequences:
            return np.zeros((0, 2 * self.shape.width), dtype=np.float32)
        ends = np.cumsum([len(ids) for ids in sequences])
        borders = np.searchsorted(ends, np.arange(_BATCH_TOKENS, ends[-1], _BATCH_TOKENS)) + 1
        starts = [0, *borders.tolist(), len(sequences)]
        pieces = [sequences[a:b] for a, b in pairwise(starts) if a < b]
        return np.concatenate(list(spread(read, pieces)))

    def _native_states(
        self,
        ids_BT: Int[np.ndarray, "batch time"],
        lengths_B: Int[np.ndarray, " batch"],
        added_BTD: Float32[np.ndarray, "batch time width"] | None,
    ) -> Matrix:
        is_inside_BT = np.arange(ids_BT.shape[1]) < lengths_B[:, None]
        nothing = np.zeros((0, 0), dtype=np.float32)
        states_BTD: Matrix = np.zeros((*ids_BT.shape, self.shape.width), dtype=np.float32)
        states_BTD[is_inside_BT] = self._native.read(
            ids_BT[is_inside_BT].astype(np.int32),
            np.ascontiguousarray(lengths_B, dtype=np.int32),
            nothing if added_BTD is None else np.ascontiguousarray(added_BTD[is_inside_BT]),
        )
        return states_BTD

    def _encode_group(
        self, sequences: Sequence[Ids], added: Sequence[Matrix] | None, rows_B: Ids
    ) -> EncodedBatch:
        lengths_B = np.array([len(sequences[row]) for row in rows_B], dtype=np.int32)
        ids_BT = np.zeros((len(rows_B), int(lengths_B.max())), dtype=np.int64)
        for place, row in enumerate(rows_B):
            ids_BT[place, : lengths_B[place]] = sequences[row]
        added_BTD = None
        if added is not None:
            added_BTD = np.zeros((*ids_BT.shape, self.shape.width), dtype=np.float32)
            for place, row in enumerate(rows_B):
                added_BTD[place, : lengths_B[place]] = added[row]
        return EncodedBatch(rows_B, self.states(ids_BT, lengths_B, added_BTD), lengths_B)

    def _attention(
        self, x_BTD: Matrix, rotation: tuple[Matrix, Matrix], mask_BT: Matrix, block: Block
    ) -> Matrix:
        shape = self.shape
        num_rows, length = x_BTD.shape[:2]
        qkv_BTP = self.multiply(x_BTD, block.qkv_PD)
        heads_BTHE = qkv_BTP.reshape(num_rows, length, -1, shape.head_width)
        borders = [shape.num_heads, shape.num_heads + shape.num_kv_heads]
        q_BTHE, k_BTKE, v_BTKE = np.split(heads_BTHE, borders, axis=2)
        q_BTHE = turned(rms_norm(q_BTHE, block.q_norm_E, shape.norm_epsilon), rotation)
        k_BTKE = turned(rms_norm(k_BTKE, block.k_norm_E, shape.norm_epsilon), rotation)
        q_BTHE *= np.float32(1.0 / math.sqrt(shape.head_width))
        groups = shape.num_heads // shape.num_kv_heads
        k_BHET = np.repeat(k_BTKE, groups, axis=2).transpose(0, 2, 3, 1)
        v_BHTE = np.repeat(v_BTKE, groups, axis=2).transpose(0, 2, 1, 3)
        scores_BHTT: Matrix = q_BTHE.transpose(0, 2, 1, 3) @ k_BHET + mask_BT[:, None, None]
        scores_BHTT -= scores_BHTT.max(axis=-1, keepdims=True)
        np.exp(scores_BHTT, out=scores_BHTT)
        scores_BHTT /= scores_BHTT.sum(axis=-1, keepdims=True)
        mixed_BHTE: Matrix = scores_BHTT @ v_BHTE
        mixed_BTQ: Matrix = mixed_BHTE.transpose(0, 2, 1, 3).reshape(num_rows, length, -1)
        return mixed_BTQ


def pooled(
    states_BTD: Float32[np.ndarray, "batch time width"], lengths_B: Int32[np.ndarray, " batch"]
) -> Float32[np.ndarray, "batch two_widths"]:
    """Return the mean and the largest of every row's states, side by side."""
    is_outside_BT1 = (np.arange(states_BTD.shape[1]) >= lengths_B[:, None])[..., None]
    mean_BD = np.where(is_outside_BT1, np.float32(0.0), states_BTD).sum(axis=1)
    mean_BD /= lengths_B[:, None].astype(np.float32)
    largest_BD: Matrix = np.where(is_outside_BT1, np.float32(-np.inf), states_BTD).max(axis=1)
    both_BP: Matrix = np.concatenate([mean_BD, largest_BD], axis=1)
    return both_BP
