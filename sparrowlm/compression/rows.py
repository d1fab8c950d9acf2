"""Word vectors and recurrent networks in 8 bits, one scale a row, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparrowlm.compression.choices import Choice, Way
from sparrowlm.compression.parts import TextParts, Weights
from sparrowlm.compression.samples import first_ids
from sparrowlm.foundation import atomic
from sparrowlm.models.quantised_rows import quantised, restored, stored
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.runtime.directory import TENSORS_FILE, VECTORS_FILE

ROUNDED = 8
_MATRIX = 2
_SEEN_TOKENS = 16_384

Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class RowWays:
    """Ways to store the file of a model's weights.

    Attributes:
        name: of the file.
        files: its content by way, 8 or the bits of a floating-point number.
        choices: the same with bytes and costs.
    """

    name: str
    files: Mapping[Way, bytes]
    choices: Sequence[Choice]


def row_ways(parts: TextParts, documents: Sequence[Ids]) -> RowWays | None:
    """Round the rows of a model's weights.

    Args:
        parts: of the model.
        documents: ids to look at, the separator in front of each.

    Returns:
        None for a model whose weights stand otherwise.
    """
    if parts.vectors is not None:
        vectors = parts.vectors
        files: dict[Way, bytes] = {
            32: atomic.saved_bytes(vectors.save),
            ROUNDED: atomic.saved_bytes(lambda path: vectors.save(path, has_rounded_rows=True)),
        }
        rounded = replace(parts, vectors=_rounded_vectors(vectors))
        return _ways(VECTORS_FILE, files, parts, rounded, documents)
    if parts.network is None or parts.decoder is not None:
        return None
    tensors = parts.network.tensors
    small: dict[str, np.ndarray[Any, np.dtype[Any]]] = {}
    for name, tensor in tensors.items():
        small |= stored(name, quantised(_wide(tensor))) if _is_matrix(tensor) else {name: tensor}
    plain = {
        name: restored(name, small).plain() if _is_matrix(tensor) else tensor
        for name, tensor in tensors.items()
    }
    widest = max(8 * tensor.itemsize for tensor in tensors.values())
    files = {widest: _tensor_file(tensors), ROUNDED: _tensor_file(small)}
    rounded = replace(parts, network=Weights(parts.network.shape, plain))
    return _ways(TENSORS_FILE, files, parts, rounded, documents)


def _ways(
    name: str,
    files: Mapping[Way, bytes],
    plain: TextParts,
    rounded: TextParts,
    documents: Sequence[Ids],
) -> RowWays:
    some = first_ids(documents, _SEEN_TOKENS)
    nats = [
        float(np.concatenate([parts.engine().surprisals(one) for one in some]).mean())
        for parts in (plain, rounded)
    ]
    costs = {way: max(nats[1] - nats[0], 0.0) if way == ROUNDED else 0.0 for way in files}
    choices = [Choice(way, len(content), costs[way]) for way, content in files.items()]
    return RowWays(name, files, choices)


def _rounded_vectors(vectors: WordVectors) -> WordVectors:
    return replace(
        vectors,
        vectors_VD=quantised(vectors.vectors_VD).plain(),
        output_VD=quantised(vectors.output_VD).plain(),
    )


def _is_matrix(tensor: np.ndarray[Any, np.dtype[Any]]) -> bool:
    return tensor.ndim == _MATRIX


def _wide(tensor: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(tensor, dtype=np.float32)


def _tensor_file(tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> bytes:
    from safetensors.numpy import save

    content: bytes = save({name: np.ascontiguousarray(one) for name, one in tensors.items()})
    return content
