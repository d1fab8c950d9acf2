"""Results on stdout: lines for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sparrowlm.foundation.errors import DataError
from sparrowlm.foundation.messages import say

JsonFlag = Annotated[bool, Parameter(name="--json", negative="", help=say("cli.json-flag"))]
"""The option that every verb has."""

ModelPath = Annotated[Path, Parameter(name="MODEL", help=say("cli.model-argument"))]
"""The first argument of every verb that uses a model."""


def write_json(value: object) -> None:
    """Write a value as one line of JSON, Chinese as it is."""
    write_line(json.dumps(value, ensure_ascii=False))


def write_line(text: str) -> None:
    """Write one line of results."""
    sys.stdout.write(text + "\n")


def write_piece(text: str) -> None:
    """Write a piece of a line at once, as it streams in."""
    sys.stdout.write(text)
    sys.stdout.flush()


def visible(word: str) -> str:
    r"""Show a word on one line: line ends and tabs as \n and \t, a lone space as ␣."""
    shown = word.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return shown if shown.strip() else shown.replace(" ", "␣")


def write_fields(fields: Mapping[str, Any], indent: str = "") -> None:
    """Write nested fields as indented lines, numbers shortened."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            write_line(f"{indent}{name}:")
            write_fields(value, indent + "  ")
        else:
            shown = f"{value:.4f}" if isinstance(value, float) else value
            write_line(f"{indent}{name}: {shown}")


def read_text(path: Path) -> str:
    """Read a whole UTF-8 text; "-" means standard input.

    Raises:
        DataError: the file is missing, is a directory, or is not UTF-8.
    """
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise DataError("foundation.file-missing", path=path, directory=Path.cwd()) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("cli.text-unreadable", path=path, reason=error) from error
