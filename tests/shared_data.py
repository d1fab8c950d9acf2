"""Real data that lies beside the repository; tests that need it are skipped where it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[1]


def shared_data(name: str) -> Path:
    """Return the path of a shared file or folder, or skip the test.

    Args:
        name: path below the data folder, e.g. "lm/novels_zh/xiyou.valid.txt". The folder is named
            by the environment variable SPARROW_DATA; without it, ../shared/data is looked at.
    """
    root = Path(os.environ.get("SPARROW_DATA") or _REPOSITORY.parent / "shared" / "data")
    path = root / name
    if not path.exists():
        pytest.skip(f"{name} is not among the shared data")
    return path
