"""Search in a process that has never seen torch: python -m benchmarks.matching_search FOLDER

The folder holds model/ and asked.json, as benchmarks/matching.py leaves them.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from sparrowlm.runtime.directory import ModelDirectory
from sparrowlm.tasks.match.model import load_matcher


def search_once(folder: Path) -> None:
    """Load a matcher in a process of its own, search, and print time and memory."""
    asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
    before = memory()
    began = time.perf_counter()
    matcher = load_matcher(ModelDirectory(folder / "model"), None)
    loading = time.perf_counter() - began
    matcher.search(asked[0])
    times = []
    for question in asked:
        began = time.perf_counter()
        matcher.search(question, 5)
        times.append(1000 * (time.perf_counter() - began))
    after = memory()
    print(
        f"loaded in {loading:.2f} s; search median {np.median(times):.1f} ms, 95 % "
        f"{np.quantile(times, 0.95):.1f} ms, longest {max(times):.1f} ms; own memory "
        f"+{after[1] - before[1]:.1f} MB, resident with file pages {after[0]:.1f} MB "
        f"(before loading {before[0]:.1f} MB)"
    )


def memory() -> tuple[float, float]:
    """Return resident memory, and what of it is the process's own and not a file's, MB."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    page = resource.getpagesize()
    return int(pages[1]) * page / 1e6, (int(pages[1]) - int(pages[2])) * page / 1e6


if __name__ == "__main__":
    search_once(Path(sys.argv[1]))
