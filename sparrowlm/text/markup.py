"""HTML to plain text: the words a reader would read, block by block.

Scripts, styles, forms, navigation and the like are removed, every block element ends a line, and
lines that are mostly links (menus, "related articles") are dropped as boilerplate.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

_REMOVED = frozenset((
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "math",
    "canvas", "head", "nav", "footer", "aside", "form", "button", "select", "textarea",
    "input", "dialog",
))  # fmt: skip
_REMOVED_ROLES = frozenset((
    "navigation", "banner", "contentinfo", "search", "complementary",
))  # fmt: skip
_BLOCKS = frozenset((
    "address", "article", "blockquote", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr",
    "li", "main", "ol", "p", "pre", "section", "summary", "table", "tr", "ul", "br",
    "caption", "title", "body", "option", "legend",
))  # fmt: skip
_CELLS = frozenset(("td", "th"))
# Private marks, not found in any document that went through the cleaning of control signs.
_LINE, _LINK_START, _LINK_END, _PRE_LINE = "\x02", "\x03", "\x04", "\x05"
_MARKS = re.compile("[\x02-\x05]")
_MARKUP_LINK_SHARE = 0.6
_BOILERPLATE_CHARACTERS = 200
_HTML_START = re.compile(
    r"^\ufeff?\s*(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)


def looks_like_html(text: str) -> bool:
    """Whether text begins like an HTML page."""
    return _HTML_START.match(text[:4096]) is not None


def html_to_text(html: str, counts: Counter[str] | None = None) -> str:
    """Extract the readable text of a page.

    Args:
        html: a page or a fragment, however broken.
        counts: receives "boilerplate" (lines dropped).

    Returns:
        One line per block; an empty string when the page holds no text.
    """
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(_MARKS.sub("", html).replace("\0", ""))
    root = tree.body or tree.root
    if root is None:
        return ""
    return _lines("".join(_marked_text(root)), counts if counts is not None else Counter())


def _marked_text(root: Any) -> Iterator[str]:  # noqa: ANN401 - selectolax has no types
    """Walk the tree without changing it: text, with marks where blocks and links begin and end."""
    node = root.child
    open_elements: list[tuple[Any, str, bool]] = []  # next sibling, mark at the end, is pre
    num_pre = 0
    while node is not None or open_elements:
        if node is None:
            node, mark, is_pre = open_elements.pop()
            num_pre -= is_pre
            yield mark
            continue
        tag = node.tag
        if tag == "-text":
            text = node.text_content or ""
            yield text.replace("\n", _PRE_LINE) if num_pre else text
            node = node.next
        elif tag in _REMOVED or tag.startswith(("-", "!")) or _is_hidden(node):
            node = node.next
        else:
            opening, closing = _element_marks(tag)
            yield opening
            num_pre += tag == "pre"
            open_elements.append((node.next, closing, tag == "pre"))
            node = node.child


def _element_marks(tag: str) -> tuple[str, str]:
    if tag in _BLOCKS:
        return _LINE, _LINE
    if tag == "a":
        return _LINK_START, _LINK_END
    return ("", " ") if tag in _CELLS else ("", "")


def _is_hidden(node: Any) -> bool:  # noqa: ANN401 - selectolax has no types
    attributes = node.attributes
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") in _REMOVED_ROLES
    )


def _lines(marked: str, counts: Counter[str]) -> str:
    kept: list[str] = []
    depth = 0
    for block in marked.split(_LINE):
        depth, linked = _linked_characters(block, depth)
        text = _plain(block)
        if not text:
            continue
        if _is_boilerplate(text, linked):
            counts["boilerplate"] += 1
            continue
        kept += [line.rstrip() for line in text.split("\v")]
    return "\n".join(kept).strip("\n")


def _plain(block: str) -> str:
    """Return the words of a block, white space made single, marks removed."""
    if block.isprintable() and "\u3000" not in block:  # no marks, and no white space but spaces
        return " ".join(block.split())
    text = _MARKS.sub("", block.replace(_PRE_LINE, "\v"))
    return re.sub(r"[^\S\v\u3000]+", " ", text).strip(" \u3000")


def _linked_characters(block: str, depth: int) -> tuple[int, int]:
    """Count the characters inside links; links may span blocks."""
    linked = 0
    if not depth and _LINK_START not in block:
        return 0, 0
    for part in re.split(f"([{_LINK_START}{_LINK_END}])", block):
        if part == _LINK_START:
            depth += 1
        elif part == _LINK_END:
            depth = max(depth - 1, 0)
        elif depth:
            linked += len("".join(part.split()))
    return depth, linked


def _is_boilerplate(text: str, linked: int) -> bool:
    visible = len("".join(text.split()))
    if visible > _BOILERPLATE_CHARACTERS or re.search("[。！？!?.…]", text):
        return False
    return linked > _MARKUP_LINK_SHARE * visible
