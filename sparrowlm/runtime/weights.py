"""Weights out of a safetensors file, checked against the shape that config.json promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.quantised_rows import SCALE_SUFFIX, restored

Tensors = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
"""Weights by name, of any floating-point width."""


def read_tensors(content: bytes, path: Path) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Parse the content of a safetensors file; rounded rows become float32.

    Args:
        content: the whole file.
        path: named in the error.

    Raises:
        DamagedFileError: not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(content)
        scaled = [name for name in tensors if name + SCALE_SUFFIX in tensors]
        rows = {name: restored(name, tensors).plain() for name in scaled}
        scales = {name + SCALE_SUFFIX for name in scaled}
        return {name: rows.get(name, one) for name, one in tensors.items() if name not in scales}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error


def take(
    tensors: Tensors,
    name: str,
    sizes: tuple[int, ...],
    path: object,
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return one tensor as float32.

    Args:
        tensors: all of the file.
        name: of the tensor.
        sizes: expected shape.
        path: named in the error.

    Raises:
        DamagedFileError: missing, not floating-point, of another shape, or not finite.
    """
    tensor = tensors.get(name)
    if tensor is None or tensor.shape != sizes or tensor.dtype.kind != "f":
        received = "missing" if tensor is None else f"{tensor.dtype} {list(tensor.shape)}"
        reason = f"tensor {name}: {received}, expected {list(sizes)}"
        raise DamagedFileError("foundation.file-damaged", path=path, reason=reason)
    values = np.ascontiguousarray(tensor, dtype=np.float32)
    if not np.isfinite(values).all():
        reason = f"tensor {name}: not finite"
        raise DamagedFileError("foundation.file-damaged", path=path, reason=reason)
    return values
