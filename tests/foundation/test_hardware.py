from __future__ import annotations

import os
import time

import pytest

from sparrowlm.foundation.hardware import (
    Machine,
    instruction_sets,
    memory_mib,
    probe_machine,
    recommended_precision,
    usable_cores,
)


@pytest.fixture
def machine_files(tmp_path):
    """Builds a small /proc and /sys/fs/cgroup from a dict of relative path -> text."""

    def build(files: dict[str, str]):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return {"cgroup": tmp_path / "cgroup", "proc": tmp_path / "proc"}

    return build


MEMINFO = "MemTotal:  8388608 kB\nMemFree: 100 kB\nMemAvailable:  4194304 kB\n"


def test_hardware_precision_needs_a_clear_win():
    assert recommended_precision(100.0, 149.0) == "float32"
    assert recommended_precision(100.0, 150.0) == "bfloat16"
    assert recommended_precision(100.0, 0.5) == "float32"
    assert recommended_precision(None, None) == "float32"


def test_hardware_memory_without_container(machine_files):
    roots = machine_files({"proc/meminfo": MEMINFO})
    assert memory_mib(**roots) == (8192, 4096)


def test_hardware_memory_limit_of_the_outer_group_counts(machine_files):
    roots = machine_files({
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "0::/outer/inner\n",
        "cgroup/outer/inner/memory.max": "max\n",
        "cgroup/outer/memory.max": str(1 << 30),
        "cgroup/outer/memory.current": str(512 << 20),
        "cgroup/outer/memory.stat": f"anon 5\ninactive_file {256 << 20}\n",
    })  # fmt: skip
    assert memory_mib(**roots) == (1024, 768)


def test_hardware_memory_limit_of_version_one(machine_files):
    roots = machine_files({
        "proc/meminfo": MEMINFO,
        "proc/self/cgroup": "5:memory:/box\n4:cpu,cpuacct:/box\n",
        "cgroup/memory/box/memory.limit_in_bytes": str(2 << 30),
        "cgroup/memory/box/memory.usage_in_bytes": str(1 << 30),
        "cgroup/cpu/box/cpu.cfs_quota_us": "100000",
        "cgroup/cpu/box/cpu.cfs_period_us": "100000",
    })  # fmt: skip
    assert memory_mib(**roots) == (2048, 1024)
    assert usable_cores(**roots) == 1


@pytest.mark.parametrize(
    ("quota", "expected"), [("50000 100000", 1), ("max 100000", None), ("900000 1000", None)]
)
def test_hardware_core_quota(machine_files, monkeypatch, quota, expected):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    roots = machine_files({"proc/self/cgroup": "0::/\n", "cgroup/cpu.max": quota})
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert usable_cores(**roots) == (expected or affinity)


@pytest.mark.parametrize(("asked", "is_one"), [("1", True), ("1,2", True), ("many", False)])
def test_hardware_cores_asked_for_by_the_environment(machine_files, monkeypatch, asked, is_one):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    roots = machine_files({"proc/self/cgroup": "0::/\n"})
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: {0, 1, 2}, raising=False)
    assert usable_cores(**roots) == (1 if is_one else 3)


def test_hardware_unreadable_numbers_are_no_limit(machine_files):
    roots = machine_files({
        "proc/meminfo": "garbage",
        "proc/self/cgroup": "\nnonsense\n0::/\n",
        "cgroup/memory.max": "many",
        "cgroup/cpu.max": "",
    })  # fmt: skip
    total_mib, available_mib = memory_mib(**roots)
    assert 0 < available_mib <= total_mib
    assert usable_cores(**roots) >= 1


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni amx_bf16\n",
         ("AVX2", "AVX-512", "AVX512-VNNI", "AMX-BF16")),
        ("Features\t: fp asimd asimddp\n", ("NEON", "NEON-DOTPROD")),
        ("model name: something\n", ()),
    ],
)  # fmt: skip
def test_hardware_instruction_sets(machine_files, cpuinfo, expected):
    roots = machine_files({"proc/cpuinfo": cpuinfo})
    assert instruction_sets(roots["proc"]) == expected


def test_hardware_probe_without_torch_is_quick():
    began = time.perf_counter()
    machine = probe_machine(is_torch_measured=False)
    assert time.perf_counter() - began < 0.1
    assert machine.float32_gflops is None
    assert machine.precision == "float32"
    assert machine.num_cores >= 1
    assert 0 < machine.ram_available_mib <= machine.ram_total_mib


def test_hardware_probe_measures_torch():
    pytest.importorskip("torch")
    probe_machine()  # pays for the import
    began = time.perf_counter()
    machine = probe_machine()
    # 50 ms when alone; the bound leaves room for a busy machine.
    assert time.perf_counter() - began < 1.0
    assert isinstance(machine, Machine)
    assert machine.float32_gflops > 0.1
    assert machine.bfloat16_gflops > 0.0
