from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Sparrow = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sparrow(tmp_path: Path) -> Sparrow:
    """Runs the real command in a process of its own, in an empty directory."""

    def run(*arguments: str, language: str = "en", stdin: str = "", **environment: str):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "SPARROW"))}
        root = Path(__file__).parents[2]
        kept |= {"SPARROW_LANG": language, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-m", "sparrowlm", *arguments],
            check=False,
            capture_output=True,
            encoding="utf-8",
            cwd=tmp_path,
            env=kept | environment,
            input=stdin,
            timeout=120,
        )

    return run
