"""Build the programs that need no Python, for this machine and for others.

    python native/build_programs.py -o dist                    everything that is listed below
    python native/build_programs.py -o dist wasm aarch64-linux-musl

    wasm                  for browsers and Node: sparrow.wasm and sparrow.js, which write;
                          sparrow-tasks.wasm and sparrow-tasks.js, which classify, tag, embed,
                          fill
    c                     libsparrow.a, sparrow.h and an example, for programs in C on this machine
    x86_64-linux-musl     sparrow-run for any Linux, nothing else needed
    aarch64-linux-musl    the same for ARM: Raspberry Pi, phones through adb or Termux
    aarch64-macos         for Apple's computers
    x86_64-windows-gnu    for Windows (one thread)

The compiler is zig's clang, from PyPI: pip install ziglang.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ENGINE = HERE / "engine"
COMMON = [
    "-std=c++17", "-ffp-contract=off", "-fno-math-errno", "-fno-exceptions", "-fno-rtti",
    "-fno-threadsafe-statics", "-fno-sanitize=all", "-ffunction-sections", "-fdata-sections",
    "-Wall", "-Wno-psabi",
]  # fmt: skip
_AMX = "kernels_amx"
_AVX512 = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni", "-mf16c"]
X86_KERNELS = {
    "kernels_avx2": ["-mavx2", "-mf16c", "-DWITH_AVX_VNNI"],
    "kernels_avx_vnni": ["-mavx2", "-mf16c", "-mavxvnni"],
    "kernels_avx512_vnni": _AVX512,
    _AMX: [*_AVX512, "-mamx-tile", "-mamx-int8"],
}
ARM_KERNELS = {"kernels_neon": [], "kernels_neon_dotprod": ["-mcpu=generic+dotprod"]}
RUN = ("main", "answers", "mapped_file", "options")
WASM_PROGRAMS = {"sparrow": "exports", "sparrow-tasks": "task_exports"}
C_FILES = ("sparrow.h", "sparrow_tasks.h", "example.c", "tasks_example.c")
TARGETS = (
    "wasm", "c", "x86_64-linux-musl", "aarch64-linux-musl", "aarch64-macos", "x86_64-windows-gnu",
)  # fmt: skip


def engine_sources() -> list[str]:
    """Return the files that every machine compiles, as CMakeLists.txt has them."""
    text = (ENGINE / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = text.partition("set(ENGINE_SOURCES")[2].partition(")")[0]
    return [name.removesuffix(".cpp") for name in listed.split()]


def zig(*arguments: str | Path, tool: str = "c++") -> None:
    """Run zig's C++ compiler, or another of its tools."""
    command = [sys.executable, "-m", "ziglang", tool, *map(str, arguments)]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("The compiler refused; see above. Is ziglang installed? pip install ziglang")


def level(source: Path) -> str:
    """Return how hard the compiler works: only kernels of fast machines are worth their size."""
    is_large = source.stem.startswith("kernels") and source.stem not in ("kernels_portable", _AMX)
    return "-O3" if is_large else "-Os"


def with_letters(folder: Path) -> Path:
    """Write letters.h into a folder; return the folder."""
    subprocess.run([sys.executable, ENGINE / "make_letters.py", folder / "letters.h"], check=True)
    return folder


def build_wasm(output: Path) -> list[Path]:
    """Compile the engine for browsers; return the files."""
    names = [name for name in engine_sources() if name != "kernels_portable"]
    sources = [ENGINE / f"{name}.cpp" for name in [*names, "kernels_wasm"]]
    sources += [HERE / "wasm" / f"{name}.cpp" for name in ("library", *WASM_PROGRAMS.values())]
    machine = ["-target", "wasm32-freestanding", "-nostdlib"]
    made: list[Path] = []
    with tempfile.TemporaryDirectory() as name:
        folder = with_letters(Path(name))
        options = [
            *machine, *COMMON, "-msimd128", "-nostdinc++", "-I", HERE / "wasm" / "include",
            "-I", folder,
        ]  # fmt: skip

        def one(source: Path) -> Path:
            made = folder / f"{source.stem}.o"
            zig(*options, level(source), "-c", source, "-o", made)
            return made

        with ThreadPoolExecutor(2) as pool:
            objects = list(pool.map(one, sources))
        for program, exports in WASM_PROGRAMS.items():
            others = {folder / f"{other}.o" for other in WASM_PROGRAMS.values() if other != exports}
            target = output / f"{program}.wasm"
            zig(
                *machine, "-Wl,--no-entry", "-Wl,-z,stack-size=65536", "-s", "-o", target,
                *(file for file in objects if file not in others),
            )  # fmt: skip
            made += [target, Path(shutil.copy(HERE / "wasm" / f"{program}.js", output))]
    return made


def compiled(target: str | None, further: Sequence[Path], folder: Path) -> list[Path]:
    """Compile the engine and further sources for a machine (None: this one); return the objects."""
    machine = target or platform.machine()
    kernels = ARM_KERNELS if machine.startswith(("aarch64", "arm64")) else X86_KERNELS
    options: dict[Path, list[str]] = {ENGINE / f"{name}.cpp": [] for name in engine_sources()}
    options |= {source: [] for source in further}
    options |= {ENGINE / f"{name}.cpp": extra for name, extra in kernels.items()}
    if "kernels_avx_vnni" in kernels:
        options[ENGINE / "choosing.cpp"] = ["-DWITH_AVX_VNNI", "-DWITH_AMX"]
    # A program for this machine's family, not for this very processor.
    chosen = ["-target", target] if target else ["-mcpu=baseline"]
    with_letters(folder)

    def one(source: Path) -> Path:
        made = folder / f"{source.stem}.o"
        zig(
            *chosen, level(source), *COMMON, *options[source], "-I", folder, "-c", source, "-o",
            made,
        )  # fmt: skip
        return made

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(one, options))


def build_run(target: str, output: Path) -> list[Path]:
    """Compile sparrow-run; return the file."""
    suffix = ".exe" if "windows" in target else ""
    program = output / f"sparrow-run-{target}{suffix}"
    with tempfile.TemporaryDirectory() as folder:
        sources = [HERE / "run" / f"{name}.cpp" for name in RUN]
        objects = compiled(target, sources, Path(folder))
        static = ["-static", "-Wl,--gc-sections"] if "linux" in target else []
        zig("-target", target, "-nostdlib++", *static, "-s", "-o", program, *objects)
    return [program]


def build_c(output: Path) -> list[Path]:
    """Compile libsparrow for this machine; return the files."""
    library = output / "libsparrow.a"
    library.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        sources = [HERE / "c" / f"{name}.cpp" for name in ("sparrow", "sparrow_tasks")]
        sources.append(HERE / "run" / "mapped_file.cpp")
        objects = compiled(None, sources, Path(folder))
        zig("rcs", library, *objects, tool="ar")
    copies = [Path(shutil.copy(HERE / "c" / name, output)) for name in C_FILES]
    return [library, *copies]


def asked(
    description: str | None, known: Sequence[str], arguments: Sequence[str] | None
) -> tuple[Sequence[str], Path]:
    """Return what the command line names (all that is known without names), and the folder."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="one of those above")
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"))
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    options.output.mkdir(parents=True, exist_ok=True)
    return options.names or known, options.output


def main(arguments: Sequence[str] | None = None) -> None:
    """Build what the command line names."""
    targets, output = asked(__doc__, TARGETS, arguments)
    for target in targets:
        special = {"wasm": build_wasm, "c": build_c}
        build = special.get(target)
        files = build(output) if build else build_run(target, output)
        for made in files:
            sys.stdout.write(f"{made}  {made.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
