"""The process behind refinery: refines batch after batch until its input ends."""

from __future__ import annotations

import sys
from collections import Counter

from sparrowlm.corpora.frames import (
    pieces_from_frame,
    read_frame,
    refined_to_frame,
    write_frame,
)
from sparrowlm.corpora.refining import Refining


def main(arguments: list[str]) -> None:
    """Serve one parent.

    Args:
        arguments: of Refining.arguments.
    """
    refining = Refining.from_arguments(arguments)
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        counts: Counter[str] = Counter()
        refined = refining.refine_batch(pieces_from_frame(*frame), counts)
        write_frame(sys.stdout.buffer, *refined_to_frame(refined, counts))


if __name__ == "__main__":
    main(sys.argv[1:])
