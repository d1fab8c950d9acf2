"""What this machine can do: cores, memory, instruction sets, and measured matrix products.

Two machines of the same age differ by a factor of a thousand in bfloat16, so the precision is
chosen by a measurement of about 50 ms and never by a name.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Precision = Literal["float32", "bfloat16"]

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")
_BYTES_PER_MIB = 1 << 20
# bfloat16 rounds away half of the digits: it must pay clearly before it is worth that.
_BFLOAT16_MUST_BE_FASTER_BY = 1.5
_PROBE_BUDGET_SECONDS = 0.02
_PROBE_WIDTHS = (64, 128, 256, 512, 1024)
# Linux flag -> the name we show. macOS spells its flags like the second dictionary.
_LINUX_FLAGS = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX512-VNNI",
    "avx512_bf16": "AVX512-BF16",
    "amx_bf16": "AMX-BF16",
    "amx_int8": "AMX-INT8",
    "asimd": "NEON",
    "asimddp": "NEON-DOTPROD",
    "i8mm": "I8MM",
    "bf16": "BF16",
}
_MACOS_FLAGS = {
    "AVX2": "AVX2",
    "AVX512F": "AVX-512",
    "AdvSIMD": "NEON",
    "FEAT_DotProd": "NEON-DOTPROD",
    "FEAT_I8MM": "I8MM",
    "FEAT_BF16": "BF16",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The abilities that plans are made from.

    Attributes:
        num_cores: cores this process may use, >= 1.
        ram_total_mib: memory this process may use at most (a container's limit counts).
        ram_available_mib: of that, free now.
        instruction_sets: names such as "AVX2" or "AMX-BF16"; empty where nobody can say.
        float32_gflops: measured matrix product, billions of operations per second; None where
            torch is not installed or was not asked.
        bfloat16_gflops: the same in bfloat16.
        precision: what to train in: "bfloat16" only where it measured 1.5 times as fast.
    """

    num_cores: int
    ram_total_mib: int
    ram_available_mib: int
    instruction_sets: tuple[str, ...]
    float32_gflops: float | None = None
    bfloat16_gflops: float | None = None
    precision: Precision = "float32"


def probe_machine(*, is_torch_measured: bool = True) -> Machine:
    """Look at this machine, in about 50 ms beyond the import of torch.

    Args:
        is_torch_measured: False leaves torch alone and both GFLOP/s figures None.

    Returns:
        What was found; torch missing is not an error here.
    """
    ram_total_mib, ram_available_mib = memory_mib()
    float32_gflops = bfloat16_gflops = None
    if is_torch_measured:
        try:
            float32_gflops, bfloat16_gflops = measure_torch_gflops()
        except ImportError:
            # Running a model needs no torch: the figures stay unknown, and None says so.
            float32_gflops = bfloat16_gflops = None
    return Machine(
        num_cores=usable_cores(),
        ram_total_mib=ram_total_mib,
        ram_available_mib=ram_available_mib,
        instruction_sets=instruction_sets(),
        float32_gflops=float32_gflops,
        bfloat16_gflops=bfloat16_gflops,
        precision=recommended_precision(float32_gflops, bfloat16_gflops),
    )


def recommended_precision(float32_gflops: float | None, bfloat16_gflops: float | None) -> Precision:
    """Choose bfloat16 only where it was measured at least 1.5 times as fast."""
    if float32_gflops is None or bfloat16_gflops is None:
        return "float32"
    is_worth_it = bfloat16_gflops >= _BFLOAT16_MUST_BE_FASTER_BY * float32_gflops
    return "bfloat16" if is_worth_it else "float32"


def usable_cores(cgroup: Path = _CGROUP, proc: Path = _PROC) -> int:
    """Count the cores this process may use: affinity, the container's quota, OMP_NUM_THREADS.

    The last is where people say that other programs need cores too.

    Args:
        cgroup: root of the cgroup file system.
        proc: root of procfs.

    Returns:
        At least 1; a quota of 2.5 cores counts as 2.
    """
    if hasattr(os, "sched_getaffinity"):
        num_cores = len(os.sched_getaffinity(0))
    else:
        num_cores = os.cpu_count() or 1
    for directory in _cgroup_directories(cgroup, proc):
        quota = _cgroup_core_quota(directory)
        if quota is not None:
            num_cores = min(num_cores, int(quota))
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal():
        num_cores = min(num_cores, int(asked))
    return max(num_cores, 1)


def memory_mib(cgroup: Path = _CGROUP, proc: Path = _PROC) -> tuple[int, int]:
    """Measure memory, the container's limit respected.

    Returns:
        Total and available MiB; where the system does not tell what is available (macOS,
        Windows), half of the total stands for it.
    """
    total_bytes, available_bytes = _system_memory_bytes(proc)
    for directory in _cgroup_directories(cgroup, proc):
        limit = _read_number(directory / "memory.max", directory / "memory.limit_in_bytes")
        if limit is None or limit >= total_bytes:
            continue
        used = _read_number(directory / "memory.current", directory / "memory.usage_in_bytes") or 0
        used -= min(used, _reclaimable_bytes(directory / "memory.stat"))
        total_bytes = limit
        available_bytes = min(available_bytes, max(limit - used, 0))
    return total_bytes // _BYTES_PER_MIB, available_bytes // _BYTES_PER_MIB


def instruction_sets(proc: Path = _PROC) -> tuple[str, ...]:
    """Name the vector instruction sets that matter to us, from /proc/cpuinfo or sysctl."""
    try:
        lines = (proc / "cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return _macos_instruction_sets() if platform.system() == "Darwin" else ()
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip().lower() in ("flags", "features"):
            present = set(value.split())
            return tuple(name for flag, name in _LINUX_FLAGS.items() if flag in present)
    return ()


def measure_torch_gflops() -> tuple[float, float]:
    """Time float32 and bfloat16 matrix products with torch's current number of threads.

    Widths grow until one product takes long enough to be timed, so a machine on which bfloat16
    is emulated costs milliseconds, not seconds.

    Returns:
        Best float32 and best bfloat16 GFLOP/s seen.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    with torch.no_grad():
        return _best_gflops(torch.float32), _best_gflops(torch.bfloat16)


def _best_gflops(dtype: torch.dtype) -> float:
    import torch

    best = 0.0
    # The very first product starts threads and loads kernels: it must not eat the budget.
    torch.ones((256, 256), dtype=dtype) @ torch.ones((256, 256), dtype=dtype)
    deadline = time.perf_counter() + _PROBE_BUDGET_SECONDS
    for width in _PROBE_WIDTHS:
        left = torch.ones((width, width), dtype=dtype)
        seconds = _shortest_seconds(partial(torch.matmul, left, left), deadline)
        best = max(best, 2.0 * width**3 / seconds / 1e9)
        # The next width costs eight times as much, twice: once to warm up, once timed.
        if time.perf_counter() + 16 * seconds > deadline:
            break
    return best


def _shortest_seconds(product: Callable[[], object], deadline: float) -> float:
    product()  # the first call of a shape sets up the library
    shortest = float("inf")
    for _repetition in range(5):
        began = time.perf_counter()
        product()
        ended = time.perf_counter()
        shortest = min(shortest, ended - began)
        if ended > deadline:
            break
    return max(shortest, 1e-9)


def _cgroup_directories(cgroup: Path, proc: Path) -> list[Path]:
    """List the control groups this process is in, innermost first, limits of all of them count."""
    try:
        lines = (proc / "self" / "cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    directories: list[Path] = []
    for line in lines:
        _number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        wanted = {"": "", "memory": "memory", "cpu": "cpu"}
        for controller in controllers.split(","):
            if controller in wanted:
                top = cgroup / wanted[controller]
                inner = top / path.strip("/")
                directories += [inner, *(p for p in inner.parents if p.is_relative_to(top))]
    return directories


def _cgroup_core_quota(directory: Path) -> float | None:
    try:
        quota, period = (directory / "cpu.max").read_text(encoding="utf-8").split()[:2]
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        quota_us = _read_number(directory / "cpu.cfs_quota_us")
        period_us = _read_number(directory / "cpu.cfs_period_us")
    if quota_us is None or not period_us or quota_us <= 0:
        return None
    return quota_us / period_us


def _read_number(*candidates: Path) -> int | None:
    for path in candidates:
        try:
            return int(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # not there in this version of cgroups, or "max": no limit
    return None


def _reclaimable_bytes(statistics: Path) -> int:
    try:
        lines = statistics.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    fields = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(fields.get("inactive_file", fields.get("total_inactive_file", 0)))


def _system_memory_bytes(proc: Path) -> tuple[int, int]:
    try:
        lines = (proc / "meminfo").read_text(encoding="utf-8").splitlines()
        kibibytes = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
        total = kibibytes["MemTotal"] * 1024
        return total, kibibytes.get("MemAvailable", kibibytes["MemTotal"] // 2) * 1024
    except (OSError, KeyError, IndexError, ValueError):
        total = _total_memory_elsewhere()
    return total, total // 2


def _total_memory_elsewhere() -> int:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _total_memory_windows()


def _total_memory_windows() -> int:
    import ctypes

    class MemoryStatus(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((f"figure{index}", ctypes.c_ulonglong) for index in range(7)),
        )

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.figure0)


def _macos_instruction_sets() -> tuple[str, ...]:
    command = ["/usr/sbin/sysctl", "-a", "machdep.cpu", "hw.optional"]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    words = set(listing.stdout.replace(".", " ").replace(":", " ").split())
    return tuple(name for flag, name in _MACOS_FLAGS.items() if flag in words)
