"""The tests' own servers and lines, which benchmarks share."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fault_proxy import FAULTS, HARMLESS, FaultProxy
from large_stand_in import MODEL, StandIn
from personal_lines import harmless_lines, personal_lines

__all__ = [
    "FAULTS",
    "HARMLESS",
    "MODEL",
    "FaultProxy",
    "StandIn",
    "harmless_lines",
    "personal_lines",
]
