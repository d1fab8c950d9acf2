"""Counted orders on disk, so that a killed run goes on with the next order.

After every order two files are written: first the n-gram of every id (which the next order starts
from), then the order itself. The run continues after the last order of which both are whole; the
counts do not depend on where it was interrupted.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.array_file import read_arrays, write_arrays
from sparrowlm.models.ngram.counting import CountState, Level

_FIELDS = ("tokens", "counts", "num_children", "adjusted")
_PIECE_IDS = 1 << 22

Ids = np.ndarray[Any, np.dtype[Any]]


def fingerprint(ids: Ids, vocab_size: int) -> str:
    """Name a text and its vocabulary by a checksum."""
    digest = hashlib.blake2b(f"{len(ids)} {ids.dtype} {vocab_size}".encode(), digest_size=16)
    for start in range(0, len(ids), _PIECE_IDS):
        digest.update(np.ascontiguousarray(ids[start : start + _PIECE_IDS]).data)
    return digest.hexdigest()


class CountCheckpoints:
    """The counted orders of one text.

    Args:
        directory: where they stand; None keeps nothing.
        stage: tells the countings of one training apart.
        mark: fingerprint of the text; what another text left behind is ignored.
    """

    def __init__(self, directory: Path | None, stage: str, mark: str) -> None:
        self._directory = directory
        self._stage = stage
        self._mark = mark

    def _path(self, name: str, order: int) -> Path | None:
        if self._directory is None:
            return None
        return self._directory / f"{self._stage}-{name}-{order}.bin"

    def save(self, state: CountState) -> None:
        """Keep an order just counted, with what it completed about the order below.

        Raises:
            ResourceError: disk full or not writable.
        """
        order = len(state.levels)
        positions, counts = self._path("nodes", order), self._path("level", order)
        if positions is None or counts is None:
            return
        metadata = {"text": self._mark, "order": order}
        write_arrays(positions, "ngram-nodes", metadata, {"nodes": state.nodes_T})
        arrays: dict[str, Ids] = {}
        for name, level in zip(("last", "below"), reversed(state.levels[-2:]), strict=False):
            arrays |= {f"{name}.{field}": getattr(level, field) for field in _FIELDS}
        metadata |= {"num_separated": state.levels[-1].num_separated}
        write_arrays(counts, "ngram-level", metadata, arrays)
        before = self._path("nodes", order - 1)
        if before is not None:
            before.unlink(missing_ok=True)

    def load(self) -> CountState | None:
        """Return the orders counted before, or None."""
        levels: list[Level] = []
        found: CountState | None = None
        while (path := self._path("level", len(levels) + 1)) is not None:
            try:
                record = read_arrays(path, "ngram-level")
            except DamagedFileError:
                break
            if record.metadata["text"] != self._mark:
                break
            if levels:
                levels[-1] = _level(record.arrays, "below", levels[-1].num_separated)
            levels.append(_level(record.arrays, "last", record.metadata["num_separated"]))
            found = self._with_nodes(levels) or found
        return found

    def _with_nodes(self, levels: list[Level]) -> CountState | None:
        path = self._path("nodes", len(levels))
        if path is None:
            return None
        try:
            record = read_arrays(path, "ngram-nodes")
        except DamagedFileError:
            return None
        if record.metadata["text"] != self._mark:
            return None
        return CountState(tuple(levels), record.arrays["nodes"])

    def clear(self) -> None:
        """Delete what was kept of this stage."""
        if self._directory is None or not self._directory.is_dir():
            return
        for path in self._directory.glob(f"{self._stage}-*.bin"):
            path.unlink(missing_ok=True)
        atomic.remove_leftovers(self._directory)


def _level(arrays: dict[str, Ids], name: str, num_separated: int) -> Level:
    values = {field: np.array(arrays[f"{name}.{field}"]) for field in _FIELDS}
    return Level(**values, num_separated=num_separated)
