"""Texts seen before: exact by digest, nearly equal by MinHash; constant memory for any corpus.

Source of the near-duplicate search: Broder 1997, "On the resemblance and containment of
documents" (shingles and minima); Indyk and Motwani 1998, "Approximate nearest neighbors" (bands).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation import atomic

Digests = np.ndarray[Any, np.dtype[np.uint64]]

# Five bands of twelve minima: a pair that shares 95 % of its shingles is found with probability
# 0.96, 90 % with 0.81, 80 % with 0.30, 70 % with 0.07, 50 % with 0.001.
NUM_BANDS = 5
ROWS_PER_BAND = 12
SHINGLE_CHARACTERS = 5
# Below this many characters one changed word changes most shingles; only exact copies count.
SHORTEST_NEAR_CHARACTERS = 64
MOST_RUNS = 4
# Bits of the bitmap for every digest in memory.
_BITMAP_BITS = 128
_SEED = 20_231
_MULTIPLIER = 0x9E3779B97F4A7C15


class DigestSet:
    """A set of 64-bit digests of which only the last ones are in memory.

    The older ones lie in at most MOST_RUNS sorted files, which are searched, never loaded. In front
    of them stands a bitmap of the leading bits, which answers most questions about new digests.

    Args:
        directory: where the files are kept.
        limit: digests in memory (about 90 bytes each, and 16 more for the bitmap).
        name: prefix of the files.
    """

    def __init__(self, directory: Path, limit: int, name: str) -> None:
        self._directory = directory
        self._limit = limit
        self._name = name
        self._recent: set[int] = set()
        self._older: list[Digests] = []
        self._num_written = 0
        self._shift = 64 - (limit * _BITMAP_BITS - 1).bit_length()
        self._bitmap = bytearray()

    def __contains__(self, digest: int) -> bool:
        return digest in self._recent or (bool(self._older) and self._is_older(digest))

    def add(self, digest: int) -> bool:
        """Add a digest; say whether it is new."""
        if digest in self._recent or (self._older and self._is_older(digest)):
            return False
        self._recent.add(digest)
        if len(self._recent) >= self._limit:
            self._write_out()
        return True

    def _is_older(self, digest: int) -> bool:
        place = digest >> self._shift
        if not self._bitmap[place >> 3] >> (place & 7) & 1:
            return False
        wanted = np.uint64(digest)
        for run in self._older:
            position = int(np.searchsorted(run, wanted))
            if position < len(run) and run[position] == wanted:
                return True
        return False

    def _write_out(self) -> None:
        digests = np.fromiter(self._recent, dtype="<u8", count=len(self._recent))
        digests.sort()
        self._recent.clear()
        if not self._bitmap:
            self._bitmap = bytearray(1 << max(64 - self._shift - 3, 0))
        places = digests >> np.uint64(self._shift)
        bits = np.left_shift(1, places & np.uint64(7)).astype(np.uint8)
        bitmap = np.frombuffer(self._bitmap, dtype=np.uint8)
        np.bitwise_or.at(bitmap, (places >> np.uint64(3)).astype(np.int64), bits)
        self._older.append(self._written([digests]))
        if len(self._older) > MOST_RUNS:
            merged = self._written(self._merged())
            for number in range(self._num_written - len(self._older) - 1, self._num_written - 1):
                self._path(number).unlink(missing_ok=True)
            self._older = [merged]

    def _merged(self) -> Iterator[Digests]:
        """Yield all older digests in order, slice by slice of their range."""
        num_slices = -(-sum(map(len, self._older)) // self._limit)
        starts = [0] * len(self._older)
        for number in range(1, num_slices + 1):
            border = np.uint64((number << 64) // num_slices - 1)
            ends = [int(np.searchsorted(run, border, side="right")) for run in self._older]
            parts = [run[a:b] for run, a, b in zip(self._older, starts, ends, strict=True)]
            yield np.sort(np.concatenate(parts))
            starts = ends

    def _path(self, number: int) -> Path:
        return self._directory / f"{self._name}-{number}.digests"

    def _written(self, parts: Iterable[Digests]) -> Digests:
        path = self._path(self._num_written)
        self._num_written += 1
        try:
            with path.open("wb") as file:
                for part in parts:
                    file.write(part.tobytes())
        except OSError as error:
            raise atomic.resource_error(error, path) from error
        return np.memmap(path, dtype="<u8", mode="r")

    def close(self) -> None:
        """Forget everything and remove the files."""
        self._recent.clear()
        self._older.clear()
        for path in self._directory.glob(f"{self._name}-*.digests"):
            path.unlink(missing_ok=True)


def band_digests(texts: list[str]) -> list[list[int]]:
    """Compute the bands of many texts at once.

    Args:
        texts: whole documents.

    Returns:
        NUM_BANDS digests per text; two texts that share one are near duplicates. None for texts
        that are too short.
    """
    import rensa

    long_enough = [len(text) >= SHORTEST_NEAR_CHARACTERS for text in texts]
    chosen = [text for text, is_long in zip(texts, long_enough, strict=True) if is_long]
    if not chosen:
        return [[] for _ in texts]
    hashes, offsets = _shingle_hashes(chosen)
    num_minima = NUM_BANDS * ROWS_PER_BAND
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, num_minima, _SEED)
    minima = np.array(matrix.to_rows(), dtype=np.uint64).reshape(-1, NUM_BANDS, ROWS_PER_BAND)
    bands = np.full(minima.shape[:2], 1, dtype=np.uint64)
    for row in range(ROWS_PER_BAND):
        bands = (bands ^ minima[:, :, row]) * np.uint64(_MULTIPLIER)
        bands ^= bands >> np.uint64(29)
    bands += np.arange(NUM_BANDS, dtype=np.uint64)
    found = iter(bands.tolist())
    return [next(found) if is_long else [] for is_long in long_enough]


def _shingle_hashes(texts: list[str]) -> tuple[Digests, Digests]:
    """Hash every run of SHINGLE_CHARACTERS characters, white space left out.

    Returns:
        The hashes of all texts in a row, and where each text begins and ends among them.
    """
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4")
    is_visible = (codes > 0x20) & (codes != 0x3000) & (codes != 0xA0)
    visible_before = np.concatenate([[0], np.cumsum(is_visible)])
    ends = np.cumsum([len(text) for text in texts])
    ends = visible_before[ends]  # of every text, counted in visible characters
    codes = codes[is_visible].astype(np.uint64)
    num_windows = max(len(codes) - SHINGLE_CHARACTERS + 1, 0)
    hashes = np.zeros(num_windows, dtype=np.uint64)
    for place in range(SHINGLE_CHARACTERS):
        hashes *= np.uint64(_MULTIPLIER)
        hashes += codes[place : num_windows + place]
    hashes ^= hashes >> np.uint64(31)
    # A window must end inside the text in which it begins.
    is_whole = np.ones(num_windows, dtype=bool)
    for back in range(1, SHINGLE_CHARACTERS):
        borders = ends[:-1] - back
        is_whole[borders[(borders >= 0) & (borders < num_windows)]] = False
    whole_before = np.concatenate([[0], np.cumsum(is_whole)])
    offsets = whole_before[np.minimum(np.concatenate([[0], ends]), num_windows)]
    return hashes[is_whole], offsets.astype(np.uint64)
