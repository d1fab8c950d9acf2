"""The decoder in NumPy: float32, keys and values kept, long texts in parallel windows.

Shape letters: B rows, T new positions, S positions seen, V vocabulary, D width, H query heads,
K heads of keys and values, G query heads per K, E width of a head, F feed-forward width, L layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.engines import ScoresInPieces, target_surprisals
from sparrowlm.runtime.threads import one_thread_per_product
from sparrowlm.runtime.transformer_cache import TransformerCache
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
from sparrowlm.runtime.windows import window_predictions


class TransformerEngine(ScoresInPieces):
    """Runs a TransformerShape.

    The window rule: a cache that holds C ids (context_tokens) is rebuilt from its last C // 2
    before another one enters, positions counted from 0 again.

    Args:
        shape: all sizes.
        tensors: weights under their names in model.safetensors; float16 is widened.
        path: named when a tensor is missing or of another shape.

    Raises:
        DamagedFileError: the tensors do not fit the shape.
    """

    def __init__(self, shape: TransformerShape, tensors: Tensors, path: object) -> None:
        self.shape = shape
        self._embedding_VD = take(
            tensors, "model.embed_tokens.weight", (shape.vocab_size, shape.width), path
        )
        self._final_norm_D = take(tensors, "model.norm.weight", (shape.width,), path)
        self.blocks = [read_block(shape, tensors, n, path) for n in range(shape.num_layers)]
        self.multiply = product
        self.context_tokens = shape.context_tokens
        self._cosine_CE, self._sine_CE = rotary_tables(shape)

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.shape.vocab_size

    def start(self) -> TransformerCache:
        """Return a cache of one row that has seen nothing."""
        return TransformerCache(self.shape, num_rows=1)

    def branch(self, cache: TransformerCache, rows: Sequence[int]) -> TransformerCache:
        """Return a cache whose row i continues row rows[i]; what all rows share is not copied."""
        return cache.branched(rows)

    def step(
        self,
        ids_T: Int64[np.ndarray, " time"],
        cache: TransformerCache,
        *,
        is_last_only: bool = False,
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step."""
        if is_last_only:
            # Windows that will have been left behind when the last id is read need no work.
            window_BT = np.concatenate([cache.ids_BT(), ids_T[None]], axis=1)
            context, stride = self.shape.context_tokens, self._stride
            if window_BT.shape[1] > context:
                skipped = -(-(window_BT.shape[1] - context) // stride) * stride
                cache.clear()
                ids_T = window_BT[0, skipped:]
            return self._logits(self._feed(ids_T[None], cache)[:, -1])
        rows = [self._logits(hidden_BTD[0]) for hidden_BTD in self._fed(ids_T[None], cache)]
        return np.concatenate(rows)

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: TransformerCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row."""
        return self._logits(self._feed(ids_B[:, None], cache)[:, -1])

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float64[np.ndarray, " _"]]:
        """Score a text; see Engine.surprisal_pieces."""
        return target_surprisals(self.predictions(ids_T), ids_T)

    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
        """Yield log-probabilities of what follows each of ids_T[:-1], in order.

        In parallel windows; the same numbers as feeding the text id by id.
        """
        context = self.shape.context_tokens
        return window_predictions(ids_T, context, self.vocab_size, self.window_states, self._logits)

    def window_states(
        self, windows_BT: Int64[np.ndarray, "batch time"]
    ) -> Float32[np.ndarray, "batch time width"]:
        """Read texts from a fresh start each, at most context_tokens ids; normed last states."""
        num_rows, window = windows_BT.shape
        cache = TransformerCache(self.shape, num_rows, capacity=window)
        return self._forward(windows_BT, cache)

    @property
    def _stride(self) -> int:
        return self.shape.context_tokens - self.shape.context_tokens // 2

    def _logits(self, hidden_TD: Matrix) -> Matrix:
        with one_thread_per_product():
            logits_TV: Matrix = hidden_TD @ self._embedding_VD.T
        return logits_TV

    def _feed(self, ids_BT: Int64[np.ndarray, "batch time"], cache: TransformerCache) -> Matrix:
        """Feed ids and return the hidden states of the last piece that fitted a window."""
        hidden_BTD = np.empty((0, 0, 0), dtype=np.float32)
        for hidden_BTD in self._fed(ids_BT, cache):  # noqa: B007 - the last one is wanted
            pass
        return hidden_BTD

    def _fed(
        self, ids_BT: Int64[np.ndarray, "batch time"], cache: TransformerCache
    ) -> Iterator[Matrix]:
        """Feed ids by the window rule, yielding hidden states piece by piece."""
        context = self.shape.context_tokens
        done = 0
        while done < ids_BT.shape[1]:
            if cache.length == context:
                kept_BT = cache.ids_BT()[:, self._stride :]
                cache.clear()
                if kept_BT.shape[1]:
                    self._forward(kept_BT, cache)
            piece_BT = ids_BT[:, done : done + context - cache.length]
            yield self._forward(piece_BT, cache)
            done += piece_BT.shape[1]

    def _forward(self, ids_BT: Int64[np.ndarray, "batch time"], cache: TransformerCache) -> Matrix:
        """Append ids that fit into the window and return their normed hidden states."""
        first, count = cache.length, ids_BT.shape[1]
        cosine_T1E = self._cosine_CE[first : first + count, None]
        sine_T1E = self._sine_CE[first : first + count, None]
        cache.append(ids_BT)
        x_BTD = self._embedding_VD[ids_BT]
        # exp(-x) may overflow to infinity: x / inf is 0.
        with np.errstate(over="ignore"), one_thread_per_product():
            for layer, block in enumerate(self.blocks):
                normed_BTD = rms_norm(x_BTD, block.attention_norm_D, self.shape.norm_epsilon)
                qkv_BTP = self.multiply(normed_BTD, block.qkv_PD)
                mixed_BTQ = self._attention(qkv_BTP, (cosine_T1E, sine_T1E), block, layer, cache)
                x_BTD += self.multiply(mixed_BTQ, block.out_DQ)
                normed_BTD = rms_norm(x_BTD, block.feed_forward_norm_D, self.shape.norm_epsilon)
                inner_BTF = swiglu(self.multiply(normed_BTD, block.gate_up_GD))
                x_BTD += self.multiply(inner_BTF, block.down_DF)
        return rms_norm(x_BTD, self._final_norm_D, self.shape.norm_epsilon)

    def _attention(
        self,
        qkv_BTP: Matrix,
        rotation: tuple[Matrix, Matrix],
        block: Block,
        layer: int,
        cache: TransformerCache,
    ) -> Matrix:
        shape = self.shape
        num_rows, count = qkv_BTP.shape[:2]
        heads_BTHE = qkv_BTP.reshape(num_rows, count, -1, shape.head_width)
        q_BTHE = heads_BTHE[:, :, : shape.num_heads]
        k_BTKE = heads_BTHE[:, :, shape.num_heads : shape.num_heads + shape.num_kv_heads]
        v_BTKE = heads_BTHE[:, :, shape.num_heads + shape.num_kv_heads :]
        q_BTHE = turned(rms_norm(q_BTHE, block.q_norm_E, shape.norm_epsilon), rotation)
        k_BTKE = turned(rms_norm(k_BTKE, block.k_norm_E, shape.norm_epsilon), rotation)
        q_BTHE *= np.float32(1.0 / math.sqrt(shape.head_width))
        parts = cache.store(layer, k_BTKE, v_BTKE)
        groups = shape.num_heads // shape.num_kv_heads
        q_BTKGE = q_BTHE.reshape(num_rows, count, shape.num_kv_heads, groups, shape.head_width)
        q_BKRE = q_BTKGE.transpose(0, 2, 3, 1, 4).reshape(
            num_rows, shape.num_kv_heads, groups * count, shape.head_width
        )
        mixed_BKRE = _attend(q_BKRE, parts, count)
        mixed_BKGTE = mixed_BKRE.reshape(
            num_rows, shape.num_kv_heads, groups, count, shape.head_width
        )
        return mixed_BKGTE.transpose(0, 3, 1, 2, 4).reshape(num_rows, count, -1)


def _attend(q_BKRE: Matrix, parts: list[tuple[Matrix, Matrix]], count: int) -> Matrix:
    """Return softmax(q k^T + mask) v over keys that may lie in several parts.

    Args:
        q_BKRE: scaled queries; R runs over group and new position.
        parts: (keys_BKSE, values_BKSE); the new positions are the last of the last part.
        count: T, number of new positions.
    """
    scores = [q_BKRE @ keys_BKSE.swapaxes(-1, -2) for keys_BKSE, _values in parts]
    scores_BKRS = scores[0] if len(scores) == 1 else np.concatenate(scores, axis=-1)
    if count > 1:
        batch, heads, rows, seen = scores_BKRS.shape
        future_TT = np.triu(np.full((count, count), -np.inf, dtype=np.float32), 1)
        by_group = scores_BKRS.reshape(batch, heads, rows // count, count, seen)
        by_group[..., seen - count :] += future_TT
    scores_BKRS -= scores_BKRS.max(axis=-1, keepdims=True)
    np.exp(scores_BKRS, out=scores_BKRS)
    total_BKR1 = scores_BKRS.sum(axis=-1, keepdims=True)
    mixed_BKRE, done = np.float32(0.0), 0
    for keys_BKSE, values_BKSE in parts:
        seen = keys_BKSE.shape[-2]
        mixed_BKRE = mixed_BKRE + scores_BKRS[..., done : done + seen] @ values_BKSE
        done += seen
    result_BKRE: Matrix = mixed_BKRE / total_BKR1
    return result_BKRE
