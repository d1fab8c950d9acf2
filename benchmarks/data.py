"""Where the benchmarks' texts lie: the directory named by SPARROW_DATA, or ../shared/data."""

from __future__ import annotations

import lzma
import os
import sys
from pathlib import Path

_BESIDE = Path(__file__).parents[2] / "shared" / "data"


def data_directory() -> Path:
    directory = Path(os.environ.get("SPARROW_DATA", _BESIDE))
    if not directory.is_dir():
        sys.exit(f"No benchmark data at {directory}: set SPARROW_DATA to their directory.")
    return directory


def read_text(name: str) -> str:
    """Read a text of the data directory, .xz unpacked."""
    path = data_directory() / name
    data = path.read_bytes()
    return (lzma.decompress(data) if path.suffix == ".xz" else data).decode("utf-8")
