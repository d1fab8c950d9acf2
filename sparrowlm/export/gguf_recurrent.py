"""A recurrent network as settings and tensors of a GGUF file; see runtime/gguf_recurrent.py."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparrowlm.export.gguf_blocks import StoredTensor, stored_floats
from sparrowlm.export.gguf_network import NetworkParts
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.runtime.gguf_recurrent import recurrent_places


@dataclass(frozen=True, kw_only=True)
class GgufRecurrent(NetworkParts):
    """A recurrent network.

    Attributes:
        shape: its sizes.
    """

    shape: RecurrentShape


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
    if "bias_ih" not in name:
        return network.stored(name)
    both = (network.tensors[one] for one in (name, name.replace("bias_ih", "bias_hh")))
    first, second = (np.asarray(bias, dtype=np.float32) for bias in both)
    return stored_floats(first + second)
