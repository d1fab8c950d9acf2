"""report.html: one training on one page, in Chinese and English, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape

from sparrowlm.export.chart import Series, bar_chart, line_chart
from sparrowlm.export.facts import (
    comparison_rows,
    data_rows,
    model_rows,
    recipe_rows,
    score_rows,
)
from sparrowlm.export.page import both, note, page, per_language, section, table
from sparrowlm.export.run_record import RunRecord
from sparrowlm.foundation.messages import Language, render

_MOST_SAMPLES = 24
_MOST_TOKENS = 20
_UNITS = {" ": "␣", "\n": "⏎", "\t": "⇥"}


def report_page(record: RunRecord) -> str:
    """Write the report.

    Args:
        record: one training.

    Returns:
        A whole HTML page. Both languages are in it; a button switches, without a script the
        page shows the language it was made in.
    """
    sections = [
        section("model", per_language(lambda at: table(model_rows(record, at)))),
        section("scores", note("scores-note") + _scores(record)),
        section("curve", _curve(record)),
        section("compared", _compared(record)),
        section("samples", _samples(record)),
        section("data", per_language(lambda at: table(data_rows(record, at)))),
        section("tokens", _tokens(record)),
        section("recipe", per_language(lambda at: table(recipe_rows(record, at)))),
        section("limits", note("limits-text")),
    ]
    return page("report-title", sections, name=record.name)


def _scores(record: RunRecord) -> str:
    return per_language(lambda at: table(score_rows(record, at)))


def _compared(record: RunRecord) -> str:
    def half(at: Language) -> str:
        names = ("what", "predicted", "measured")
        heads = [render(f"export.column-{name}", None, at) for name in names]
        return table(comparison_rows(record, at), heads)

    return per_language(half)


def _curve(record: RunRecord) -> str:
    if not record.curve:
        return note("no-curve")
    bits = record.part_bits()
    series = [
        Series("train", record.curve_points("train_nats")),
        Series("held-out", record.curve_points("held_out_nats")),
    ]
    series += [
        Series(style, [(0.0, bits[part])])
        for style, part in (("floor", "ngram"), ("mixture", "mixture"))
        if part in bits
    ]
    shown = [one for one in series if one.points]
    legend = "".join(
        f'<li><i class="{one.style}"></i>{both(f"series-{one.style}")}</li>' for one in shown
    )
    chart = line_chart(shown, render("export.curve-note"))
    return f'{note("curve-note")}{chart}<ul class="legend">{legend}</ul>'


def _samples(record: RunRecord) -> str:
    chosen = list(record.samples)
    if len(chosen) > _MOST_SAMPLES:
        step = (len(chosen) - 1) / (_MOST_SAMPLES - 1)
        chosen = [chosen[round(number * step)] for number in range(_MOST_SAMPLES)]
    items = [
        f"<li><time>{float(sample['seconds']):.0f} s</time>"
        f"<blockquote>{escape(str(sample['text']))}</blockquote></li>"
        for sample in chosen
    ]
    return f'<ol class="samples">{"".join(items)}</ol>' if items else ""


def _tokens(record: RunRecord) -> str:
    frequent = record.data.get("frequent_tokens") or ()
    rows = [(_visible(str(text)), float(count)) for text, count in frequent[:_MOST_TOKENS]]
    return bar_chart(rows, render("export.heading-tokens"))


def _visible(token: str) -> str:
    """Show white space as signs, and what cannot be shown as its code."""
    return "".join(
        _UNITS.get(sign) or (sign if sign.isprintable() else f"\\x{ord(sign):02x}")
        for sign in token
    )
