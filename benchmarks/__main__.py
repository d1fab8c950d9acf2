"""All benchmarks one after another: python -m benchmarks [NAME ...]; see the top of each file."""

from __future__ import annotations

import subprocess
import sys

# Short ones first; the last two take about half an hour each.
_NAMES = (
    "ngram",
    "corpus_preparation",
    "word_vectors",
    "start_up",
    "lstm",
    "personal_data",
    "large_faults",
    "masked_escalations",
    "labelling_kills",
    "training_speed",
    "kills",
    "tinyshakespeare",
    "novels_zh",
)


def main() -> None:
    chosen = sys.argv[1:] or list(_NAMES)
    unknown = set(chosen) - set(_NAMES)
    if unknown:
        sys.exit(f"Unknown: {' '.join(sorted(unknown))}. Choose from: {' '.join(_NAMES)}")
    failed = []
    for name in chosen:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"Failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
