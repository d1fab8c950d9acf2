"""Low-rank adapters: a few numbers learn in place of whole matrices, and are added in at the end.

    W = W_0 + (scale / rank) B A        A: (rank, inputs), B: (outputs, rank), B begins with zeros

Source: Hu et al. 2021, "LoRA: low-rank adaptation of large language models", arXiv:2106.09685,
equation 3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from sparrowlm.models.encoder import BODY_PREFIXES, EncoderModel

DEFAULT_RANK = 8
_SCALE = 16.0


class LowRank(nn.Module):
    """What is added to one matrix.

    Args:
        matrix_OI: the matrix.
        rank: columns of B, >= 1.
        generator: draws A.
    """

    def __init__(self, matrix_OI: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        outputs, inputs = matrix_OI.shape
        self.down_RI = nn.Parameter(torch.empty(rank, inputs))
        self.up_OR = nn.Parameter(torch.zeros(outputs, rank))
        self.scale = _SCALE / rank
        with torch.no_grad():
            self.down_RI.normal_(0.0, 1.0 / math.sqrt(inputs), generator=generator)

    def forward(self, matrix_OI: Tensor) -> Tensor:
        """Return the matrix as it acts."""
        adapted_OI: Tensor = matrix_OI + self.scale * (self.up_OR @ self.down_RI)
        return adapted_OI


def freeze_encoder(model: EncoderModel, frozen: tuple[str, ...] = BODY_PREFIXES) -> None:
    """Let only what stands on top of the encoder learn.

    Args:
        model: changed in place.
        frozen: prefixes of the names of the weights that stay.
    """
    # Names of the encoder may stand for parts of a parameter; those on top of it never do.
    learning = {
        id(tensor) for name, tensor in model.tensors().items() if not name.startswith(frozen)
    }
    for weight in model.parameters():
        weight.requires_grad_(id(weight) in learning)


def add_adapters(
    model: EncoderModel,
    rank: int,
    generator: torch.Generator,
    frozen: tuple[str, ...] = BODY_PREFIXES,
) -> None:
    """Freeze the encoder and give every matrix of its layers an adapter.

    Args:
        model: changed in place; its head still learns.
        rank: of the adapters, >= 1.
        generator: draws their first weights.
        frozen: prefixes of the names of the weights that stay.
    """
    freeze_encoder(model, frozen)
    for block in model.layers():
        for module, name in (
            (block.attention, "qkv_PD"),
            (block.attention, "out_DQ"),
            (block.feed_forward, "gate_up_GD"),
            (block.feed_forward, "down_DF"),
        ):
            adapter = LowRank(getattr(module, name), rank, generator)
            parametrize.register_parametrization(module, name, adapter)
    model.is_adapted = True


def merge_adapters(model: EncoderModel) -> None:
    """Add the adapters into their matrices and let everything learn again."""
    for block in model.layers():
        for module in (block.attention, block.feed_forward):
            for name in list(getattr(module, "parametrizations", {})):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    model.is_adapted = False
    for weight in model.parameters():
        weight.requires_grad_(True)
