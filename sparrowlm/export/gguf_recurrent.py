"""A recurrent network as settings and tensors of a GGUF file; see runtime/gguf_recurrent.py."""

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
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.models.block_codes import BlockCodes
from sparrowlm.runtime.gguf_recurrent import recurrent_places
from sparrowlm.text.tokenizers import TokenCodec


@dataclass(frozen=True, kw_only=True)
class GgufRecurrent:
    """A recurrent network.

    Attributes:
        shape: its sizes.
        tensors: weights by their names in model.safetensors.
        codec: the tokenizer.
        form: of matrices, see gguf_blocks.
        codes: matrices that are rounded already, by name; their form is theirs.
    """

    shape: RecurrentShape
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    codec: TokenCodec
    form: Form = "int8"
    codes: Mapping[str, BlockCodes] = field(default_factory=dict)


def recurrent_stored(network: GgufRecurrent) -> dict[str, StoredTensor]:
    """Return the tensors of the file by name; a layer's two biases are one.

    Raises:
        DependencyError: the form needs the compiled part.
    """
    return {
        place: _stored(name, network)
        for name, (place, _) in recurrent_places(network.shape).items()
    }


def _stored(name: str, network: GgufRecurrent) -> StoredTensor:
    tensor = np.asarray(network.tensors[name], dtype=np.float32)
    if "bias_ih" in name:
        other = network.tensors[name.replace("bias_ih", "bias_hh")]
        return stored_floats(tensor + np.asarray(other, dtype=np.float32))
    if tensor.ndim == 1:
        return stored_floats(tensor)
    if name in network.codes:
        return stored_codes(network.codes[name])
    return stored_matrix(tensor, network.form)
