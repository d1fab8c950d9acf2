"""The network of a model directory as the compiled engine reads it: a GGUF file in memory.

Nothing but what the engine asks for: sizes as settings, tensors in float32, their names.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from sparrowlm.runtime.weights import Tensors, take

Setting = str | int | float
# By names in model.safetensors: names in GGUF, and sizes.
Places = Mapping[str, tuple[str, tuple[int, ...]]]

_MAGIC, _VERSION, _ALIGNMENT = b"GGUF", 3, 32
# Numbers of types: of settings, and of ggml for tensors.
_UINT32, _FLOAT32_SETTING, _STRING = 4, 6, 8
_FLOAT32 = 0


class GgufImage:
    """A file that stands in memory only.

    Args:
        settings: by key.
        tensors: weights by their names in model.safetensors, of any floating-point width.
        places: where they stand in a GGUF file.
        path: named when a tensor is missing or of another shape.

    Attributes:
        path: see above.
        content: the bytes.

    Raises:
        DamagedFileError: a tensor is missing or of another shape.
    """

    def __init__(
        self, settings: Mapping[str, Setting], tensors: Tensors, places: Places, path: object
    ) -> None:
        self.path = path
        head = _head(settings, list(places.values()))
        begin = _aligned(len(head))
        size = begin + sum(_aligned(_num_bytes(sizes)) for _, sizes in places.values())
        self._map = _memory(size)
        self.content: np.ndarray[Any, np.dtype[np.uint8]] = np.frombuffer(self._map, np.uint8)
        self.content[: len(head)] = np.frombuffer(head, np.uint8)
        for name, (_, sizes) in places.items():
            # One after the other: nothing of a tensor but its own bytes stays.
            values = take(tensors, name, sizes, path)
            self.content[begin : begin + values.nbytes] = values.reshape(-1).view(np.uint8)
            begin += _aligned(values.nbytes)

    def let_go(self) -> None:
        """Give the memory back; the bytes are zeros from now on."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _memory(size: int) -> mmap.mmap:
    # Pages that are shared with nobody can be given back.
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def _head(settings: Mapping[str, Setting], places: list[tuple[str, tuple[int, ...]]]) -> bytes:
    parts = [_MAGIC, struct.pack("<IQQ", _VERSION, len(places), len(settings))]
    parts += [_text(key) + _value(value) for key, value in settings.items()]
    offset = 0
    for name, sizes in places:
        lengths = struct.pack(f"<I{len(sizes)}Q", len(sizes), *reversed(sizes))
        parts += [_text(name), lengths, struct.pack("<IQ", _FLOAT32, offset)]
        offset += _aligned(_num_bytes(sizes))
    return b"".join(parts)


def _value(value: Setting) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT32_SETTING, value)
    return struct.pack("<II", _UINT32, value)


def _text(text: str) -> bytes:
    content = text.encode("utf-8")
    return struct.pack("<Q", len(content)) + content


def _num_bytes(sizes: tuple[int, ...]) -> int:
    return 4 * math.prod(sizes)


def _aligned(count: int) -> int:
    return -(-count // _ALIGNMENT) * _ALIGNMENT
