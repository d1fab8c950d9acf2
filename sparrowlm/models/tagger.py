"""The tagger in torch: an encoder over units, a label chain on top.

    embedding of the unit's id + n-grams + up(sum of table[row] over the unit's columns)
        └──► Transformer ──► state ─┬─► scores of labels (they also read the sum of the columns)
                                    └─► pooled: scores of intents

Columns are what is known about a unit besides its id: spelling, dictionary words around it, parts
of speech. All are hashed into one table (models/column_rows.py).

Shape letters: see models/encoder.py; C columns, S rows of the table, W its width, L labels, K
intents.

Source: Lample et al. 2016, arXiv:1603.01360 (network and chain); Weinberger et al. 2009 (hashed
columns).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.array_types import Float, Int
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.encoder import EncoderModel, NgramTableShape, pooled
from sparrowlm.models.transformer import dropped

_TABLE_STD = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class TaggerShape:
    """What a tagger has besides its encoder.

    Attributes:
        num_labels: L.
        num_intents: K; 0 where texts have none.
        column_rows: S, rows of the table of columns.
        column_width: W of that table.
    """

    num_labels: int
    num_intents: int = 0
    column_rows: int = 1 << 14
    column_width: int = 64

    def file_bytes(self, width: int) -> int:
        """Return what it takes on disk, the table in 8 bits and the rest in half precision."""
        table = self.column_rows * (self.column_width + 2)
        head = self.num_labels * (width + self.column_width + self.num_labels + 3)
        intents = self.num_intents * (2 * width + 1)
        return table + 2 * (head + intents + width * self.column_width)


class TaggerModel(EncoderModel):
    """An encoder that scores the labels of every unit.

    Args:
        shape: of the Transformer, is_causal false.
        tables: of the n-grams.
        tagger: of everything else.
        generator: draws the initial weights; heads and edges begin with zeros.
    """

    def __init__(
        self,
        shape: TransformerShape,
        tables: NgramTableShape,
        tagger: TaggerShape,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(shape, tables, generator)
        self.tagger_shape = tagger
        self.column_dropout = 0.0
        num_labels, width, inner = tagger.num_labels, shape.width, tagger.column_width
        self.columns_SW = nn.Parameter(torch.empty(tagger.column_rows, inner))
        self.columns_up_DW = nn.Parameter(torch.empty(width, inner))
        self.head_LH = nn.Parameter(torch.zeros(num_labels, width + inner))
        self.head_bias_L = nn.Parameter(torch.zeros(num_labels))
        self.edges = nn.Parameter(torch.zeros(num_labels * (num_labels + 2)))
        self.intent_KP = nn.Parameter(torch.zeros(tagger.num_intents, 2 * width))
        self.intent_bias_K = nn.Parameter(torch.zeros(tagger.num_intents))
        with torch.no_grad():
            self.columns_SW.normal_(0.0, _TABLE_STD, generator=generator)
            self.columns_SW[0] = 0.0
            self.columns_up_DW.normal_(0.0, 1.0 / math.sqrt(inner), generator=generator)

    def scores(
        self,
        ids_BT: Int[Tensor, "batch time"],
        lengths_B: Int[Tensor, " batch"],
        rows_BTC: Int[Tensor, "batch time columns"],
    ) -> tuple[Float[Tensor, "batch time labels"], Float[Tensor, "batch intents"]]:
        """Return the scores of all labels at every place and of all intents, float32.

        Args:
            ids_BT: the separator and the ids of the units, filled up at the ends.
            lengths_B: ids of every row that count, >= 1.
            rows_BTC: rows of the table; 0, the row of zeros, where there is nothing.
        """
        dropout = self.feature_dropout if self.training else 0.0
        columns_BTW = dropped(self._columns(rows_BTC), dropout)
        dtype = self.compute_dtype
        added_BTD = functional.linear(columns_BTW.to(dtype), self.columns_up_DW.to(dtype))
        ngrams_BTD = self._features(ids_BT, lengths_B)
        if ngrams_BTD is not None:
            added_BTD = added_BTD + ngrams_BTD
        states_BTD = self.hidden(ids_BT, lengths_B, added_BTD).float()
        both_BTH = torch.cat([dropped(states_BTD, dropout), columns_BTW], dim=2)
        scores_BTL = functional.linear(both_BTH, self.head_LH, self.head_bias_L)
        pooled_BP = dropped(pooled(states_BTD, lengths_B), dropout)
        return scores_BTL, functional.linear(pooled_BP, self.intent_KP, self.intent_bias_K)

    def _columns(self, rows_BTC: Tensor) -> Tensor:
        if self.training and self.column_dropout > 0.0:
            is_hidden_BTC = torch.rand(rows_BTC.shape) < self.column_dropout
            rows_BTC = rows_BTC.masked_fill(is_hidden_BTC, 0)
        size = rows_BTC.shape
        flat_NC = rows_BTC.reshape(-1, size[2])
        sums_NW = functional.embedding_bag(flat_NC, self.columns_SW, mode="sum", padding_idx=0)
        return sums_NW.view(size[0], size[1], -1)

    def tensors(self) -> dict[str, Tensor]:
        """Return views of all weights by name."""
        own = {
            "columns.table": self.columns_SW,
            "columns.up": self.columns_up_DW,
            "head.weight": self.head_LH,
            "head.bias": self.head_bias_L,
            "chain.edges": self.edges,
        }
        if self.tagger_shape.num_intents:
            own |= {"intent.weight": self.intent_KP, "intent.bias": self.intent_bias_K}
        return {**super().tensors(), **own}
