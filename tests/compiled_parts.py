"""Parts of the engine as shared libraries, by the compiler of this machine."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1] / "native" / "engine"


def compiled(folder: Path, text: str, *names: str, flags: tuple[str, ...] = ()) -> ctypes.CDLL:
    """Compile a text with some files of the engine; skip the test where nothing compiles.

    Args:
        folder: to work in; a file of the engine that stands here too is taken from here.
        text: C++, with what the test calls.
        names: of the engine's files.
        flags: further ones.
    """
    compiler = os.environ.get("ZIG_CXX") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no compiler")
    subprocess.run([sys.executable, ENGINE / "make_letters.py", folder / "letters.h"], check=True)
    (folder / "part.cpp").write_text(text)
    own = (folder / f"{name}.cpp" for name in names)
    sources = [one if one.exists() else ENGINE / one.name for one in own]
    subprocess.run(
        [
            compiler, "-std=c++17", "-O1", "-ffp-contract=off", "-shared", "-fPIC", *flags,
            f"-I{folder}", f"-I{ENGINE}", folder / "part.cpp", *sources, "-o", folder / "part.so",
        ],
        check=True,
    )  # fmt: skip
    return ctypes.CDLL(str(folder / "part.so"))
