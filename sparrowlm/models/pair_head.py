"""Two texts read apart by one encoder, and whether they mean the same (torch).

    u, v     mean of the states of either text
    logit    weights . |u - v|  +  weights . (u v)  +  sharpness cos(u, v)  +  bias

The same for (first, second) and (second, first). Vectors u can be kept: a search compares one new
vector with many old ones.

Shape letters: see models/protocol.py; B pairs.

Source: Conneau et al. 2017, "Supervised learning of universal sentence representations",
arXiv:1705.02364, figure 1 (the features of a pair).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.array_types import Float, Int
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.encoder import EncoderModel, NgramTableShape, pooled
from sparrowlm.models.transformer import dropped

_FIRST_SHARPNESS = 5.0


class PairModel(EncoderModel):
    """An encoder whose mean states are compared.

    Args:
        shape: of the Transformer, is_causal false.
        tables: of the n-grams.
        generator: draws the initial weights of the encoder; the head begins as the cosine alone.
    """

    def __init__(
        self,
        shape: TransformerShape,
        tables: NgramTableShape,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(shape, tables, generator)
        self.difference_D = nn.Parameter(torch.zeros(shape.width))
        self.product_D = nn.Parameter(torch.zeros(shape.width))
        self.scalars_3 = nn.Parameter(torch.tensor([_FIRST_SHARPNESS, -_FIRST_SHARPNESS, 3.0]))

    def vectors(
        self, ids_BT: Int[Tensor, "batch time"], lengths_B: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch width"]:
        """Return the mean state of every row, float32."""
        width = self.shape.width
        mean_BD = pooled(self.states(ids_BT, lengths_B), lengths_B)[:, :width]
        return dropped(mean_BD, self.feature_dropout if self.training else 0.0)

    def pair_logits(
        self, u_BD: Float[Tensor, "batch width"], v_BD: Float[Tensor, "batch width"]
    ) -> Float[Tensor, " batch"]:
        """Return the score of every pair: above 0 they more likely mean the same."""
        cosine_B = functional.cosine_similarity(u_BD, v_BD)
        apart_B = (u_BD - v_BD).abs() @ self.difference_D
        together_B = (u_BD * v_BD) @ self.product_D
        return apart_B + together_B + self.scalars_3[0] * cosine_B + self.scalars_3[1]

    def log_temperature(self) -> Float[Tensor, ""]:
        """Return by what (its exponential) cosines are multiplied before candidates compete."""
        return self.scalars_3[2]

    def tensors(self) -> dict[str, Tensor]:
        """Return views of all weights by name."""
        return {
            **super().tensors(),
            "head.difference": self.difference_D,
            "head.product": self.product_D,
            "head.scalars": self.scalars_3,
        }
