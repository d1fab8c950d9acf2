"""The n-gram's file: the compact table as named arrays (see models/array_file.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.mapped_bytes import FileSource, path_of
from sparrowlm.models.array_file import ArrayFile, file_bytes, read_arrays, write_arrays
from sparrowlm.models.ngram.table import CompactLevel, SmallCounts, Table

_KIND = "ngram"
_COUNTS = ("counts", "adjusted", "num_children", "lost")

Array = np.ndarray[Any, np.dtype[Any]]
Discounts = Float64[np.ndarray, "orders classes"]


def save(path: Path, table: Table, discounts_NC: Discounts) -> None:
    """Write the table and the discounts, atomically."""
    write_arrays(path, _KIND, _metadata(table), _arrays(table, discounts_NC))


def size_bytes(table: Table, discounts_NC: Discounts) -> int:
    """Return the length of the file that save writes."""
    return file_bytes(_KIND, _metadata(table), _arrays(table, discounts_NC))


def load(source: FileSource) -> tuple[Table, Discounts]:
    """Map a file of save into memory.

    Raises:
        DamagedFileError: missing, truncated, changed, or not an n-gram.
    """
    found = read_arrays(source, _KIND)
    try:
        order, vocab_size = int(found.metadata["order"]), int(found.metadata["vocab_size"])
        levels = [_level(found, n, order) for n in range(1, order + 1)]
        return Table(levels, vocab_size), np.array(found.arrays["discounts"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedFileError(
            "foundation.file-damaged", path=path_of(source), reason=error
        ) from error


def _metadata(table: Table) -> dict[str, Any]:
    return {"order": table.order, "vocab_size": table.vocab_size}


def _arrays(table: Table, discounts_NC: Discounts) -> dict[str, Array]:
    arrays: dict[str, Array] = {"discounts": discounts_NC}
    for n, level in enumerate(table.levels, start=1):
        if level.tokens is not None:
            arrays[f"{n}.tokens"] = level.tokens
        for name in _COUNTS:
            counts: SmallCounts | None = getattr(level, name)
            if counts is not None:
                arrays[f"{n}.{name}"] = counts.small
                if len(counts.places):
                    arrays[f"{n}.{name}.places"] = counts.places
                    arrays[f"{n}.{name}.values"] = counts.values
    return arrays


def _level(found: ArrayFile, n: int, order: int) -> CompactLevel:
    def counts(name: str) -> SmallCounts:
        key, none = f"{n}.{name}", np.zeros(0, dtype=np.uint32)
        places = found.arrays.get(f"{key}.places", none)
        return SmallCounts(found.arrays[key], places, found.arrays.get(f"{key}.values", none))

    is_top = n == order
    return CompactLevel(
        tokens=None if n == 1 else found.arrays[f"{n}.tokens"],
        counts=counts("counts"),
        adjusted=None if is_top else counts("adjusted"),
        num_children=None if is_top else counts("num_children"),
        lost=counts("lost") if f"{n}.lost" in found.arrays else None,
    )
