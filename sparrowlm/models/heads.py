"""What stands on top of the encoder for a task (torch).

Shape letters: see models/protocol.py; L labels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.array_types import Float, Int
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.encoder import EncoderModel, NgramTableShape, pooled
from sparrowlm.models.transformer import dropped


class ClassifierModel(EncoderModel):
    """An encoder whose pooled states score labels.

    Args:
        shape: of the Transformer, is_causal false.
        tables: of the n-grams.
        num_labels: L.
        generator: draws the initial weights of the encoder; the head begins with zeros.
    """

    def __init__(
        self,
        shape: TransformerShape,
        tables: NgramTableShape,
        num_labels: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(shape, tables, generator)
        self.head_LP = nn.Parameter(torch.zeros(num_labels, 2 * shape.width))
        self.head_bias_L = nn.Parameter(torch.zeros(num_labels))

    def label_logits(
        self, ids_BT: Int[Tensor, "batch time"], lengths_B: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch labels"]:
        """Return the score of every label for every row, float32."""
        pooled_BP = pooled(self.states(ids_BT, lengths_B), lengths_B)
        pooled_BP = dropped(pooled_BP, self.feature_dropout if self.training else 0.0)
        return functional.linear(pooled_BP, self.head_LP, self.head_bias_L)

    def tensors(self) -> dict[str, Tensor]:
        """Return views of all weights by name; see EncoderModel."""
        if self.is_adapted:
            return super().tensors()
        return {**super().tensors(), "head.weight": self.head_LP, "head.bias": self.head_bias_L}
