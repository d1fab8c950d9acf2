"""A model that completes text, taken apart: what compression changes before it rounds.

Shape letters: V vocabulary before, K vocabulary after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int64
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.mixture import Gate
from sparrowlm.models.ngram import NgramModel
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.runtime.engines import Engine, NeuralEngine
from sparrowlm.runtime.mixture_engine import MixtureEngine
from sparrowlm.runtime.ngram_engine import NgramEngine
from sparrowlm.runtime.recurrent_engine import RecurrentEngine
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.runtime.vectors_engine import VectorsEngine
from sparrowlm.text.tokenizers import TokenCodec

Tensors = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]
# Tensors with a row for every id.
_ROWS_OF_IDS = frozenset({"model.embed_tokens.weight", "embedding.weight", "output.bias"})


@dataclass(frozen=True)
class Weights:
    """A network.

    Attributes:
        shape: its sizes.
        tensors: by their names in model.safetensors, float32.
    """

    shape: TransformerShape | RecurrentShape
    tensors: Tensors

    def engine(self) -> NeuralEngine[Any]:
        """Return what runs it."""
        if isinstance(self.shape, TransformerShape):
            return TransformerEngine(self.shape, self.tensors, "")
        return RecurrentEngine(self.shape, self.tensors, "")

    def num_bytes(self) -> int:
        """Return what the tensors take as they are."""
        return sum(tensor.nbytes for tensor in self.tensors.values())

    def trimmed(self, kept_K: Int64[np.ndarray, " kept"]) -> Weights:
        """Return the network of some ids alone: every matrix keeps its numbers."""
        tensors = {
            name: np.ascontiguousarray(tensor[kept_K]) if name in _ROWS_OF_IDS else tensor
            for name, tensor in self.tensors.items()
        }
        return Weights(replace(self.shape, vocab_size=len(kept_K)), tensors)


@dataclass(frozen=True, kw_only=True)
class TextParts:
    """Everything a model consists of; what it does not have is None.

    Attributes:
        codec: the tokenizer.
        network: a decoder or a recurrent network.
        ngram: the counting model.
        gate: of a mixture of both.
        vectors: word vectors.
    """

    codec: TokenCodec
    network: Weights | None = None
    ngram: NgramModel | None = None
    gate: Gate | None = None
    vectors: WordVectors | None = None

    @property
    def decoder(self) -> TransformerShape | None:
        """The sizes of the Transformer, where there is one."""
        shape = None if self.network is None else self.network.shape
        return shape if isinstance(shape, TransformerShape) else None

    def engine(self) -> Engine[Any]:
        """Return what runs the model."""
        if self.vectors is not None:
            return VectorsEngine(self.vectors)
        counting = None if self.ngram is None else NgramEngine(self.ngram)
        neural = None if self.network is None else self.network.engine()
        if counting is not None and neural is not None and self.gate is not None:
            return MixtureEngine(counting, neural, self.gate)
        found = counting if neural is None else neural
        assert found is not None  # noqa: S101 - a model has a part
        return found
