"""Build wheels for machines other than this one: Linux with glibc or musl, x86-64 or ARM.

    python native/build_wheels.py -o dist                       everything that is listed below
    python native/build_wheels.py -o dist manylinux_aarch64

    manylinux_x86_64, manylinux_aarch64    glibc 2.17 and newer: nearly every distribution
    musllinux_x86_64, musllinux_aarch64    musl 1.2: Alpine

Wheels are for the version of Python that runs this. Its headers are used for every machine: those
of CPython on Linux with 64 bits say the same everywhere. The compiler is zig's clang, which brings
the C libraries of all machines:

    pip install ziglang scikit-build-core nanobind wheel
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build_programs import asked

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Machine:
    """What a wheel is for.

    Attributes:
        target: as zig calls it.
        processor: as CMake calls it.
        abi: how a compiled module's name ends, behind Python's version.
        tag: of the wheel.
    """

    target: str
    processor: str
    abi: str
    tag: str


MACHINES = {
    f"{name}_{processor}": Machine(
        f"{processor}-linux-{library}", processor, f"{processor}-linux-{abi}", f"{tag}_{processor}"
    )
    for processor in ("x86_64", "aarch64")
    for name, library, abi, tag in (
        ("manylinux", "gnu.2.17", "gnu", "manylinux_2_17"),
        ("musllinux", "musl", "musl", "musllinux_1_2"),
    )
}


def write_tool(folder: Path, name: str, *words: str) -> Path:
    """Write a program that calls one of zig's tools; CMake wants a single path for each."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ziglang {" ".join(words)} "$@"\n')
    path.chmod(0o755)
    return path


def environment(machine: Machine, folder: Path) -> dict[str, str]:
    """Return the variables that let scikit-build-core compile for a machine."""
    target = ("-target", machine.target)
    # Of the family, not of the very processor that compiles.
    cc = write_tool(folder, "cc", "cc", *target)
    cxx = write_tool(folder, "cxx", "c++", *target)
    archiver, indexer = write_tool(folder, "ar", "ar"), write_tool(folder, "ranlib", "ranlib")
    defined = {
        "CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": machine.processor,
        "CMAKE_C_COMPILER": cc, "CMAKE_CXX_COMPILER": cxx, "CMAKE_AR": archiver,
        "CMAKE_RANLIB": indexer, "CMAKE_C_COMPILER_AR": archiver, "CMAKE_CXX_COMPILER_AR": archiver,
    }  # fmt: skip
    version = "".join(map(str, sys.version_info[:2]))
    return {
        **os.environ,
        "CMAKE_ARGS": " ".join(f"-D{name}={value}" for name, value in defined.items()),
        "SETUPTOOLS_EXT_SUFFIX": f".cpython-{version}-{machine.abi}.so",
        "SKBUILD_BUILD_DIR": str(folder / "build"),
    }


def build(machine: Machine, output: Path) -> Path:
    """Compile a wheel; return the file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [
            sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
            "--disable-pip-version-check", "-w", folder / "made",
            # Without it a failed compilation gives a wheel that is not compiled.
            "-Cwheel.cmake=true", "-Cinstall.strip=true", ROOT,
        ]  # fmt: skip
        if subprocess.run(command, env=environment(machine, folder), check=False).returncode != 0:
            sys.exit("The wheel was not built; see above.")
        (made,) = (folder / "made").glob("*.whl")
        return Path(named(made, machine).rename(output / named(made, machine).name))


def named(made: Path, machine: Machine) -> Path:
    """Return a wheel under the name of its machine."""
    wanted = made.name.rsplit("-", 1)[0] + f"-{machine.tag}.whl"
    if not made.with_name(wanted).exists():
        words = ["tags", "--remove", "--platform-tag", machine.tag, str(made)]
        command = [sys.executable, "-m", "wheel", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return made.with_name(wanted)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line names."""
    names, output = asked(__doc__, list(MACHINES), arguments)
    if "linux" not in sysconfig.get_platform():
        sys.exit("The headers of Python must be those of Linux: run this there.")
    for name in names:
        made = build(MACHINES[name], output)
        sys.stdout.write(f"{made}  {made.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
