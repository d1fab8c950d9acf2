"""report.html: one training on one page, in Chinese and English, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files

from sparrowlm.export.chart import Series, bar_chart, line_chart
from sparrowlm.export.facts import (
    comparison_rows,
    data_rows,
    model_rows,
    recipe_rows,
    score_rows,
)
from sparrowlm.export.run_record import RunRecord
from sparrowlm.foundation.messages import Language, current_language, render

_LANGUAGES: tuple[Language, ...] = ("zh", "en")
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
        _section("model", _per_language(lambda at: _table(model_rows(record, at)))),
        _section("scores", _note("scores-note") + _scores(record)),
        _section("curve", _curve(record)),
        _section("compared", _compared(record)),
        _section("samples", _samples(record)),
        _section("data", _per_language(lambda at: _table(data_rows(record, at)))),
        _section("tokens", _tokens(record)),
        _section("recipe", _per_language(lambda at: _table(recipe_rows(record, at)))),
        _section("limits", _note("limits-text")),
    ]
    language = current_language()
    fields = {"name": record.name}
    return _PAGE.format(
        language=language,
        title=escape(render("export.report-title", fields, language)),
        style=_asset("report.css"),
        script=_asset("report.js"),
        heading=_both("report-title", **fields),
        made=_both("made-with"),
        body="\n".join(section for section in sections if section),
    )


_PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<header>
<button type="button" id="language">中文 / English</button>
<h1>{heading}</h1>
<p>{made}</p>
</header>
<main>
{body}
</main>
<script>
{script}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return files("sparrowlm.export").joinpath(name).read_text(encoding="utf-8")


def _both(code: str, **fields: object) -> str:
    """Render a message in both languages; the page shows one of them."""
    return "".join(
        f'<span class="{at}" lang="{at}">{escape(render(f"export.{code}", fields, at))}</span>'
        for at in _LANGUAGES
    )


def _per_language(make: Callable[[Language], str]) -> str:
    halves = [(at, make(at)) for at in _LANGUAGES]
    return "".join(f'<div class="{at}" lang="{at}">{half}</div>' for at, half in halves if half)


def _section(name: str, body: str) -> str:
    if not body:
        return ""
    return f'<section id="{name}">\n<h2>{_both(f"heading-{name}")}</h2>\n{body}\n</section>'


def _note(code: str) -> str:
    return f"<p>{_both(code)}</p>"


def _table(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    lines = [
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    ]
    if not lines:
        return ""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    return "<table>" + (f"<tr>{head}</tr>" if head else "") + "".join(lines) + "</table>"


def _scores(record: RunRecord) -> str:
    return _per_language(lambda at: _table(score_rows(record, at)))


def _compared(record: RunRecord) -> str:
    def half(at: Language) -> str:
        names = ("what", "predicted", "measured")
        heads = [render(f"export.column-{name}", None, at) for name in names]
        return _table(comparison_rows(record, at), heads)

    return _per_language(half)


def _curve(record: RunRecord) -> str:
    if not record.curve:
        return _note("no-curve")
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
        f'<li><i class="{one.style}"></i>{_both(f"series-{one.style}")}</li>' for one in shown
    )
    chart = line_chart(shown, render("export.curve-note"))
    return f'{_note("curve-note")}{chart}<ul class="legend">{legend}</ul>'


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
