"""The simple recurrent network and the LSTM in torch: every position is a target.

Shape letters: see models/protocol.py; S is the width of the state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sparrowlm.foundation.array_types import Float, Int
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.models.network import Network


class RecurrentModel(Network):
    """Embedding, recurrent layers, projection back to the embedding; see RecurrentShape.

    Args:
        shape: all sizes.
        generator: draws the initial weights.
    """

    def __init__(self, shape: RecurrentShape, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        kind = nn.LSTM if shape.cell == "lstm" else nn.RNN
        self.embedding_VD = nn.Parameter(torch.empty(shape.vocab_size, shape.embedding_width))
        self.recurrent = kind(
            shape.embedding_width, shape.state_width, shape.num_layers, batch_first=True
        )
        self.projection_DS = nn.Parameter(torch.empty(shape.embedding_width, shape.state_width))
        self.output_bias_V = nn.Parameter(torch.zeros(shape.vocab_size))
        self._initialise(generator)

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.shape.vocab_size

    def config(self) -> Mapping[str, Any]:
        """Return the content of config.json."""
        return self.shape.sparrow_config()

    def forward(self, ids_BT: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time vocab"]:
        """Return logits_BTV, the state being zero before the first id."""
        x_BTD = functional.embedding(ids_BT, self.embedding_VD)
        states_BTS, _last = self.recurrent(self._dropped(x_BTD))
        back_BTD = functional.linear(self._dropped(states_BTS), self.projection_DS)
        return functional.linear(back_BTD, self.embedding_VD, self.output_bias_V)

    def tensors(self) -> dict[str, Tensor]:
        """Return views of the weights under their names in model.safetensors."""
        layers = {f"recurrent.{name}": value for name, value in self.recurrent.named_parameters()}
        return {
            "embedding.weight": self.embedding_VD,
            **layers,
            "projection.weight": self.projection_DS,
            "output.bias": self.output_bias_V,
        }

    def matrices(self) -> list[tuple[Tensor, int]]:
        """Return the inner matrices; the gates of an LSTM are joined in one."""
        gates = self.shape.num_gates
        inner = [(p, gates) for p in self.recurrent.parameters() if p.ndim == 2]
        return [*inner, (self.projection_DS, 1)]

    def _dropped(self, x: Tensor) -> Tensor:
        if self.training and self.dropout > 0.0:
            return functional.dropout(x, self.dropout)
        return x

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator | None) -> None:
        shape = self.shape
        # The embedding is read by the input and by the output: its scale serves the latter, and
        # the input matrices make up for it.
        self.embedding_VD.normal_(0.0, 1.0 / math.sqrt(shape.embedding_width), generator=generator)
        self.projection_DS.normal_(0.0, 1.0 / math.sqrt(shape.state_width), generator=generator)
        for name, weight in self.recurrent.named_parameters():
            if name.startswith("bias"):
                weight.zero_()
                self._open_forget_gate(name, weight)
            else:
                blocks = weight.chunk(shape.num_gates)
                for block in blocks:
                    nn.init.orthogonal_(block, generator=generator)

    def _open_forget_gate(self, name: str, bias: Tensor) -> None:
        # Jozefowicz et al. 2015: a forget gate that starts open lets gradients live.
        if self.shape.cell == "lstm" and name.startswith("bias_ih"):
            state = self.shape.state_width
            bias[state : 2 * state] = 1.0
