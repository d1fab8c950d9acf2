"""What stands in a GGUF file: settings, and tensors where they lie.

Every count is checked against the bytes that are left before anything is read.

Source: ggml's description of GGUF, versions 2 and 3.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.errors import DamagedFileError, ModelError

SUFFIX = ".gguf"
_MAGIC = b"GGUF"
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q",
    12: "<d",
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_MOST, _LONGEST_NAME, _MOST_AXES = 1 << 16, 256, 4
_MOST_ALIGNMENT = 1 << 16
_SIZE_BYTES = 8  # of a text

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class GgufTensor(NamedTuple):
    """A tensor.

    Attributes:
        sizes: rows last to first, the length of a row at the end, as NumPy counts.
        type_number: of ggml.
        data: its bytes.
    """

    sizes: tuple[int, ...]
    type_number: int
    data: Bytes


# Values of a block, and bytes.
_BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 6: (32, 22), 8: (32, 34), 24: (1, 1), 30: (1, 2)}


class GgufFile:
    """A file, mapped into memory.

    Args:
        path: the file.

    Raises:
        ModelError: there is no such file.
        DamagedFileError: it is not a GGUF file, or cut off, or of types that are not read here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._map = _mapped(path)
        self.content = np.frombuffer(self._map, dtype=np.uint8)
        cursor = _Cursor(self.content, self._refuse)
        if bytes(cursor.take(4)) != _MAGIC:
            self._refuse("not a GGUF file")
        if cursor.scalar("<I") not in (2, 3):
            self._refuse("a version of GGUF that is not read here")
        num_tensors, num_settings = cursor.scalar("<Q"), cursor.scalar("<Q")
        if max(num_tensors, num_settings) > _MOST:
            self._refuse("numbers of tensors and settings")
        self.settings = dict(self._setting(cursor) for _ in range(num_settings))
        places = [self._tensor_place(cursor) for _ in range(num_tensors)]
        step = self.settings.get("general.alignment", 32)
        if not isinstance(step, int) or not 1 <= step <= _MOST_ALIGNMENT:
            self._refuse("general.alignment")
        first = -(-cursor.place // step) * step
        self.tensors = {name: self._tensor(place, first) for name, *place in places}

    def let_go(self) -> None:
        """Let the pages that were read go from memory; they come back when they are touched."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)

    def setting(self, name: str, kind: type | tuple[type, ...]) -> Any:  # noqa: ANN401
        """Return a setting.

        Args:
            name: the key.
            kind: its Python type.

        Raises:
            DamagedFileError: it is missing or of another type.
        """
        value = self.settings.get(name)
        if not isinstance(value, kind):
            self._refuse(f"setting {name}")
        return value

    def _refuse(self, reason: str) -> None:
        raise DamagedFileError("foundation.file-damaged", path=self.path, reason=reason)

    def _setting(self, cursor: _Cursor) -> tuple[str, Any]:
        name = cursor.text(_LONGEST_NAME)
        return name, cursor.value(cursor.scalar("<I"))

    def _tensor_place(self, cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
        name = cursor.text(_LONGEST_NAME)
        num_axes = cursor.scalar("<I")
        if not 1 <= num_axes <= _MOST_AXES:
            self._refuse(f"tensor {name}")
        sizes = tuple(cursor.scalar("<Q") for _ in range(num_axes))[::-1]
        return name, sizes, cursor.scalar("<I"), cursor.scalar("<Q")

    def _tensor(self, place: list[Any], first: int) -> GgufTensor:
        sizes, type_number, offset = place
        length, num_bytes = _BLOCKS.get(type_number, (1, 0))
        whole = math.prod(sizes)
        begin = first + offset
        if not num_bytes or min(sizes) < 1 or sizes[-1] % length:
            self._refuse(f"a tensor of type {type_number} and sizes {list(sizes)}")
        end = begin + whole // length * num_bytes
        if end > len(self.content):
            self._refuse("a tensor lies outside of the file")
        return GgufTensor(sizes, type_number, self.content[begin:end])


class _Cursor:
    """Where reading stands."""

    def __init__(self, content: Bytes, refuse: Callable[[str], None]) -> None:
        self._content = content
        self._refuse = refuse
        self.place = 0

    def take(self, count: int) -> Bytes:
        if count > len(self._content) - self.place:
            self._refuse("the file ends too early")
        self.place += count
        return self._content[self.place - count : self.place]

    def scalar(self, form: str) -> Any:  # noqa: ANN401 - int, float or bool
        return struct.unpack(form, self.take(struct.calcsize(form)).data)[0]

    def text(self, most: int | None = None) -> str:
        count = self.scalar("<Q")
        if most is not None and count > most:
            self._refuse("a name is too long")
        return bytes(self.take(count)).decode("utf-8", errors="replace")

    def value(self, kind: int) -> Any:  # noqa: ANN401 - whatever was written
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.scalar(self._form(kind))
        kind, count = self.scalar("<I"), self.scalar("<Q")
        if count > len(self._content) - self.place:
            self._refuse("an array is longer than the file")
        if kind == _STRING:
            return self._texts(count)
        form = self._form(kind)
        return np.frombuffer(self.take(count * struct.calcsize(form)), dtype=form)

    def _texts(self, count: int) -> list[str]:
        """Return so many texts; a vocabulary has tens of thousands, so that calls would be felt."""
        data, place, size_at = self._content.data, self.place, struct.Struct("<Q").unpack_from
        last, found = len(data) - _SIZE_BYTES, []
        for _ in range(count):
            if place > last:
                self._refuse("the file ends too early")
            begin = place + _SIZE_BYTES
            place = begin + size_at(data, place)[0]
            if place > len(data):
                self._refuse("the file ends too early")
            found.append(str(data[begin:place], "utf-8", "replace"))
        self.place = place
        return found

    def _form(self, kind: int) -> str:
        if kind not in _SCALARS:
            self._refuse("a setting of unknown type")
        return _SCALARS[kind]


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as handle:
            return mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason="empty") from error
    except OSError as error:
        raise ModelError("runtime.no-model", path=path) from error
