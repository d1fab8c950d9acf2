"""Matrices in the forms that a GGUF file can hold.

Forms and their bytes for 32 values of a row:

    float32, float16, bfloat16   128, 64, 64
    int8, int5, int4             34, 22, 18: Q8_0, Q5_0 and Q4_0 of llama.cpp
    int6, int3                   26, 14: tiles of our own engine (native/engine/packed.h), as
                                 are all integers where 32 does not divide the length of a row

Source of the blocks: ggml's ggml-quants, as its documentation describes them.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from sparrowlm.foundation.errors import DependencyError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.block_codes import BLOCK_COLUMNS, BlockCodes, rounded_blocks
from sparrowlm.models.tiles import TILE_ROWS, packed

Form = Literal["float32", "float16", "bfloat16", "int8", "int6", "int5", "int4", "int3"]
FORMS: tuple[Form, ...] = get_args(Form)
BITS: dict[str, int] = {form: int(form[3:]) for form in FORMS if form.startswith("int")}
_TYPES = {
    "float32": "F32", "float16": "F16", "bfloat16": "BF16",
    "int8": "Q8_0", "int5": "Q5_0", "int4": "Q4_0",
}  # fmt: skip
_HALF_BLOCK = BLOCK_COLUMNS // 2

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class StoredTensor(NamedTuple):
    """A tensor as it stands in the file.

    Attributes:
        data: its bytes, the last axis a row's; or float32 numbers.
        type_name: of ggml; "I8" are tiles.
    """

    data: np.ndarray[Any, np.dtype[Any]]
    type_name: str


def stored_floats(
    tensor: np.ndarray[Any, np.dtype[np.float32]], form: Form = "float32"
) -> StoredTensor:
    """Return a tensor of any shape as float32, float16 or bfloat16 (to nearest, ties to even)."""
    if form == "float32":
        return StoredTensor(np.ascontiguousarray(tensor, dtype=np.float32), "F32")
    if form == "float16":
        return StoredTensor(np.clip(tensor, -65_000, 65_000).astype(np.float16), "F16")
    bits = np.ascontiguousarray(tensor, dtype=np.float32).view(np.uint32)
    upper = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return StoredTensor(upper.view(np.uint8).reshape(*tensor.shape[:-1], -1), "BF16")


def stored_matrix(tensor: np.ndarray[Any, np.dtype[np.float32]], form: Form) -> StoredTensor:
    """Return a matrix in a form.

    Raises:
        DependencyError: the form needs the compiled part.
    """
    if form in BITS:
        return stored_codes(rounded_blocks(tensor, BITS[form]))
    return stored_floats(tensor, form)


def stored_codes(codes: BlockCodes) -> StoredTensor:
    """Return a matrix of codes in its blocks or tiles.

    Raises:
        DependencyError: tiles need the compiled part.
    """
    if codes.bits in (6, 3) or codes.codes_OI.shape[1] % BLOCK_COLUMNS:
        return StoredTensor(_tiles(codes), "I8")
    codes_ONW = codes.codes_OI.reshape(len(codes.codes_OI), -1, BLOCK_COLUMNS)
    scales_ON2 = np.ascontiguousarray(codes.scales_ON).astype("<f2").view(np.uint8)
    scales_ON2 = scales_ON2.reshape(*codes.scales_ON.shape, 2)
    parts = [scales_ON2, *_block_parts(codes_ONW, codes.bits)]
    blocks = np.concatenate(parts, axis=2).reshape(len(codes_ONW), -1)
    return StoredTensor(np.ascontiguousarray(blocks), _TYPES[f"int{codes.bits}"])


def _block_parts(codes_ONW: np.ndarray[Any, np.dtype[np.int8]], bits: int) -> list[Bytes]:
    """Return what follows a block's scale."""
    if bits == 8:
        return [codes_ONW.view(np.uint8)]
    unsigned_ONW: Bytes = (codes_ONW.astype(np.int16) + (1 << (bits - 1))).astype(np.uint8)
    low_ONW: Bytes = unsigned_ONW & np.uint8(15)
    nibbles: Bytes = low_ONW[..., :_HALF_BLOCK] | (low_ONW[..., _HALF_BLOCK:] << np.uint8(4))
    if bits == 4:
        return [nibbles]
    return [np.packbits(unsigned_ONW >> 4, axis=2, bitorder="little"), nibbles]


def _tiles(codes: BlockCodes) -> np.ndarray[Any, np.dtype[np.int8]]:
    native = native_part()
    if native is None:
        raise DependencyError("export.tiles-need-native", bits=codes.bits)
    num_groups, num_blocks = -(-len(codes.codes_OI) // TILE_ROWS), codes.scales_ON.shape[1]
    tiles_GNB: Bytes = packed(native, codes).reshape(num_groups, num_blocks, -1)
    return tiles_GNB.view(np.int8)
