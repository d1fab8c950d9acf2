"""The page that people see: static files of ours, nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

_FOLDER = files("sparrowlm.serving") / "page"
_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_SCRIPTS = (
    "alternatives", "bars", "card", "chat", "classify", "curve", "decision", "docs", "editor",
    "elements", "embed", "events", "examples", "key", "lines", "marked_text", "match", "model",
    "next_words", "notices", "page", "preferences", "sampling", "schemas", "server", "tag", "words",
    "words_en", "words_zh", "write", "written",
)  # fmt: skip
_STYLES = ("docs", "page", "views")
_FILES = {
    "/": "index.html",
    "/docs": "docs.html",
    "/favicon.svg": "sparrow.svg",
    "/page/below.svg": "below.svg",
    **{f"/page/{name}.js": f"{name}.js" for name in _SCRIPTS},
    **{f"/page/{name}.css": f"{name}.css" for name in _STYLES},
}


@cache
def _content(name: str) -> tuple[bytes, str]:
    kind = _KINDS[name.rpartition(".")[2]]
    return (_FOLDER / name).read_bytes(), f"{kind}; charset=utf-8"


def _reader(name: str) -> Callable[[], tuple[bytes, str]]:
    return lambda: _content(name)


PAGES: dict[str, Callable[[], tuple[bytes, str]]] = {
    path: _reader(name) for path, name in _FILES.items()
}


def page_headers() -> dict[str, str]:
    """Return what keeps a page from loading or telling anything elsewhere."""
    return {
        "content-security-policy": (
            "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; object-src 'none'; "
            # Nothing is ever read as HTML: the browser itself forbids it.
            "require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-cache",
    }
