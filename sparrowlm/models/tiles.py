"""Codes as the compiled engine reads them: tiles of 16 rows and 32 columns.

Source of the layout: native/engine/packed.h.

Shape letters: G tiles, S steps of four columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import UInt8
from sparrowlm.models.block_codes import BlockCodes

TILE_ROWS, TILE_COLUMNS = 16, 32
SCALE_BYTES, VECTOR_BYTES = 32, 64

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def num_bytes(bits: int, rows: int, columns: int) -> int:
    """Return what the tiles of a matrix take."""
    tiles = -(-rows // TILE_ROWS) * -(-columns // TILE_COLUMNS)
    return tiles * (SCALE_BYTES + VECTOR_BYTES * bits)


def packed(native: Any, codes: BlockCodes) -> UInt8[np.ndarray, " bytes"]:  # noqa: ANN401
    """Return the tiles of a matrix.

    Args:
        native: the compiled part.
        codes: the matrix.
    """
    scales_ON = np.ascontiguousarray(codes.scales_ON).view(np.uint16)
    tiles: Bytes = native.packed_codes(np.ascontiguousarray(codes.codes_OI), scales_ON, codes.bits)
    return tiles


def unpacked(tiles: UInt8[np.ndarray, "*shape"], bits: int, rows: int, columns: int) -> BlockCodes:
    """Return the codes that tiles hold.

    Args:
        tiles: bytes of all tiles, group after group.
        bits: of a code, one of block_codes.CODE_BITS.
        rows: of the matrix.
        columns: of the matrix.

    Raises:
        ValueError: as many bytes are no such matrix.
    """
    num_groups, num_blocks = -(-rows // TILE_ROWS), -(-columns // TILE_COLUMNS)
    if tiles.size != num_bytes(bits, rows, columns):
        raise ValueError(f"{tiles.size} bytes are no {rows} x {columns} codes of {bits} bits")
    each_G = tiles.reshape(num_groups * num_blocks, -1)
    halves = np.ascontiguousarray(each_G[:, :SCALE_BYTES]).view("<f2")
    scales = halves.reshape(num_groups, num_blocks, TILE_ROWS).swapaxes(1, 2)
    vectors = each_G[:, SCALE_BYTES:].reshape(len(each_G), bits, TILE_ROWS, 4)
    if bits == 8:
        steps = np.ascontiguousarray(vectors).view(np.int8)
    else:
        steps = (_fields(vectors, bits).astype(np.int16) - (1 << (bits - 1))).astype(np.int8)
    codes = steps.swapaxes(1, 2).reshape(num_groups, num_blocks, TILE_ROWS, TILE_COLUMNS)
    whole = codes.swapaxes(1, 2).reshape(num_groups * TILE_ROWS, num_blocks * TILE_COLUMNS)
    return BlockCodes(
        bits,
        np.ascontiguousarray(whole[:rows, :columns]),
        np.ascontiguousarray(scales.reshape(-1, num_blocks)[:rows]).astype(np.float16),
    )


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
