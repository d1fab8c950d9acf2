"""The encoder in torch: the Transformer read in both directions, with n-grams at its input.

    embedding of the id  +  up(sum of table[bucket] over the n-grams that hold this position)
        └──► Transformer, every position sees all ──► states ──► what a task makes of them

The n-gram tables tell a small network about words before it has learnt to put them together. The
same weights also read causally (no length given), with the n-grams that end here alone: one model
fills gaps and continues text.

Shape letters: see models/protocol.py; W is the width of the n-gram tables, R their rows.

Source: Charpentier and Samuel 2024, "GPT or BERT: why not both?", arXiv:2410.24159 (one model for
both objectives); Bojanowski et al. 2017, "Enriching word vectors with subword information",
arXiv:1607.04606 (hashed n-grams as input).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.array_types import Float, Int
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.ngram_buckets import ngram_buckets
from sparrowlm.models.transformer import TransformerModel, dropped

_TABLE_STD = 0.02
# Weights of the encoder itself; a task's own have other names.
BODY_PREFIXES = ("model.", "ngrams.")


@dataclass(frozen=True, kw_only=True, slots=True)
class NgramTableShape:
    """Sizes of the n-gram tables.

    Attributes:
        orders: lengths of the n-grams in ids; none for no tables.
        num_buckets: R, rows of each table.
        width: W, numbers per row.
    """

    orders: tuple[int, ...] = (2, 3)
    num_buckets: int = 1 << 14
    width: int = 32

    def num_parameters(self) -> int:
        """Count the weights of the tables."""
        return len(self.orders) * self.num_buckets * self.width

    def as_json(self) -> dict[str, Any]:
        """Return the sizes as JSON values."""
        return {**asdict(self), "orders": list(self.orders)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> NgramTableShape:
        """Rebuild from as_json."""
        return NgramTableShape(**{**values, "orders": tuple(values["orders"])})


class EncoderModel(TransformerModel):
    """A Transformer with n-gram tables.

    Args:
        shape: of the Transformer, is_causal false.
        tables: of the n-grams.
        generator: draws the initial weights.
    """

    def __init__(
        self,
        shape: TransformerShape,
        tables: NgramTableShape,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(shape, generator)
        self.table_shape = tables
        self.feature_dropout = 0.0
        self.is_adapted = False  # see models/adapters.py
        size = (tables.num_buckets, tables.width)
        self.tables_RW = nn.ParameterList(nn.Parameter(torch.empty(size)) for _ in tables.orders)
        self.up_DW = nn.Parameter(torch.empty(shape.width, tables.width))
        with torch.no_grad():
            for table_RW in self.tables_RW:
                table_RW.normal_(0.0, _TABLE_STD, generator=generator)
            self.up_DW.normal_(0.0, 1.0 / math.sqrt(tables.width), generator=generator)

    def states(
        self, ids_BT: Int[Tensor, "batch time"], lengths_B: Int[Tensor, " batch"] | None
    ) -> Float[Tensor, "batch time width"]:
        """Return what every position knows after reading.

        Args:
            ids_BT: rows filled up at their ends with any id.
            lengths_B: ids of every row that count, >= 1; None reads causally.
        """
        return self.hidden(ids_BT, lengths_B, self._features(ids_BT, lengths_B))

    def forward(self, ids_BT: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Return the logits of the next id, read causally."""
        return self.logits(self.states(ids_BT, None))

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits of the id that follows each state."""
        return functional.linear(x, self.embedding_VD.to(x.dtype))

    def _features(self, ids_BT: Tensor, lengths_B: Tensor | None) -> Tensor | None:
        shape = self.table_shape
        if not shape.orders:
            return None
        buckets = torch.from_numpy(ngram_buckets(ids_BT.numpy(), shape.orders, shape.num_buckets))
        sum_BTW: Tensor | None = None
        for index, order in enumerate(shape.orders):
            ending_BTW = functional.embedding(buckets[index], self.tables_RW[index])
            held_BTW = ending_BTW
            if lengths_B is not None:
                held_BTW = _holding(ending_BTW, order, lengths_B)
            sum_BTW = held_BTW if sum_BTW is None else sum_BTW + held_BTW
        assert sum_BTW is not None  # noqa: S101 - there is at least one order
        sum_BTW = dropped(sum_BTW, self.feature_dropout if self.training else 0.0)
        dtype = self.compute_dtype
        return functional.linear(sum_BTW.to(dtype), self.up_DW.to(dtype))

    def matrices(self) -> list[tuple[Tensor, int]]:
        """Return the inner matrices, see Network; none of them learns beside adapters."""
        return [] if self.is_adapted else super().matrices()

    def tensors(self) -> dict[str, Tensor]:
        """Return views of all weights by name; those of the tables begin with "ngrams.".

        While adapters learn, what is kept and restored are the parameters themselves.
        """
        if self.is_adapted:
            return dict(self.named_parameters())
        own = {f"ngrams.table.{i}": table for i, table in enumerate(self.tables_RW)}
        return {**super().tensors(), **own, "ngrams.up": self.up_DW}


def _holding(ending_BTW: Tensor, order: int, lengths_B: Tensor) -> Tensor:
    """Sum, for every position, the n-grams that hold it and end within the text."""
    length = ending_BTW.shape[1]
    is_inside_BT1 = (torch.arange(length) < lengths_B[:, None])[..., None]
    ending_BTW = ending_BTW * is_inside_BT1
    sum_BTW = ending_BTW
    for ahead in range(1, min(order, length)):
        sum_BTW = sum_BTW + functional.pad(ending_BTW[:, ahead:], (0, 0, 0, ahead))
    return sum_BTW


def pooled(
    states_BTD: Float[Tensor, "batch time width"], lengths_B: Int[Tensor, " batch"]
) -> Float[Tensor, "batch two_widths"]:
    """Return the mean and the largest of every row's states, side by side, float32.

    Args:
        states_BTD: of an encoder.
        lengths_B: positions of every row that count, >= 1.
    """
    states_BTD = states_BTD.float()
    is_outside_BT1 = (torch.arange(states_BTD.shape[1]) >= lengths_B[:, None])[..., None]
    mean_BD = states_BTD.masked_fill(is_outside_BT1, 0.0).sum(1) / lengths_B[:, None]
    largest_BD = states_BTD.masked_fill(is_outside_BT1, -math.inf).amax(1)
    return torch.cat([mean_BD, largest_BD], dim=1)
