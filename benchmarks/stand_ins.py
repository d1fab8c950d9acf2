"""The tests' own servers and lines, which benchmarks share."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fault_proxy import FAULTS, HARMLESS, FaultProxy
from labelling_server import answered, kept
from large_stand_in import MODEL, StandIn
from personal_lines import harmless_lines, personal_lines
from token_by_token import choice_tokens

__all__ = [
    "FAULTS",
    "HARMLESS",
    "MODEL",
    "FaultProxy",
    "StandIn",
    "answered",
    "choice_tokens",
    "harmless_lines",
    "kept",
    "personal_lines",
]
