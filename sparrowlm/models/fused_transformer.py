"""All layers as one function of torch: products by torch, the rest compiled and fused.

Between two matrix products the plain network in models/transformer.py walks over memory five to
ten times; the kernels of native/kernels_*.cpp do it once, forward and backward, and run
on torch's own threads. Same numbers as the plain network up to rounding.

Shape letters: see models/protocol.py; N is batch times time, P the sum of query, key and value
widths, G twice the feed-forward width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.fused_kernels import PRECISIONS, kernels

_LANES = 16


class LayerWeights(NamedTuple):
    """The weights of one layer, float32."""

    norm_D: Tensor
    qkv_PD: Tensor
    query_norm_E: Tensor
    key_norm_E: Tensor
    out_DQ: Tensor
    feed_norm_D: Tensor
    gate_up_GD: Tensor
    down_DF: Tensor


@dataclass(frozen=True, slots=True)
class LayerSetting:
    """What stays the same over all layers of one call.

    Attributes:
        shape: all sizes.
        cosine_TE: of the rotary angles, one half of a head, float32.
        sine_TE: the same.
        dropout: share of the activations dropped, 0 to below 1.
        seed: of dropout, 32 bits.
        lengths_B: how many positions of each row all its positions see, int32, 1 to T; None where
            every position sees itself and those before it.
    """

    shape: TransformerShape
    cosine_TE: Tensor
    sine_TE: Tensor
    dropout: float
    seed: int
    lengths_B: Tensor | None = None


def can_fuse(shape: TransformerShape, dtype: torch.dtype) -> bool:
    """Say whether the compiled kernels are there and fit this shape."""
    fits = (
        shape.width % _LANES == 0
        and shape.head_width % (2 * _LANES) == 0
        and shape.feed_forward_width % _LANES == 0
    )
    return fits and dtype in PRECISIONS and kernels() is not None


class _Layer:
    """What one layer keeps from forward to backward."""

    __slots__ = (
        "attended_NQ",
        "both_NG",
        "gated_NF",
        "heads_inverse",
        "inverse",
        "key",
        "middle_ND",
        "middle_inverse",
        "middle_normed_ND",
        "normed_ND",
        "probabilities",
        "qkv_NP",
        "query",
        "residual_ND",
        "value",
        "weights",
    )

    residual_ND: Tensor
    normed_ND: Tensor
    inverse: Tensor
    qkv_NP: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    heads_inverse: Tensor
    probabilities: Tensor
    attended_NQ: Tensor
    middle_ND: Tensor
    middle_normed_ND: Tensor
    middle_inverse: Tensor
    both_NG: Tensor
    gated_NF: Tensor
    weights: LayerWeights


class _Calls:
    """The kernels, called on tensors of one batch."""

    def __init__(self, setting: LayerSetting, x_BTD: Tensor) -> None:
        self.setting = setting
        self.kernels: Any = kernels()
        self.batch, self.length, self.width = x_BTD.shape
        self.rows = self.batch * self.length
        self.dtype = x_BTD.dtype
        self.how = (x_BTD.dtype == torch.bfloat16, torch.get_num_threads())
        shape = setting.shape
        self.group = shape.num_heads // shape.num_kv_heads
        self.query_scale = 1.0 / math.sqrt(shape.head_width)

    def empty(self, *sizes: int) -> Tensor:
        return torch.empty(sizes, dtype=self.dtype)

    def _dropout(self, place: int) -> tuple[float, int]:
        return self.setting.dropout, (self.setting.seed + 0x9E3779B9 * place) & 0xFFFFFFFF

    def norm(
        self, residual_ND: Tensor, addend_ND: Tensor | None, weight_D: Tensor, place: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (residual + dropout(addend), the same normalised, 1 / root mean square)."""
        sum_ND = residual_ND if addend_ND is None else self.empty(self.rows, self.width)
        normed_ND = self.empty(self.rows, self.width)
        inverse_N = torch.empty(self.rows)
        self.kernels.norm_forward(
            residual_ND.data_ptr(), 0 if addend_ND is None else addend_ND.data_ptr(),
            weight_D.data_ptr(), sum_ND.data_ptr(), normed_ND.data_ptr(), inverse_N.data_ptr(),
            self.rows, self.width, self.setting.shape.norm_epsilon, *self._dropout(place),
            *self.how,
        )  # fmt: skip
        return sum_ND, normed_ND, inverse_N

    def norm_backward(
        self,
        grad_normed_ND: Tensor,
        grad_sum_ND: Tensor | None,
        kept: tuple[Tensor, Tensor],
        weight_D: Tensor,
        place: int,
        has_addend: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of the residual, of the addend, and of the weight."""
        sum_ND, inverse_N = kept
        grad_ND = self.empty(self.rows, self.width)
        is_dropping = has_addend and self.setting.dropout > 0
        grad_addend_ND = self.empty(self.rows, self.width) if is_dropping else grad_ND
        grad_weight_D = torch.empty(self.width)
        self.kernels.norm_backward(
            grad_normed_ND.data_ptr(), 0 if grad_sum_ND is None else grad_sum_ND.data_ptr(),
            sum_ND.data_ptr(), inverse_N.data_ptr(), weight_D.data_ptr(), grad_ND.data_ptr(),
            grad_addend_ND.data_ptr() if is_dropping else 0, grad_weight_D.data_ptr(),
            self.rows, self.width, *self._dropout(place), *self.how,
        )  # fmt: skip
        return grad_ND, grad_addend_ND, grad_weight_D

    def _sizes(self) -> tuple[int, ...]:
        shape = self.setting.shape
        return self.rows, self.length, shape.num_heads, shape.num_kv_heads, shape.head_width

    def heads(self, layer: _Layer) -> None:
        """Fill in query, key, value and what their backward needs."""
        shape = self.setting.shape
        sizes = (self.batch * shape.num_kv_heads, self.length, shape.head_width)
        layer.query = self.empty(sizes[0], self.group * self.length, shape.head_width)
        layer.key, layer.value = self.empty(*sizes), self.empty(*sizes)
        layer.heads_inverse = torch.empty(self.rows, shape.num_heads + shape.num_kv_heads)
        self.kernels.heads_forward(
            layer.qkv_NP.data_ptr(), layer.query.data_ptr(), layer.key.data_ptr(),
            layer.value.data_ptr(), layer.weights.query_norm_E.data_ptr(),
            layer.weights.key_norm_E.data_ptr(), self.setting.cosine_TE.data_ptr(),
            self.setting.sine_TE.data_ptr(), layer.heads_inverse.data_ptr(), *self._sizes(),
            shape.norm_epsilon, self.query_scale, *self.how,
        )  # fmt: skip

    def heads_backward(
        self, layer: _Layer, grads: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients of the joined product and of the two norms."""
        grad_NP = torch.empty_like(layer.qkv_NP)
        grad_query_E = torch.empty(self.setting.shape.head_width)
        grad_key_E = torch.empty(self.setting.shape.head_width)
        self.kernels.heads_backward(
            layer.qkv_NP.data_ptr(), *(grad.data_ptr() for grad in grads),
            layer.weights.query_norm_E.data_ptr(), layer.weights.key_norm_E.data_ptr(),
            self.setting.cosine_TE.data_ptr(), self.setting.sine_TE.data_ptr(),
            layer.heads_inverse.data_ptr(), grad_NP.data_ptr(), grad_query_E.data_ptr(),
            grad_key_E.data_ptr(), *self._sizes(), self.query_scale, *self.how,
        )  # fmt: skip
        return grad_NP, grad_query_E, grad_key_E

    def sorted_by_rows(self, by_head: Tensor) -> Tensor:
        """Return (B, H, T, E) as (N, H E)."""
        shape = self.setting.shape
        by_row_NQ = self.empty(self.rows, shape.num_heads * shape.head_width)
        self._sort(by_head, by_row_NQ, is_to_rows=True)
        return by_row_NQ

    def sorted_by_heads(self, by_row_NQ: Tensor, like: Tensor) -> Tensor:
        """Return (N, H E) in the order of like."""
        by_head = torch.empty_like(like)
        self._sort(by_head, by_row_NQ, is_to_rows=False)
        return by_head

    def _sort(self, by_head: Tensor, by_row: Tensor, *, is_to_rows: bool) -> None:
        shape = self.setting.shape
        self.kernels.sort_heads(
            by_head.data_ptr(), by_row.data_ptr(), self.rows, self.length, shape.num_heads,
            shape.head_width, is_to_rows, *self.how,
        )  # fmt: skip

    def softmax_(self, scores: Tensor) -> Tensor:
        """Turn scores into probabilities, in place."""
        rows = scores.shape[0] * scores.shape[1]
        self.kernels.softmax_forward(
            scores.data_ptr(), rows, self.length, *self._seen(rows), *self.how
        )
        return scores

    def softmax_backward_(self, grad: Tensor, probabilities: Tensor) -> Tensor:
        """Turn the gradient of probabilities into that of scores, in place."""
        rows = grad.shape[0] * grad.shape[1]
        self.kernels.softmax_backward(
            grad.data_ptr(), probabilities.data_ptr(), rows, self.length, *self._seen(rows),
            *self.how,
        )  # fmt: skip
        return grad

    def _seen(self, rows: int) -> tuple[int, int]:
        lengths_B = self.setting.lengths_B
        return (0 if lengths_B is None else lengths_B.data_ptr()), rows // self.batch

    def gate(self, both_NG: Tensor) -> Tensor:
        """Return silu(gate) * up."""
        width = both_NG.shape[1] // 2
        gated_NF = self.empty(self.rows, width)
        self.kernels.gate_forward(
            both_NG.data_ptr(), gated_NF.data_ptr(), self.rows, width, *self.how
        )
        return gated_NF

    def gate_backward(self, both_NG: Tensor, grad_NF: Tensor) -> Tensor:
        """Return the gradient of gate and up."""
        grad_NG = torch.empty_like(both_NG)
        self.kernels.gate_backward(
            both_NG.data_ptr(), grad_NF.data_ptr(), grad_NG.data_ptr(), self.rows,
            both_NG.shape[1] // 2, *self.how,
        )  # fmt: skip
        return grad_NG


def _forward_layer(
    calls: _Calls, index: int, residual_ND: Tensor, addend_ND: Tensor | None, own: LayerWeights
) -> tuple[_Layer, Tensor]:
    """Return what the layer keeps, and what its feed-forward part adds."""
    layer = _Layer()
    layer.weights = own
    layer.residual_ND, layer.normed_ND, layer.inverse = calls.norm(
        residual_ND, addend_ND, own.norm_D, 2 * index
    )
    layer.qkv_NP = layer.normed_ND @ own.qkv_PD.T
    calls.heads(layer)
    layer.probabilities = calls.softmax_(torch.bmm(layer.query, layer.key.mT))
    layer.attended_NQ = calls.sorted_by_rows(torch.bmm(layer.probabilities, layer.value))
    layer.middle_ND, layer.middle_normed_ND, layer.middle_inverse = calls.norm(
        layer.residual_ND, layer.attended_NQ @ own.out_DQ.T, own.feed_norm_D, 2 * index + 1
    )
    layer.both_NG = layer.middle_normed_ND @ own.gate_up_GD.T
    layer.gated_NF = calls.gate(layer.both_NG)
    return layer, layer.gated_NF @ own.down_DF.T


def _backward_layer(
    calls: _Calls, index: int, layer: _Layer, grads: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Go back through one layer.

    Args:
        calls: the kernels.
        index: of the layer, from below.
        layer: what it kept.
        grads: of the residual stream above, and of what the feed-forward part added to it.

    Returns:
        The same two for the layer below, and the gradients of the eight weights.
    """
    grad_ND, grad_added_ND = grads
    own = layer.weights
    grad_down_DF = grad_added_ND.T @ layer.gated_NF
    grad_NG = calls.gate_backward(layer.both_NG, grad_added_ND @ own.down_DF)
    grad_gate_up_GD = grad_NG.T @ layer.middle_normed_ND
    grad_ND, grad_added_ND, grad_feed_norm_D = calls.norm_backward(
        grad_NG @ own.gate_up_GD, grad_ND, (layer.middle_ND, layer.middle_inverse),
        own.feed_norm_D, 2 * index + 1, True,
    )  # fmt: skip
    grad_out_DQ = grad_added_ND.T @ layer.attended_NQ
    grad_attended = calls.sorted_by_heads(grad_added_ND @ own.out_DQ, layer.query)
    grad_value = torch.bmm(layer.probabilities.mT, grad_attended)
    grad_scores = calls.softmax_backward_(
        torch.bmm(grad_attended, layer.value.mT), layer.probabilities
    )
    grad_query = torch.bmm(grad_scores, layer.key)
    grad_key = torch.bmm(grad_scores.mT, layer.query)
    grad_NP, grad_query_norm_E, grad_key_norm_E = calls.heads_backward(
        layer, (grad_query, grad_key, grad_value)
    )
    grad_qkv_PD = grad_NP.T @ layer.normed_ND
    grad_ND, grad_added_ND, grad_norm_D = calls.norm_backward(
        grad_NP @ own.qkv_PD, grad_ND, (layer.residual_ND, layer.inverse), own.norm_D,
        2 * index, index > 0,
    )  # fmt: skip
    return grad_ND, grad_added_ND, [
        grad_norm_D, grad_qkv_PD.float(), grad_query_norm_E, grad_key_norm_E, grad_out_DQ.float(),
        grad_feed_norm_D, grad_gate_up_GD.float(), grad_down_DF.float(),
    ]  # fmt: skip


class FusedLayers(torch.autograd.Function):
    """All layers and the last norm: residual stream in, normalised residual stream out."""

    @staticmethod
    def forward(ctx: Any, setting: LayerSetting, x_BTD: Tensor, *weights: Tensor) -> Tensor:  # noqa: ANN401
        """Return the normalised stream.

        Args:
            ctx: torch's.
            setting: see LayerSetting.
            x_BTD: embedded ids, float32 or bfloat16.
            weights: LayerWeights of every layer one after the other, then the last norm_D.
        """
        calls = _Calls(setting, x_BTD)
        *inner, final_norm_D = weights
        layers: list[_Layer] = []
        residual_ND = x_BTD.reshape(calls.rows, calls.width).contiguous()
        added_ND: Tensor | None = None
        for index, own in enumerate(_by_layer(inner, calls.dtype)):
            layer, added_ND = _forward_layer(calls, index, residual_ND, added_ND, own)
            residual_ND = layer.middle_ND
            layers.append(layer)
        sum_ND, normed_ND, inverse_N = calls.norm(
            residual_ND, added_ND, final_norm_D, 2 * len(layers)
        )
        ctx.calls, ctx.layers = calls, layers
        ctx.last = (sum_ND, inverse_N, final_norm_D)
        return normed_ND.view_as(x_BTD)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_BTD: Tensor) -> Any:  # noqa: ANN401
        """Return the gradients of the stream and of all weights."""
        calls, layers = ctx.calls, ctx.layers
        sum_ND, inverse_N, final_norm_D = ctx.last
        grad_ND, grad_added_ND, grad_norm_D = calls.norm_backward(
            grad_BTD.reshape(calls.rows, calls.width).contiguous(), None, (sum_ND, inverse_N),
            final_norm_D, 2 * len(layers), bool(layers),
        )  # fmt: skip
        found: list[Tensor] = [grad_norm_D]
        while layers:  # what a layer kept is given back as soon as it has been used
            layer = layers.pop()
            grad_ND, grad_added_ND, own = _backward_layer(
                calls, len(layers), layer, (grad_ND, grad_added_ND)
            )
            found = own + found
        return None, grad_ND.view_as(grad_BTD), *found


def _by_layer(weights: Sequence[Tensor], dtype: torch.dtype) -> list[LayerWeights]:
    """Group the weights, matrices in the precision of the products."""
    per_layer = len(LayerWeights._fields)
    groups = [weights[i : i + per_layer] for i in range(0, len(weights), per_layer)]
    return [
        LayerWeights(*(w.detach().to(dtype) if w.ndim > 1 else w.detach() for w in group))
        for group in groups
    ]
