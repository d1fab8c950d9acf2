"""The command line: one verb per file, nothing heavy imported before a verb needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command `sparrow` and leave the process with its exit code.

    Args:
        arguments: words after the command's name; None takes them from the process.
    """
    from sparrowlm.cli.guard import run_guarded

    sys.exit(run_guarded(list(sys.argv[1:] if arguments is None else arguments)))
