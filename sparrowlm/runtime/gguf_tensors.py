"""Tensors of a GGUF file as float32, for the engine that knows no codes.

Shape letters: O rows, N blocks of a row, G groups of 16 rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparrowlm.models.tiles import (
    SCALE_BYTES,
    TILE_COLUMNS,
    TILE_ROWS,
    VECTOR_BYTES,
    unpacked,
)
from sparrowlm.runtime.gguf_reading import GgufTensor

_TILES = 24

Matrix = np.ndarray[Any, np.dtype[np.float32]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def plain_tensor(tensor: GgufTensor, sizes: tuple[int, ...]) -> Matrix:
    """Return a tensor's numbers.

    Args:
        tensor: of a file.
        sizes: of the tensor; tiles do not know their own.

    Raises:
        ValueError: it has other sizes.
    """
    # A damaged file has scales that are infinite or no numbers: engines refuse what comes of them.
    with np.errstate(invalid="ignore"):
        if tensor.type_number == _TILES:
            return _from_tiles(tensor, sizes)
        if tensor.sizes != sizes:
            raise ValueError(f"{list(tensor.sizes)} instead of {list(sizes)}")
        return _FORMS[tensor.type_number](tensor.data).reshape(sizes)


def _float32(data: Bytes) -> Matrix:
    return np.frombuffer(data.tobytes(), dtype="<f4")


def _float16(data: Bytes) -> Matrix:
    return np.frombuffer(data.tobytes(), dtype="<f2").astype(np.float32)


def _bfloat16(data: Bytes) -> Matrix:
    upper = np.frombuffer(data.tobytes(), dtype="<u2").astype(np.uint32)
    return (upper << 16).view(np.float32)


def _eight(data: Bytes) -> Matrix:
    blocks_N = data.reshape(-1, 34)
    return _scaled(blocks_N, np.ascontiguousarray(blocks_N[:, 2:]).view(np.int8))


def _four(data: Bytes) -> Matrix:
    blocks_N = data.reshape(-1, 18)
    return _scaled(blocks_N, _nibbles(blocks_N[:, 2:]).astype(np.int16) - 8)


def _five(data: Bytes) -> Matrix:
    blocks_N = data.reshape(-1, 22)
    high = np.unpackbits(blocks_N[:, 2:6], axis=1, bitorder="little")
    return _scaled(blocks_N, (_nibbles(blocks_N[:, 6:]) | high << 4).astype(np.int16) - 16)


_FORMS: dict[int, Callable[[Bytes], Matrix]] = {
    0: _float32, 1: _float16, 2: _four, 6: _five, 8: _eight, 30: _bfloat16,
}  # fmt: skip


def _scaled(blocks_N: Bytes, codes: np.ndarray[Any, np.dtype[Any]]) -> Matrix:
    scales_N1 = np.ascontiguousarray(blocks_N[:, :2]).view("<f2").astype(np.float32)
    numbers: Matrix = scales_N1 * codes
    return numbers


def _nibbles(packed: Bytes) -> Bytes:
    both: Bytes = np.concatenate([packed & 15, packed >> 4], axis=1)
    return both


def _from_tiles(tensor: GgufTensor, sizes: tuple[int, ...]) -> Matrix:
    num_groups, num_blocks = -(-sizes[0] // TILE_ROWS), -(-sizes[-1] // TILE_COLUMNS)
    num_bytes = tensor.sizes[-1]
    if len(sizes) != 2 or tensor.sizes[:-1] != (num_groups, num_blocks):
        raise ValueError(f"{list(tensor.sizes)} tiles for {list(sizes)}")
    tiles = tensor.data.reshape(num_groups * num_blocks, num_bytes)
    if num_bytes == 4 * TILE_ROWS * TILE_COLUMNS:
        numbers = _float32(tiles).reshape(-1, TILE_COLUMNS, TILE_ROWS).swapaxes(1, 2)
    elif num_bytes == 2 * TILE_ROWS * TILE_COLUMNS:
        numbers = _bfloat16(tiles).reshape(-1, TILE_COLUMNS, TILE_ROWS).swapaxes(1, 2)
    else:
        bits = (num_bytes - SCALE_BYTES) // VECTOR_BYTES
        return unpacked(tensor.data, bits, sizes[0], sizes[1]).plain()
    rows = numbers.reshape(num_groups, num_blocks, TILE_ROWS, TILE_COLUMNS).swapaxes(1, 2)
    whole = rows.reshape(num_groups * TILE_ROWS, num_blocks * TILE_COLUMNS)
    return np.ascontiguousarray(whole[: sizes[0], : sizes[1]])
