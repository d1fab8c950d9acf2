"""The files that transformers reads: config.json, model.safetensors, generation_config.json.

With tokenizer.json and tokenizer_config.json beside them, ``AutoModelForCausalLM`` and
``AutoTokenizer`` of transformers 5 load the directory without custom code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.runtime.directory import CONFIG_FILE, TENSORS_FILE

GENERATION_CONFIG_FILE = "generation_config.json"
_DEFAULT_NEW_TOKENS = 200


def write_network(
    directory: Path,
    shape: TransformerShape | RecurrentShape,
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]],
) -> None:
    """Write a network, each file atomically and readable for everyone (0644).

    Args:
        directory: created when missing.
        shape: goes into config.json.
        tensors: weights by the names of the model directory, float32 or float16; the tied output
            is left out. None writes config.json alone: they stand elsewhere.

    Raises:
        ResourceError: disk full or not writable.
    """
    if isinstance(shape, TransformerShape):
        atomic.write_json(directory / CONFIG_FILE, shape.hugging_face_config())
        if shape.is_causal:
            atomic.write_json(directory / GENERATION_CONFIG_FILE, generation_config())
    else:
        atomic.write_json(directory / CONFIG_FILE, shape.sparrow_config())
    if tensors:
        write_tensors(directory / TENSORS_FILE, tensors)


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> None:
    """Write a safetensors file atomically.

    Args:
        path: the file to replace.
        tensors: any names; made contiguous where they are not.

    Raises:
        ResourceError: disk full or not writable.
    """
    from safetensors.numpy import save

    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    # transformers asks for the "format" before it opens a file.
    atomic.write_bytes(path, save(contiguous, metadata={"format": "pt"}))


def generation_config() -> dict[str, Any]:
    """Return the content of generation_config.json: sampling as `sparrow generate` does it."""
    return {
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "do_sample": True,
        "temperature": 1.0,
        "top_k": 0,
        "top_p": 1.0,
        "max_new_tokens": _DEFAULT_NEW_TOKENS,
    }
