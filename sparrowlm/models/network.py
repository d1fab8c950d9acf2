"""What every network of ours offers to training, saving and engines (torch)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sparrowlm.foundation.errors import DamagedFileError


class Network(nn.Module, ABC):
    """A neural language model: forward(ids_BT) -> logits_BTV.

    Attributes:
        dropout: probability with which activations are dropped while training, 0 to below 1.
        compute_dtype: precision of the products; the weights stay float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropout = 0.0
        self.compute_dtype = torch.float32

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of ids, V."""

    @abstractmethod
    def config(self) -> Mapping[str, Any]:
        """Describe the model as the JSON object of config.json."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return views of the weights under their names in model.safetensors."""

    @abstractmethod
    def matrices(self) -> list[tuple[Tensor, int]]:
        """Return the inner matrices, and of how many equal-sided blocks each is joined."""

    @torch.no_grad()
    def load_tensors(self, tensors: Mapping[str, Tensor], path: object) -> None:
        """Copy weights, named as in model.safetensors, into the model.

        Args:
            tensors: one tensor per name, same shapes.
            path: named in the error.

        Raises:
            DamagedFileError: a tensor is missing or has another shape.
        """
        for name, view in self.tensors().items():
            if name not in tensors or tensors[name].shape != view.shape:
                reason = f"tensor {name}"
                raise DamagedFileError("foundation.file-damaged", path=path, reason=reason)
            view.copy_(tensors[name])
