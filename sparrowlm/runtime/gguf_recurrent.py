"""A recurrent network in a GGUF file: its settings, its tensors, what runs it.

    sparrow.recurrent.cell           "rnn" or "lstm"
    sparrow.embedding_length         D
    sparrow.recurrent.state_length   S
    sparrow.block_count              layers
    token_embd.weight                VD
    rnn.N.input.weight               rows of all gates by D, above the first layer by S
    rnn.N.state.weight               rows of all gates by S
    rnn.N.bias                       of all gates: both of torch's biases together
    rnn.projection.weight            DS
    output.bias                      V

Shape letters: V vocabulary, D embedding width, S state width.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.runtime.engines import NeuralEngine
from sparrowlm.runtime.gguf_image import GgufImage
from sparrowlm.runtime.gguf_loading import compiled, damaged_gguf, named_tensor
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.gguf_tensors import Matrix
from sparrowlm.runtime.native_engine import NativeRecurrentEngine
from sparrowlm.runtime.weights import Tensors, take

CELL_KEY = "sparrow.recurrent.cell"
STATE_KEY = "sparrow.recurrent.state_length"


def holds_recurrent(file: GgufFile) -> bool:
    """Say whether a recurrent network stands in the file as tensors."""
    return CELL_KEY in file.settings


def recurrent_shape(file: GgufFile) -> RecurrentShape:
    """Read the sizes of the network.

    Raises:
        DamagedFileError: a setting is missing or out of range.
    """
    cell = file.setting(CELL_KEY, str)
    if cell not in ("rnn", "lstm"):
        raise damaged_gguf(file, f"{CELL_KEY} {cell}")
    shape = RecurrentShape(
        cell=cell,
        vocab_size=int(file.setting("sparrow.vocab_size", int)),
        embedding_width=int(file.setting("sparrow.embedding_length", int)),
        state_width=int(file.setting(STATE_KEY, int)),
        num_layers=int(file.setting("sparrow.block_count", int)),
    )
    sizes = (shape.vocab_size, shape.embedding_width, shape.state_width, shape.num_layers)
    if min(sizes) < 1 or shape.num_layers > len(file.tensors):
        raise damaged_gguf(file, f"sizes {list(sizes)}")
    return shape


def recurrent_places(shape: RecurrentShape) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return every tensor of model.safetensors: its name in GGUF, and its sizes.

    The second bias of a layer has no place of its own, it is in the first.
    """
    vocab, width, state = shape.vocab_size, shape.embedding_width, shape.state_width
    rows = shape.num_gates * state
    places: dict[str, tuple[str, tuple[int, ...]]] = {
        "embedding.weight": ("token_embd.weight", (vocab, width)),
        "projection.weight": ("rnn.projection.weight", (width, state)),
        "output.bias": ("output.bias", (vocab,)),
    }
    for layer in range(shape.num_layers):
        inputs, own = state if layer else width, f"rnn.{layer}"
        places |= {
            f"recurrent.weight_ih_l{layer}": (f"{own}.input.weight", (rows, inputs)),
            f"recurrent.weight_hh_l{layer}": (f"{own}.state.weight", (rows, state)),
            f"recurrent.bias_ih_l{layer}": (f"{own}.bias", (rows,)),
        }
    return places


def recurrent_tensors(file: GgufFile, shape: RecurrentShape) -> dict[str, Matrix]:
    """Return all weights by their names in model.safetensors, float32.

    Raises:
        DamagedFileError: a tensor is missing or of other sizes.
    """
    tensors = {name: named_tensor(file, *place) for name, place in recurrent_places(shape).items()}
    for layer in range(shape.num_layers):
        first = tensors[f"recurrent.bias_ih_l{layer}"]
        tensors[f"recurrent.bias_hh_l{layer}"] = np.zeros_like(first)
    return tensors


def recurrent_gguf_engine(file: GgufFile, shape: RecurrentShape) -> NeuralEngine[Any]:
    """Return what runs the network: the compiled engine, or NumPy where there is none.

    Raises:
        DamagedFileError: the file cannot be used.
    """
    if native_part() is not None:
        return compiled(file, lambda: NativeRecurrentEngine(file.content))
    from sparrowlm.runtime.recurrent_engine import RecurrentEngine

    return RecurrentEngine(shape, recurrent_tensors(file, shape), file.path)


def recurrent_settings(shape: RecurrentShape) -> dict[str, str | int]:
    """Return the sizes of a network as settings."""
    return {
        CELL_KEY: shape.cell,
        "sparrow.embedding_length": shape.embedding_width,
        STATE_KEY: shape.state_width,
        "sparrow.block_count": shape.num_layers,
        "sparrow.vocab_size": shape.vocab_size,
    }


def recurrent_engine(shape: RecurrentShape, tensors: Tensors, path: object) -> NeuralEngine[Any]:
    """Return what runs the network of a directory: the compiled engine, or NumPy without one.

    Args:
        shape: all sizes.
        tensors: weights by their names in model.safetensors.
        path: named when a tensor is missing or of another shape.

    Raises:
        DamagedFileError: the tensors do not fit the shape.
    """
    if native_part() is not None:
        settings = {"general.architecture": "sparrow", **recurrent_settings(shape)}
        joined = _with_one_bias(shape, tensors, path)
        image = GgufImage(settings, joined, recurrent_places(shape), path)
        return compiled(image, lambda: NativeRecurrentEngine(image.content))
    from sparrowlm.runtime.recurrent_engine import RecurrentEngine

    return RecurrentEngine(shape, tensors, path)


def _with_one_bias(shape: RecurrentShape, tensors: Tensors, path: object) -> Tensors:
    """Return the tensors with both biases of a layer in its first."""
    joined = dict(tensors)
    sizes = (shape.num_gates * shape.state_width,)
    for layer in range(shape.num_layers):
        first, second = (f"recurrent.bias_{part}_l{layer}" for part in ("ih", "hh"))
        joined[first] = take(tensors, first, sizes, path) + take(tensors, second, sizes, path)
    return joined
