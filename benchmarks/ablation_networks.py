"""Networks and losses that the product does not have, for benchmarks/ablations.py.

One class holds them all: the product's decoder, with parts added or exchanged. Parts at the two
ends run through the product's fused kernels, parts inside a layer through plain torch.

Shape letters: see sparrowlm/models/protocol.py; S is the number of buckets of a table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.randomness import derive_seed, torch_generator
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.fused_transformer import can_fuse
from sparrowlm.models.transformer import (
    Attention,
    FeedForward,
    Rotation,
    TransformerModel,
    attend,
    dropped,
    rms_norm,
)
from sparrowlm.training.objectives import cross_entropy

BUCKETS = {2: 4096, 3: 16384}
MASKED_SHARE_OF_BATCHES, MASKED_SHARE_OF_IDS = 0.15, 0.3
WEIGHT_OF_SECOND_ID = 0.3
TEACHERS_SHARE = 0.5
_VALUES_AT_START = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """What a network has beyond the product's, or lacks.

    Attributes:
        ngram_orders: 2, 3: a hashed embedding of so many last ids is added at the input.
        is_untied: the output has a matrix of its own.
        predicts_two: a further matrix predicts the id after the next while training.
        num_extra_ids: 1 makes room for the mask.
        residual_init: see TransformerModel.
        normalises_queries: of attention; False leaves queries and keys as they are.
        is_relu_squared: instead of SwiGLU, at equal weights.
        has_shortcut: every layer sees the embedding, times a learnt number.
        values: what every layer adds to its values: nothing, a table by id, a product of the
            embedding.
        is_plain: no fused kernels, to compare times.
    """

    ngram_orders: tuple[int, ...] = ()
    is_untied: bool = False
    predicts_two: bool = False
    num_extra_ids: int = 0
    residual_init: float = 0.0
    normalises_queries: bool = True
    is_relu_squared: bool = False
    has_shortcut: bool = False
    values: Literal["none", "table", "projection"] = "none"
    is_plain: bool = False

    def changes_layers(self) -> bool:
        """Say whether the fused kernels cannot do it."""
        changed = not self.normalises_queries or self.is_relu_squared or self.has_shortcut
        return changed or self.values != "none" or self.is_plain


class ExperimentalModel(TransformerModel):
    """The product's decoder with other features; without any it is the same network."""

    def __init__(self, shape: TransformerShape, seed: int, features: Features) -> None:
        super().__init__(shape, torch_generator(seed, "initial weights"), features.residual_init)
        self.features = features
        width, layers = shape.width, shape.num_layers
        generator = torch_generator(seed, "experimental weights")
        self.ngram_tables_SD = nn.ParameterList(
            nn.Parameter(torch.zeros(BUCKETS[order], width)) for order in features.ngram_orders
        )
        if features.is_untied:
            self.output_VD = nn.Parameter(self.embedding_VD.detach().clone())
        if features.predicts_two:
            self.second_DD = nn.Parameter(torch.zeros(width, width))
        if features.has_shortcut:
            self.shortcut_L = nn.Parameter(torch.zeros(layers))
        if features.values != "none":
            columns = shape.num_kv_heads * shape.head_width
            is_table = features.values == "table"
            size = (shape.vocab_size, columns) if is_table else (columns, width)
            std = 0.7 / math.sqrt(width)
            self.values_L = nn.Parameter(torch.full((layers,), _VALUES_AT_START))
            self.value_weights = nn.ParameterList(
                nn.Parameter(std * torch.randn(size, generator=generator))
                for _layer in range(layers)
            )
        if features.is_relu_squared:
            self._exchange_feed_forward(generator)

    @torch.no_grad()
    def _exchange_feed_forward(self, generator: torch.Generator) -> None:
        width, inner = self.shape.width, 3 * self.shape.feed_forward_width // 2
        for block in self.layers():
            up_FD = torch.randn(inner, width, generator=generator) * (0.7 / math.sqrt(width))
            block.feed_forward.gate_up_GD = nn.Parameter(up_FD)
            block.feed_forward.down_DF = nn.Parameter(torch.zeros(width, inner))

    def matrices(self) -> list[tuple[Tensor, int]]:
        """Return the inner matrices, also those of the experiment."""
        found = super().matrices()
        if self.features.is_relu_squared:
            ups = {id(block.feed_forward.gate_up_GD) for block in self.layers()}
            found = [(matrix, 1 if id(matrix) in ups else joined) for matrix, joined in found]
        if self.features.predicts_two:
            found.append((self.second_DD, 1))
        if self.features.values == "projection":
            found += [(matrix, 1) for matrix in self.value_weights]
        return found

    def forward(self, ids_BT: Tensor) -> Tensor:
        """Return logits_BTV."""
        return self.output(self.hidden(ids_BT))

    def output(self, x_BTD: Tensor) -> Tensor:
        """Return the logits of a normalised stream."""
        weight_VD = self.output_VD if self.features.is_untied else self.embedding_VD
        return functional.linear(x_BTD, weight_VD.to(x_BTD.dtype))

    def hidden(self, ids_BT: Tensor, *, sees_all: bool = False) -> Tensor:
        """Return the normalised stream; sees_all lets every position attend to all others."""
        rotation = self._rotation(ids_BT.shape[1])
        dropout = self.dropout if self.training else 0.0
        x_BTD = functional.embedding(ids_BT, self.embedding_VD)
        for order, table_SD in zip(self.features.ngram_orders, self.ngram_tables_SD, strict=True):
            x_BTD = x_BTD + functional.embedding(self._buckets(ids_BT, order), table_SD)
        x_BTD = dropped(x_BTD.to(self.compute_dtype), dropout)
        lengths_B = None
        if sees_all:
            rotation = copy(rotation)
            rotation.mask_TT = torch.zeros_like(rotation.mask_TT)
            lengths_B = torch.full((len(ids_BT),), ids_BT.shape[1], dtype=torch.int32)
        if not self.features.changes_layers() and can_fuse(self.shape, self.compute_dtype):
            return self._fused(x_BTD, rotation, dropout, lengths_B)
        return self._plain(ids_BT, x_BTD, rotation, dropout)

    def _buckets(self, ids_BT: Tensor, order: int) -> Tensor:
        keys_BT = ids_BT
        for back in range(1, order):
            earlier_BT = functional.pad(ids_BT, (back, 0))[:, : ids_BT.shape[1]]
            keys_BT = keys_BT * self.vocab_size + earlier_BT
        return keys_BT * 1_000_003 % ((1 << 31) - 1) % BUCKETS[order]

    def _plain(self, ids_BT: Tensor, x_BTD: Tensor, rotation: Rotation, dropout: float) -> Tensor:
        first_BTD = x_BTD
        for layer, block in enumerate(self.layers()):
            if self.features.has_shortcut:
                x_BTD = x_BTD + self.shortcut_L[layer].to(x_BTD.dtype) * first_BTD
            normed_BTD = rms_norm(x_BTD, block.attention_norm_D, block.epsilon)
            values = self._further_values(layer, ids_BT, first_BTD)
            mixed_BTD = self._attention(block.attention, normed_BTD, rotation, values)
            x_BTD = x_BTD + dropped(mixed_BTD, dropout)
            normed_BTD = rms_norm(x_BTD, block.feed_forward_norm_D, block.epsilon)
            x_BTD = x_BTD + dropped(self._feed_forward(block.feed_forward, normed_BTD), dropout)
        return rms_norm(x_BTD, self.final_norm_D, self.shape.norm_epsilon)

    def _further_values(self, layer: int, ids_BT: Tensor, first_BTD: Tensor) -> Tensor | None:
        if self.features.values == "none":
            return None
        weight = self.value_weights[layer]
        if self.features.values == "table":
            found = functional.embedding(ids_BT, weight).to(first_BTD.dtype)
        else:
            normed_BTD = functional.rms_norm(first_BTD, (self.shape.width,))
            found = functional.linear(normed_BTD, weight.to(first_BTD.dtype))
        return found * self.values_L[layer].to(first_BTD.dtype)

    def _attention(
        self, own: Attention, x_BTD: Tensor, rotation: Rotation, values: Tensor | None
    ) -> Tensor:
        shape = self.shape
        batch, length, _width = x_BTD.shape
        qkv_BTP = functional.linear(x_BTD, own.qkv_PD.to(x_BTD.dtype))
        qkv_BTHE = qkv_BTP.view(batch, length, -1, shape.head_width)
        sizes = [shape.num_heads, shape.num_kv_heads, shape.num_kv_heads]
        q_BTHE, k_BTKE, v_BTKE = torch.split(qkv_BTHE, sizes, dim=2)
        if self.features.normalises_queries:
            q_BTHE = rms_norm(q_BTHE, own.q_norm_E, shape.norm_epsilon)
            k_BTKE = rms_norm(k_BTKE, own.k_norm_E, shape.norm_epsilon)
        if values is not None:
            v_BTKE = v_BTKE + values.view_as(v_BTKE)
        q_BTHE, k_BTKE = rotation.turn(q_BTHE), rotation.turn(k_BTKE)
        mixed_BHTE = attend(q_BTHE, k_BTKE, v_BTKE, rotation.mask_TT)
        mixed_BTQ = mixed_BHTE.transpose(1, 2).reshape(batch, length, -1)
        return functional.linear(mixed_BTQ, own.out_DQ.to(x_BTD.dtype))

    def _feed_forward(self, own: FeedForward, x_BTD: Tensor) -> Tensor:
        if not self.features.is_relu_squared:
            found: Tensor = own(x_BTD)
            return found
        up_BTF = functional.relu(functional.linear(x_BTD, own.gate_up_GD.to(x_BTD.dtype))).square()
        return functional.linear(up_BTF, own.down_DF.to(x_BTD.dtype))


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in which run a loss is computed: seed, step, and the folder of the base's networks."""

    seed: int
    step: int
    networks: Path


Objective = Callable[[ExperimentalModel, Tensor, Moment], Tensor]


def causal(model: ExperimentalModel, windows: Tensor, _moment: Moment) -> Tensor:
    """The product's loss."""
    return cross_entropy(model(windows[:, :-1]), windows[:, 1:])


def two_ids(model: ExperimentalModel, windows: Tensor, _moment: Moment) -> Tensor:
    """The next id, and with less weight the one after it."""
    x_BTD = model.hidden(windows[:, :-1])
    loss = cross_entropy(model.output(x_BTD), windows[:, 1:])
    x_BTD = x_BTD[:, :-1] + functional.linear(x_BTD[:, :-1], model.second_DD.to(x_BTD.dtype))
    return loss + WEIGHT_OF_SECOND_ID * cross_entropy(model.output(x_BTD), windows[:, 2:])


def causal_and_masked(model: ExperimentalModel, windows: Tensor, moment: Moment) -> Tensor:
    """Causal, but in some of the batches masked ids are guessed from both sides.

    A position predicts the id after it, as in the causal batches (GPT-BERT, arXiv:2410.24159).
    """
    generator = torch_generator(moment.seed, f"masks of step {moment.step}")
    if float(torch.rand((), generator=generator)) >= MASKED_SHARE_OF_BATCHES:
        return causal(model, windows, moment)
    is_masked = torch.rand(windows.shape, generator=generator) < MASKED_SHARE_OF_IDS
    is_masked[:, 0] = False
    x_BTD = model.hidden(windows.masked_fill(is_masked, model.vocab_size - 1), sees_all=True)
    logits_NV = model.output(x_BTD[:, :-1][is_masked[:, 1:]])
    return cross_entropy(logits_NV[None], windows[is_masked][None])


@cache
def teachers(folder: Path, shape: TransformerShape, num_seeds: int) -> list[ExperimentalModel]:
    """Load the base's networks, which an earlier variant has left in the folder."""
    if not all((folder / f"{seed}.pt").exists() for seed in range(num_seeds)):
        raise SystemExit(f"The base has to be trained first, with {num_seeds} seeds.")
    found = []
    for seed in range(num_seeds):
        model = ExperimentalModel(shape, seed, Features())
        model.load_state_dict(torch.load(folder / f"{seed}.pt", weights_only=True))
        model.compute_dtype = torch.bfloat16
        found.append(model.eval())
    return found


def distilled(model: ExperimentalModel, windows: Tensor, moment: Moment) -> Tensor:
    """Half what came, half what three trained networks had expected on the average."""
    inputs_BT, targets_BT = windows[:, :-1], windows[:, 1:]
    with torch.no_grad():
        each = [
            teacher(inputs_BT).float().softmax(-1)
            for teacher in teachers(moment.networks, model.shape, 3)
        ]
        expected_BTV = torch.stack(each).mean(0) * TEACHERS_SHARE
        expected_BTV.scatter_add_(
            2, targets_BT[..., None], torch.full((*targets_BT.shape, 1), 1 - TEACHERS_SHARE)
        )
    logits_BTV = model(inputs_BT).float()
    return functional.cross_entropy(logits_BTV.flatten(0, 1), expected_BTV.flatten(0, 1))


def seed_of_dropout(moment: Moment) -> int:
    """Return the seed that the product's loop would use."""
    return derive_seed(moment.seed, f"dropout of step {moment.step}")
