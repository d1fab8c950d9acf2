"""A recurrent network as settings and tensors of a GGUF file; see runtime/gguf_recurrent.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.export.gguf_blocks import Form, StoredTensor, stored_floats, stored_matrix
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.runtime.gguf_recurrent import CELL_KEY, STATE_KEY, recurrent_places
from sparrowlm.text.tokenizers import TokenCodec


@dataclass(frozen=True, kw_only=True)
class GgufRecurrent:
    """A recurrent network.

    Attributes:
        shape: its sizes.
        tensors: weights by their names in model.safetensors.
        codec: the tokenizer.
        form: of matrices, see gguf_blocks.
    """

    shape: RecurrentShape
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    codec: TokenCodec
    form: Form = "int8"


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
    return stored_matrix(tensor, network.form)


def write_recurrent_shape(writer: Any, shape: RecurrentShape) -> None:  # noqa: ANN401 - GGUFWriter
    """Write the sizes as settings."""
    writer.add_string(CELL_KEY, shape.cell)
    writer.add_embedding_length(shape.embedding_width)
    writer.add_uint32(STATE_KEY, shape.state_width)
    writer.add_block_count(shape.num_layers)
    writer.add_vocab_size(shape.vocab_size)
