"""sparrow-run as the tests start it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig

import pytest

PROGRAM = os.environ.get("SPARROW_RUN") or shutil.which(
    "sparrow-run", path=sysconfig.get_path("scripts")
)
needs_program = pytest.mark.skipif(PROGRAM is None, reason="sparrow-run is not built")


def run(*words: str, given: str | bytes = b"", code: int = 0, **environment: str) -> str:
    """Return what the program writes; what it complains of where another code is expected."""
    done = subprocess.run(
        [str(PROGRAM), *words], input=given.encode() if isinstance(given, str) else given,
        capture_output=True, check=False, timeout=60,
        env={**os.environ, "SPARROW_LANG": "en", **environment},
    )  # fmt: skip
    assert done.returncode == code, done.stderr.decode()
    return (done.stdout if code == 0 else done.stderr).decode()
