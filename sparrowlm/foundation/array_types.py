"""Array types that name their axes, checked in the tests and free when a model runs.

Importing jaxtyping takes as long as loading a small model, so it is imported only where something
looks at the types: mypy, and the tests, which import it first.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import (
        Bool,
        Float,
        Float32,
        Float64,
        Int,
        Int8,
        Int32,
        Int64,
        Integer,
        UInt8,
        UInt32,
        UInt64,
    )
else:

    class _Unchecked:
        """Stands for an annotation that nobody evaluates."""

        def __class_getitem__(cls, _axes: object) -> type[_Unchecked]:
            return cls

    Bool = Float = Float32 = Float64 = Int = Int8 = Int32 = Int64 = Integer = UInt32 = _Unchecked
    UInt8 = UInt64 = _Unchecked

__all__ = [
    "Bool",
    "Float",
    "Float32",
    "Float64",
    "Int",
    "Int8",
    "Int32",
    "Int64",
    "Integer",
    "UInt8",
    "UInt32",
    "UInt64",
]
