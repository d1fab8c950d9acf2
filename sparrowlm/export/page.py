"""The frame of every report: one page, in Chinese and English, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from importlib.resources import files

from sparrowlm.foundation.messages import Language, current_language, render

LANGUAGES: tuple[Language, ...] = ("zh", "en")


def page(title: str, sections: Sequence[str], **fields: object) -> str:
    """Put sections into a page.

    Args:
        title: message of the export room.
        sections: finished parts; empty ones are left out.
        **fields: of the title.

    Returns:
        Both languages are in it; a button switches, without a script the page shows the language
        it was made in.
    """
    language = current_language()
    return _PAGE.format(
        language=language,
        title=escape(render(f"export.{title}", fields, language)),
        style=_asset("report.css"),
        script=_asset("report.js"),
        heading=both(title, **fields),
        made=both("made-with"),
        body="\n".join(one for one in sections if one),
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


def both(code: str, **fields: object) -> str:
    """Render a message in both languages; the page shows one of them."""
    return "".join(
        f'<span class="{at}" lang="{at}">{escape(render(f"export.{code}", fields, at))}</span>'
        for at in LANGUAGES
    )


def per_language(make: Callable[[Language], str]) -> str:
    """Return what make writes in each language; the page shows one of them."""
    halves = [(at, make(at)) for at in LANGUAGES]
    return "".join(f'<div class="{at}" lang="{at}">{half}</div>' for at, half in halves if half)


def section(name: str, body: str) -> str:
    """Return a part of the page under its heading, nothing where there is no body."""
    if not body:
        return ""
    return f'<section id="{name}">\n<h2>{both(f"heading-{name}")}</h2>\n{body}\n</section>'


def note(code: str) -> str:
    """Return a paragraph of one message."""
    return f"<p>{both(code)}</p>"


def table(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return a table whose first cells are headings; nothing where there are no rows."""
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
