"""What all networks bring along that go into a GGUF file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparrowlm.export.gguf_blocks import (
    Form,
    StoredTensor,
    stored_codes,
    stored_floats,
    stored_matrix,
)
from sparrowlm.models.block_codes import BlockCodes
from sparrowlm.text.tokenizers import TokenCodec

_MATRIX = 2


@dataclass(frozen=True, kw_only=True)
class NetworkParts:
    """Weights and tokenizer of a network of any shape.

    Attributes:
        tensors: weights by their names in model.safetensors.
        codec: the tokenizer.
        form: of matrices, see gguf_blocks.
        codes: matrices that are rounded already, by name; their form is theirs.
    """

    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    codec: TokenCodec
    form: Form = "int8"
    codes: Mapping[str, BlockCodes] = field(default_factory=dict)

    def stored(self, name: str) -> StoredTensor:
        """Return one tensor as it stands in the file.

        Raises:
            DependencyError: the form needs the compiled part.
        """
        tensor = np.asarray(self.tensors[name], dtype=np.float32)
        if tensor.ndim < _MATRIX:
            return stored_floats(tensor)
        if name in self.codes:
            return stored_codes(self.codes[name])
        return stored_matrix(tensor, self.form)
