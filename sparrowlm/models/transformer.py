"""The Transformer in torch: Hugging Face's Qwen3, built to train fast on CPUs.

It reads causally, as a decoder, or in both directions, as an encoder: the same weights, another
mask.

Three choices differ from the usual code, none of them from the usual numbers: matrices that read
the same input are stored as one (a wide product runs at full speed where three narrow ones do
not), attention is written out as two products and a softmax (faster than the fused kernel for
short windows), and the caller says in which precision products run.

Shape letters: see models/protocol.py; P is the sum of query, key and value widths.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.array_types import Float, Int
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.fused_transformer import (
    FusedLayers,
    LayerSetting,
    LayerWeights,
    can_fuse,
)
from sparrowlm.models.network import Network

_EMBEDDING_STD = 0.02


class Attention(nn.Module):
    """Self-attention with grouped queries, normalised queries and keys, rotary positions."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.shape = shape
        width, head = shape.width, shape.head_width
        rows = head * (shape.num_heads + 2 * shape.num_kv_heads)
        self.qkv_PD = nn.Parameter(torch.empty(rows, width))
        self.out_DQ = nn.Parameter(torch.empty(width, head * shape.num_heads))
        self.q_norm_E = nn.Parameter(torch.ones(head))
        self.k_norm_E = nn.Parameter(torch.ones(head))

    def forward(self, x_BTD: Tensor, rotation: Rotation, mask: Tensor) -> Tensor:
        """Mix every position with those that it may see."""
        shape = self.shape
        batch, length, _width = x_BTD.shape
        qkv_BTHE = functional.linear(x_BTD, self.qkv_PD.to(x_BTD.dtype)).view(
            batch, length, -1, shape.head_width
        )
        num_heads, num_kv = shape.num_heads, shape.num_kv_heads
        q_BTHE, k_BTKE, v_BTKE = torch.split(qkv_BTHE, [num_heads, num_kv, num_kv], dim=2)
        q_BTHE = rotation.turn(rms_norm(q_BTHE, self.q_norm_E, shape.norm_epsilon))
        k_BTKE = rotation.turn(rms_norm(k_BTKE, self.k_norm_E, shape.norm_epsilon))
        mixed_BHTE = attend(q_BTHE, k_BTKE, v_BTKE, mask)
        mixed_BTQ = mixed_BHTE.transpose(1, 2).reshape(batch, length, -1)
        return functional.linear(mixed_BTQ, self.out_DQ.to(x_BTD.dtype))


class FeedForward(nn.Module):
    """The gated feed-forward part: down(silu(gate(x)) * up(x))."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.gate_up_GD = nn.Parameter(torch.empty(2 * shape.feed_forward_width, shape.width))
        self.down_DF = nn.Parameter(torch.empty(shape.width, shape.feed_forward_width))

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Transform every position on its own."""
        both_BTG = functional.linear(x_BTD, self.gate_up_GD.to(x_BTD.dtype))
        gate_BTF, up_BTF = both_BTG.chunk(2, dim=-1)
        return functional.linear(functional.silu(gate_BTF) * up_BTF, self.down_DF.to(x_BTD.dtype))


class Block(nn.Module):
    """Normalise, attend, add; normalise, transform, add."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.epsilon = shape.norm_epsilon
        self.attention_norm_D = nn.Parameter(torch.ones(shape.width))
        self.attention = Attention(shape)
        self.feed_forward_norm_D = nn.Parameter(torch.ones(shape.width))
        self.feed_forward = FeedForward(shape)

    def weights(self) -> LayerWeights:
        """Return all weights of the block, for the fused way through it."""
        attention, feed_forward = self.attention, self.feed_forward
        return LayerWeights(
            self.attention_norm_D, attention.qkv_PD, attention.q_norm_E, attention.k_norm_E,
            attention.out_DQ, self.feed_forward_norm_D, feed_forward.gate_up_GD,
            feed_forward.down_DF,
        )  # fmt: skip

    def forward(self, x_BTD: Tensor, rotation: Rotation, mask: Tensor, dropout: float) -> Tensor:
        """Add what attention and feed-forward say to the residual stream."""
        normed_BTD = rms_norm(x_BTD, self.attention_norm_D, self.epsilon)
        x_BTD = x_BTD + dropped(self.attention(normed_BTD, rotation, mask), dropout)
        normed_BTD = rms_norm(x_BTD, self.feed_forward_norm_D, self.epsilon)
        return x_BTD + dropped(self.feed_forward(normed_BTD), dropout)


class TransformerModel(Network):
    """A decoder of the given shape; see TransformerShape for the sources.

    Args:
        shape: all sizes.
        generator: draws the initial weights.
        residual_init: standard deviation of the matrices that write to the residual stream;
            0.0 makes every block the identity at the start.
    """

    def __init__(
        self,
        shape: TransformerShape,
        generator: torch.Generator | None = None,
        residual_init: float = 0.0,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.embedding_VD = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.blocks = nn.ModuleList(Block(shape) for _layer in range(shape.num_layers))
        self.final_norm_D = nn.Parameter(torch.ones(shape.width))
        self._rotations: dict[tuple[int, torch.dtype], Rotation] = {}
        self._initialise(generator, residual_init)

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.shape.vocab_size

    def layers(self) -> list[Block]:
        """Return the blocks, lowest first."""
        return cast("list[Block]", list(self.blocks))

    def config(self) -> Mapping[str, Any]:
        """Return the content of config.json."""
        return self.shape.hugging_face_config()

    def forward(self, ids_BT: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Return logits_BTV in the compute precision."""
        x_BTD = self.hidden(ids_BT)
        return functional.linear(x_BTD, self.embedding_VD.to(x_BTD.dtype))

    def hidden(
        self,
        ids_BT: Int[Tensor, "batch time"],
        lengths_B: Int[Tensor, " batch"] | None = None,
        features_BTD: Float[Tensor, "batch time width"] | None = None,
    ) -> Float[Tensor, "batch time width"]:
        """Return the normalised residual stream that the output product reads.

        Args:
            ids_BT: the ids, rows filled up at their ends with any id.
            lengths_B: how many ids of every row count, 1 to T, int32: all positions then see all
                of them. None reads causally.
            features_BTD: added to the embeddings.
        """
        rotation = self._rotation(ids_BT.shape[1])
        dropout = self.dropout if self.training else 0.0
        x_BTD = functional.embedding(ids_BT, self.embedding_VD)
        if features_BTD is not None:
            x_BTD = x_BTD + features_BTD
        x_BTD = dropped(x_BTD.to(self.compute_dtype), dropout)
        if can_fuse(self.shape, self.compute_dtype):
            return self._fused(x_BTD, rotation, dropout, lengths_B)
        mask = rotation.mask_TT
        if lengths_B is not None:
            mask = length_mask(lengths_B, ids_BT.shape[1], self.compute_dtype)
        for block in self.layers():
            x_BTD = block(x_BTD, rotation, mask, dropout)
        return rms_norm(x_BTD, self.final_norm_D, self.shape.norm_epsilon)

    def _fused(
        self, x_BTD: Tensor, rotation: Rotation, dropout: float, lengths_B: Tensor | None
    ) -> Tensor:
        seed = int(torch.randint(1 << 31, ())) if dropout > 0.0 else 0
        if lengths_B is not None:
            lengths_B = lengths_B.to(torch.int32).contiguous()
        setting = LayerSetting(
            self.shape, rotation.cosine_TE, rotation.sine_TE, dropout, seed, lengths_B
        )
        weights = [weight for block in self.layers() for weight in block.weights()]
        normed_BTD: Tensor = FusedLayers.apply(setting, x_BTD, *weights, self.final_norm_D)  # type: ignore[no-untyped-call]
        return normed_BTD

    def tensors(self) -> dict[str, Tensor]:
        """Return views of the weights under their names in model.safetensors."""
        return dict(hugging_face_tensors(self))

    def matrices(self) -> list[tuple[Tensor, int]]:
        """Return the inner matrices, and of how many equal-sided blocks each is joined."""
        shape = self.shape
        groups = shape.num_heads // shape.num_kv_heads
        return [
            pair
            for block in self.layers()
            for pair in (
                (block.attention.qkv_PD, groups + 2),
                (block.attention.out_DQ, 1),
                (block.feed_forward.gate_up_GD, 2),
                (block.feed_forward.down_DF, 1),
            )
        ]

    def _rotation(self, length: int) -> Rotation:
        key = (length, self.compute_dtype)
        if key not in self._rotations:
            self._rotations[key] = Rotation(self.shape, length, self.compute_dtype)
        return self._rotations[key]

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator | None, residual_init: float) -> None:
        width = self.shape.width
        self.embedding_VD.normal_(0.0, _EMBEDDING_STD, generator=generator)
        for block in self.layers():
            block.attention.qkv_PD.normal_(0.0, 0.7 / math.sqrt(width), generator=generator)
            block.feed_forward.gate_up_GD.normal_(0.0, 0.7 / math.sqrt(width), generator=generator)
            block.attention.out_DQ.normal_(0.0, residual_init, generator=generator)
            block.feed_forward.down_DF.normal_(0.0, residual_init, generator=generator)


class Rotation:
    """Rotary angles and the causal mask of one window length.

    Args:
        shape: head width and base of the angles.
        length: positions, T.
        dtype: of the tables.

    Source: Su et al. 2021, arXiv:2104.09864, equation 34, in the half-split order of Hugging Face.
    """

    def __init__(self, shape: TransformerShape, length: int, dtype: torch.dtype) -> None:
        half = shape.head_width // 2
        frequencies_E = shape.rope_base ** (-torch.arange(half, dtype=torch.float32) / half)
        angles_TE = torch.outer(torch.arange(length, dtype=torch.float32), frequencies_E)
        self.cosine_TE, self.sine_TE = angles_TE.cos(), angles_TE.sin()
        self.cosine_T1E = torch.cat((self.cosine_TE, self.cosine_TE), dim=-1)[:, None, :].to(dtype)
        self.sine_T1E = torch.cat((-self.sine_TE, self.sine_TE), dim=-1)[:, None, :].to(dtype)
        self.mask_TT = torch.full((length, length), -math.inf, dtype=dtype).triu(1)

    def turn(self, x_BTHE: Tensor) -> Tensor:
        """Rotate every head by its position."""
        half = x_BTHE.shape[-1] // 2
        swapped_BTHE = torch.cat((x_BTHE[..., half:], x_BTHE[..., :half]), dim=-1)
        return x_BTHE * self.cosine_T1E + swapped_BTHE * self.sine_T1E


def length_mask(lengths_B: Tensor, length: int, dtype: torch.dtype) -> Tensor:
    """Return what is added to scores (B, H, T, T): -inf behind the end of every row."""
    is_behind_BT = torch.arange(length) >= lengths_B[:, None]
    mask_BT = torch.zeros(is_behind_BT.shape, dtype=dtype).masked_fill(is_behind_BT, -math.inf)
    return mask_BT[:, None, None, :]


def attend(q_BTHE: Tensor, k_BTKE: Tensor, v_BTKE: Tensor, mask: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(E) + mask) v as (B, H, T, E)."""
    num_repeats = q_BTHE.shape[2] // k_BTKE.shape[2]
    q_BHTE = q_BTHE.transpose(1, 2)
    k_BHTE = k_BTKE.transpose(1, 2)
    v_BHTE = v_BTKE.transpose(1, 2)
    if num_repeats > 1:
        k_BHTE = k_BHTE.repeat_interleave(num_repeats, dim=1)
        v_BHTE = v_BHTE.repeat_interleave(num_repeats, dim=1)
    scale = 1.0 / math.sqrt(q_BTHE.shape[-1])
    scores_BHTT = (q_BHTE * scale) @ k_BHTE.transpose(-1, -2) + mask
    return scores_BHTT.softmax(dim=-1) @ v_BHTE


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Divide by the root of the mean square over the last axis, then scale.

    Source: Zhang and Sennrich 2019, arXiv:1910.07467, equation 4.
    """
    return functional.rms_norm(x, (x.shape[-1],), weight.to(x.dtype), epsilon)


def dropped(x: Tensor, probability: float) -> Tensor:
    """Apply dropout only where it does something."""
    return functional.dropout(x, probability) if probability > 0.0 else x


def hugging_face_tensors(model: TransformerModel) -> Iterator[tuple[str, Tensor]]:
    """Yield the weights under their Hugging Face names, joined matrices taken apart (views)."""
    shape = model.shape
    query, key = shape.num_heads * shape.head_width, shape.num_kv_heads * shape.head_width
    yield "model.embed_tokens.weight", model.embedding_VD
    for index, block in enumerate(model.layers()):
        prefix = f"model.layers.{index}."
        q_QD, k_KD, v_KD = torch.split(block.attention.qkv_PD, [query, key, key])
        gate_FD, up_FD = block.feed_forward.gate_up_GD.chunk(2, dim=0)
        yield prefix + "input_layernorm.weight", block.attention_norm_D
        yield prefix + "self_attn.q_proj.weight", q_QD
        yield prefix + "self_attn.k_proj.weight", k_KD
        yield prefix + "self_attn.v_proj.weight", v_KD
        yield prefix + "self_attn.o_proj.weight", block.attention.out_DQ
        yield prefix + "self_attn.q_norm.weight", block.attention.q_norm_E
        yield prefix + "self_attn.k_norm.weight", block.attention.k_norm_E
        yield prefix + "post_attention_layernorm.weight", block.feed_forward_norm_D
        yield prefix + "mlp.gate_proj.weight", gate_FD
        yield prefix + "mlp.up_proj.weight", up_FD
        yield prefix + "mlp.down_proj.weight", block.feed_forward.down_DF
    yield "model.norm.weight", model.final_norm_D
