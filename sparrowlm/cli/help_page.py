"""Help pages in two columns that stay aligned when half of the words are Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

_WIDEST_LABEL_CELLS = 26
_WIDEST_PAGE_CELLS = 100


class HelpPage:
    """Writes usage, description and panels as plain aligned text (cyclopts' HelpFormatter).

    Args:
        text: what the command is for, with its examples as they are laid out.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def render_usage(self, console: Any, _options: Any, usage: Any) -> None:  # noqa: ANN401
        """Write the usage line."""
        if usage:
            self._write(console, f"{str(usage).strip()}\n")

    def render_description(self, console: Any, _options: Any, _description: Any) -> None:  # noqa: ANN401
        """Write what the command is for."""
        self._write(console, f"{self._text}\n")

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Write one panel: a title, then a line or more for each entry."""
        if not panel.entries:
            return
        self._write(console, f"{_plain(panel.title, console)}:")
        width_cells = min(console.width, _WIDEST_PAGE_CELLS)
        rows = [(_label(entry), _explanation(entry, console)) for entry in panel.entries]
        for line in aligned_rows(rows, width_cells):
            self._write(console, line)
        self._write(console, "")

    def _write(self, console: Console, text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def aligned_rows(rows: list[tuple[str, str]], width_cells: int) -> list[str]:
    """Lay out labels and explanations in two columns.

    Args:
        rows: (label, explanation) pairs.
        width_cells: columns of the terminal; a Chinese character takes two.

    Returns:
        Lines, none wider than the terminal except where one label is.
    """
    from rich.cells import cell_len, set_cell_size

    widest = max((cell_len(label) for label, _text in rows), default=0)
    column = min(widest, _WIDEST_LABEL_CELLS) + 4
    lines: list[str] = []
    for label, explanation in rows:
        wrapped = wrap_cells(explanation, max(width_cells - column, 20))
        head = f"  {label}"
        if cell_len(head) + 2 > column:
            lines.append(head)
            head = ""
        for text in wrapped or [""]:
            lines.append((set_cell_size(head, column) + text).rstrip())
            head = ""
    return lines


def wrap_cells(text: str, width_cells: int) -> list[str]:
    """Break text into lines: at spaces in English, anywhere between Chinese characters."""
    from rich.cells import cell_len

    lines: list[str] = []
    line, used = "", 0
    for piece in _pieces(text):
        cells = cell_len(piece)
        if used + cells > width_cells and line:
            lines.append(line.rstrip())
            line, used = "", 0
            piece = piece.lstrip()  # noqa: PLW2901 - a line never begins with the space it broke at
            cells = cell_len(piece)
        line += piece
        used += cells
    return [*lines, line.rstrip()] if line.strip() else lines


_NEVER_FIRST = "，。；：、！？）”》"


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for character in " ".join(text.split()):
        is_wide = ord(character) >= 0x2E80
        joins = bool(pieces) and (
            character in _NEVER_FIRST
            or (not is_wide and character != " " and not ord(pieces[-1][-1]) >= 0x2E80)
        )
        if joins:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _label(entry: HelpEntry) -> str:
    # "--output -o DIR" reads worse than "-o --output DIR".
    if entry.positional_label:
        return entry.positional_label
    names = [*entry.positive_shorts, *entry.positive_names]
    return " ".join([*names, entry.metavar] if entry.metavar else names)


def _explanation(entry: HelpEntry, console: Console) -> str:
    text = _plain(entry.description, console).partition("\n")[0]
    notes = []
    if entry.choices:
        notes.append(say("cli.help-choices", choices=" ".join(entry.choices)))
    if entry.required:
        notes.append(say("cli.help-required"))
    elif entry.default not in (None, "None", "", "False"):
        notes.append(say("cli.help-default", default=entry.default))
    return "".join([text, *notes]) if text.endswith("。") else " ".join([text, *notes])


def _plain(renderable: Any, console: Console) -> str:  # noqa: ANN401 - str or anything rich renders
    if renderable is None or isinstance(renderable, str):
        return str(renderable or "").rstrip()
    if hasattr(renderable, "plain"):
        return str(renderable.plain).rstrip()
    with console.capture() as capture:
        console.print(renderable, markup=False, highlight=False, soft_wrap=True)
    return capture.get().rstrip()
