"""Tensors of a GGUF file as float32, for the engine that knows no codes.

Shape letters: O rows, N blocks of a row, G groups of 16 rows, S steps of four columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sparrowlm.runtime.gguf_reading import GgufTensor

_TILE_ROWS, _TILE_COLUMNS = 16, 32
_SCALE_BYTES, _VECTOR_BYTES = 32, 64
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
    num_groups, num_blocks = -(-sizes[0] // _TILE_ROWS), -(-sizes[-1] // _TILE_COLUMNS)
    num_bytes = tensor.sizes[-1]
    if len(sizes) != 2 or tensor.sizes[:-1] != (num_groups, num_blocks):
        raise ValueError(f"{list(tensor.sizes)} tiles for {list(sizes)}")
    tiles = tensor.data.reshape(num_groups * num_blocks, num_bytes)
    if num_bytes == 4 * _TILE_ROWS * _TILE_COLUMNS:
        numbers = _float32(tiles).reshape(-1, _TILE_COLUMNS, _TILE_ROWS).swapaxes(1, 2)
    elif num_bytes == 2 * _TILE_ROWS * _TILE_COLUMNS:
        numbers = _bfloat16(tiles).reshape(-1, _TILE_COLUMNS, _TILE_ROWS).swapaxes(1, 2)
    else:
        numbers = _from_codes(tiles, (num_bytes - _SCALE_BYTES) // _VECTOR_BYTES)
    rows = numbers.reshape(num_groups, num_blocks, _TILE_ROWS, _TILE_COLUMNS).swapaxes(1, 2)
    whole = rows.reshape(num_groups * _TILE_ROWS, num_blocks * _TILE_COLUMNS)
    return np.ascontiguousarray(whole[: sizes[0], : sizes[1]])


def _from_codes(tiles: Bytes, bits: int) -> Matrix:
    """Return numbers of tiles as [tiles, 16, 32]; see native/engine/packed.h."""
    scales = np.ascontiguousarray(tiles[:, :_SCALE_BYTES]).view("<f2").astype(np.float32)
    vectors = tiles[:, _SCALE_BYTES:].reshape(len(tiles), bits, _TILE_ROWS, 4)
    if bits == 8:
        steps = vectors.view(np.int8).astype(np.int16)
    else:
        steps = _fields(vectors, bits).astype(np.int16) - (1 << (bits - 1))
    codes = steps.swapaxes(1, 2).reshape(len(tiles), _TILE_ROWS, _TILE_COLUMNS)
    return codes * scales[..., None]


def _fields(vectors: Bytes, bits: int) -> Bytes:
    """Return the 8 steps of every tile out of its vectors of 4, 2 and 1 bits."""
    codes = np.zeros((len(vectors), 8, *vectors.shape[2:]), dtype=np.uint8)
    first = done = 0
    for width in (4, 2, 1):
        if bits - done < width or (width == 4 and bits < 4):
            continue
        per_vector = 8 // width
        for step in range(8):
            vector = vectors[:, first + step // per_vector]
            field = vector >> (step % per_vector * width) & ((1 << width) - 1)
            codes[:, step] |= field << done
        first, done = first + width, done + width
    return codes
