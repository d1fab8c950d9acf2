"""What a compression did, on one page: figures before and after, and what other sizes lose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparrowlm.export.chart import Series, line_chart
from sparrowlm.export.page import note, page, per_language, section, table
from sparrowlm.foundation.messages import Language, render
from sparrowlm.foundation.quantities import format_size

_SPEEDS = (
    "tokens_per_second", "streams_tokens_per_second", "prompt_tokens_per_second",
    "first_token_ms", "open_ms", "texts_per_second", "texts_per_second_alone", "memory_mib",
)  # fmt: skip


def compression_page(facts: Mapping[str, Any], name: str) -> str:
    """Write the page.

    Args:
        facts: see api.compressing.compress.
        name: of the model.
    """
    heads = ("what", "before", "after")
    figures = per_language(
        lambda at: table(
            _rows(facts, at), [render(f"export.column-{one}", None, at) for one in heads]
        )
    )
    measured = facts["measured_on"].replace(" ", "-")
    sections = [
        section("compression", note(f"compression-measured-{measured}") + figures),
        section("sizes", _sizes(facts)),
        section("forms", per_language(lambda at: table(_forms(facts, at)))),
    ]
    return page("compression-title", sections, name=name)


def _rows(facts: Mapping[str, Any], at: Language) -> list[tuple[str, ...]]:
    def label(name: str) -> str:
        return render(f"export.compression-{name.replace('_', '-')}", None, at)

    rows: list[tuple[str, ...]] = [
        (label("size"), format_size(facts["bytes_before"]), format_size(facts["bytes"])),
        (label("download"), "", format_size(facts["download_bytes"])),
    ]
    figures = [name for name in facts["before"] if not name.startswith("interval")]
    for name in figures:
        shown = [_figure(facts[when], name) for when in ("before", "after")]
        rows += [
            (label(name), *shown),
            (label("difference"), "", _figure(facts["difference"], name, "+")),
        ]
    for name in _SPEEDS:
        speeds = [facts["speed"][when].get(name) for when in ("before", "after")]
        if None not in speeds:
            rows.append((label(name), *(f"{speed:,.1f}" for speed in speeds)))
    return rows


def _figure(figures: Mapping[str, float], name: str, sign: str = "") -> str:
    if "interval_low" not in figures:
        return f"{figures[name]:{sign}.4f}"
    low, high = figures["interval_low"], figures["interval_high"]
    return f"{figures[name]:{sign}.4f} [{low:{sign}.4f}, {high:{sign}.4f}]"


def _sizes(facts: Mapping[str, Any]) -> str:
    points = [(one["bytes"] / 1e6, 100.0 * one["loss_share"]) for one in facts["tried"]]
    if len(points) < 2:
        return ""
    chart = line_chart([Series("held-out", points)], render("export.compression-chart"))
    return note("compression-chart") + chart


def _forms(facts: Mapping[str, Any], at: Language) -> list[tuple[str, str]]:
    return [
        (render(f"export.form-{name.replace('_', '-')}", None, at), f"{count}")
        for name, count in facts["forms"].items()
    ]
