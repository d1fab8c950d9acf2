"""The checks of `sparrow doctor`, one function each."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Literal

from sparrowlm.foundation.hardware import Machine, probe_machine
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.quantities import format_size

Status = Literal["ok", "warning", "problem"]

CPU_TORCH_COMMAND = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
_OLDEST_PYTHON = (3, 11)
_NEEDED_PACKAGES = ("numpy", "tokenizers", "safetensors", "ftfy", "selectolax", "rich")
_LITTLE_MEMORY_MIB, _TOO_LITTLE_MEMORY_MIB = 2048, 256
_LITTLE_DISK_BYTES, _TOO_LITTLE_DISK_BYTES = 2 * 10**9, 10**8


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: short fixed name, e.g. "torch".
        status: "ok", "warning" (works, but could be better) or "problem" (cannot work).
        what: one line in the user's language.
        advice: what to do, "" when there is nothing to do.
    """

    check: str
    status: Status
    what: str
    advice: str = ""


def examine() -> list[Finding]:
    """Run every check; takes the seconds that importing torch takes, where it is installed."""
    machine = probe_machine()
    findings = [check() for check in _CHECKS]
    return [*findings, check_precision(machine), check_memory(machine)]


def check_python() -> Finding:
    """Python itself."""
    version = ".".join(map(str, sys.version_info[:3]))
    what = say("cli.doctor-python", version=version)
    if sys.version_info[:2] < _OLDEST_PYTHON:
        advice = say("cli.doctor-python-old")
        return Finding(check="python", status="problem", what=what, advice=advice)
    return Finding(check="python", status="ok", what=what)


def check_packages() -> Finding:
    """The packages without which nothing runs."""
    missing = [name for name in _NEEDED_PACKAGES if util.find_spec(name) is None]
    if missing:
        what = say("cli.doctor-packages-missing", packages=" ".join(missing))
        advice = "pip install " + " ".join(missing)
        return Finding(check="packages", status="problem", what=what, advice=advice)
    return Finding(check="packages", status="ok", what=say("cli.doctor-packages"))


def check_torch() -> Finding:
    """Whether torch is there, in which build, and how much disk it takes."""
    try:
        torch_files = metadata.distribution("torch")
    except metadata.PackageNotFoundError:
        what = say("cli.doctor-torch-missing")
        return Finding(check="torch", status="warning", what=what, advice=CPU_TORCH_COMMAND)
    cuda_packages = [
        name
        for distribution in metadata.distributions()
        if (name := str(distribution.metadata["Name"] or "")).startswith("nvidia-")
    ]
    size = format_size(_size_bytes(Path(str(torch_files.locate_file("torch")))))
    has_cuda = bool(cuda_packages) or "+cu" in torch_files.version
    if has_cuda and not _has_graphics_card():
        cuda_size = format_size(_size_bytes(Path(str(torch_files.locate_file("nvidia")))))
        what = say(
            "cli.doctor-torch-cuda", version=torch_files.version, size=size, cuda_size=cuda_size
        )
        advice = say("cli.doctor-torch-cuda-advice", command=CPU_TORCH_COMMAND)
        return Finding(check="torch", status="warning", what=what, advice=advice)
    what = say("cli.doctor-torch", version=torch_files.version, size=size)
    return Finding(check="torch", status="ok", what=what)


def check_native() -> Finding:
    """The compiled part, or a compiler to make it with."""
    if util.find_spec("sparrowlm._native") is not None:
        return Finding(check="native", status="ok", what=say("cli.doctor-native"))
    compiler = next((name for name in ("g++", "clang++", "c++", "cl") if shutil.which(name)), "")
    if compiler:
        what = say("cli.doctor-native-missing", compiler=compiler)
        advice = say("cli.doctor-native-advice")
    else:
        what = say("cli.doctor-compiler-missing")
        advice = say("cli.doctor-compiler-advice")
    return Finding(check="native", status="warning", what=what, advice=advice)


def check_font() -> Finding:
    """A font with Chinese characters, for reports turned into pictures."""
    if shutil.which("fc-list") is None:
        what, advice = say("cli.doctor-font-unknown"), say("cli.doctor-font-advice")
        return Finding(check="font", status="warning", what=what, advice=advice)
    try:
        listing = subprocess.run(
            ["fc-list", ":lang=zh", "family"], capture_output=True, timeout=10, check=False
        )
        families = listing.stdout.decode("utf-8", "replace").split("\n")
    except (OSError, subprocess.TimeoutExpired):
        families = []
    family = next((name.split(",")[0].strip() for name in sorted(families) if name.strip()), "")
    if family:
        return Finding(check="font", status="ok", what=say("cli.doctor-font", family=family))
    what, advice = say("cli.doctor-font-missing"), say("cli.doctor-font-advice")
    return Finding(check="font", status="warning", what=what, advice=advice)


def check_precision(machine: Machine) -> Finding:
    """Which number format trains fastest here."""
    if machine.float32_gflops is None or machine.bfloat16_gflops is None:
        what = say("cli.doctor-precision-unknown", cores=machine.num_cores)
        return Finding(check="precision", status="ok", what=what)
    what = say(
        "cli.doctor-precision",
        cores=machine.num_cores,
        sets=" ".join(machine.instruction_sets) or "-",
        float32=f"{machine.float32_gflops:.0f}",
        bfloat16=f"{machine.bfloat16_gflops:.1f}",
        precision=machine.precision,
    )
    if machine.bfloat16_gflops < machine.float32_gflops:
        advice = say("cli.doctor-precision-slow")
        return Finding(check="precision", status="warning", what=what, advice=advice)
    return Finding(check="precision", status="ok", what=what)


def check_memory(machine: Machine) -> Finding:
    """Memory that is free now."""
    available = format_size(machine.ram_available_mib << 20)
    total = format_size(machine.ram_total_mib << 20)
    what = say("cli.doctor-memory", available=available, total=total)
    return _by_amount(
        "memory", what, machine.ram_available_mib, _LITTLE_MEMORY_MIB, _TOO_LITTLE_MEMORY_MIB
    )


def check_disk() -> Finding:
    """Room on the disk of the current directory."""
    free_bytes = shutil.disk_usage(Path.cwd()).free
    what = say("cli.doctor-disk", free=format_size(free_bytes), path=Path.cwd())
    return _by_amount("disk", what, free_bytes, _LITTLE_DISK_BYTES, _TOO_LITTLE_DISK_BYTES)


def check_encoding() -> Finding:
    """Whether files and the terminal speak UTF-8 by default."""
    encoding = locale.getpreferredencoding(do_setlocale=False)
    what = say("cli.doctor-encoding", encoding=encoding, language=os.environ.get("LANG", "-"))
    if encoding.lower().replace("-", "") != "utf8":
        advice = say("cli.doctor-encoding-advice")
        return Finding(check="encoding", status="warning", what=what, advice=advice)
    return Finding(check="encoding", status="ok", what=what)


def check_terminal() -> Finding:
    """What the terminal can show."""
    columns = shutil.get_terminal_size().columns
    encoding = str(getattr(sys.__stderr__, "encoding", None) or "-")
    is_terminal = bool(sys.stderr and sys.stderr.isatty())
    where = say("cli.doctor-terminal-here") if is_terminal else say("cli.doctor-terminal-pipe")
    what = say("cli.doctor-terminal", where=where, encoding=encoding, columns=columns)
    if columns < 60:
        advice = say("cli.doctor-terminal-narrow")
        return Finding(check="terminal", status="warning", what=what, advice=advice)
    return Finding(check="terminal", status="ok", what=what)


def _by_amount(check: str, what: str, amount: int, little: int, too_little: int) -> Finding:
    if amount >= little:
        return Finding(check=check, status="ok", what=what)
    status: Status = "problem" if amount < too_little else "warning"
    return Finding(check=check, status=status, what=what, advice=say("cli.doctor-make-room"))


def _has_graphics_card() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()


def _size_bytes(directory: Path) -> int:
    total_bytes = 0
    for folder, _folders, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                total_bytes += path.stat().st_size
    return total_bytes


_CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_packages,
    check_torch,
    check_native,
    check_font,
    check_encoding,
    check_terminal,
    check_disk,
)
