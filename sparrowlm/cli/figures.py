"""Figures of models as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sparrowlm.cli.output import write_fields, write_line
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.quantities import format_size

# In the order of the columns; a task has some of them.
COMPARED = (
    "accuracy", "macro_f1", "span_f1", "word_f1", "f1", "average_precision", "hit_at_1",
    "calibration_error",
)  # fmt: skip
_PARTS = ("model", "floor", "encoder")


def columns_of(tables: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the figures that any of the tables has, in the order of the columns."""
    known = list(tables)
    return [name for name in COMPARED if any(name in table for table in known)]


def cell(table: Mapping[str, Any], name: str) -> str:
    """Return a figure as text: shares as per cent, the calibration error as it is."""
    value = table.get(name)
    if value is None:
        return "–"
    return f"{value:.3f}" if name == "calibration_error" else f"{100 * value:.2f}"


def write_row(cells: Sequence[str], name: str) -> None:
    """Write figures, and behind them whose they are: names may be long or Chinese."""
    write_line("  ".join([*(f"{one:>17}" for one in cells), name]))


def write_trained(path: Path, facts: Mapping[str, Any]) -> None:
    """Write what a person asks first after a training; `sparrow info` says everything.

    Args:
        path: of the model.
        facts: what its sparrow.json says.
    """
    measured = facts["measured"]
    parts = measured.get("held_out")
    columns = [] if not isinstance(parts, Mapping) else columns_of(parts.values())
    if columns:
        write_row(columns, say("cli.trained-part"))
        for name in _PARTS:
            if name in parts:
                write_row([cell(parts[name], column) for column in columns], name)
    elif "bits_per_character" in measured:
        known = {name: bits for name, bits in measured["bits_per_character"].items() if bits}
        write_fields({"bits_per_character": known})
    else:
        write_fields({key: one for key, one in measured.items() if isinstance(one, (int, float))})
    write_line(
        say("cli.trained-more", kind=facts["kind"], size=format_size(facts["bytes"]), path=path)
    )
