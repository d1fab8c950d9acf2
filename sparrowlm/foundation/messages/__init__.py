"""Sentences in Chinese and English, one TOML catalogue per room.

A catalogue is ``<room>.toml`` beside this file; each table is one message:

    [nothing-readable]
    en = "No readable text was found in {path}. ..."
    zh = "在 {path} 中没有找到可读的文本。……"

Messages are looked up as ``"room.name"``. Catalogues are read only when a sentence is shown.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

Language = Literal["zh", "en"]


def current_language() -> Language:
    """Return "zh" or "en": SPARROW_LANG first, then the locale variables, else English."""
    for variable in ("SPARROW_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "").lower()
        if value:
            return "zh" if value.startswith(("zh", "chinese")) else "en"
    return "en"


@cache
def catalogue(room: str) -> dict[str, dict[str, str]]:
    """Read one room's catalogue: message name -> language -> sentence."""
    source = Path(__file__).with_name(f"{room}.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def render(
    code: str, fields: Mapping[str, object] | None = None, language: Language | None = None
) -> str:
    """Fill the sentence named by code.

    Args:
        code: "room.name".
        fields: values for the braces of the sentence.
        language: "zh" or "en"; None means the user's own.

    Returns:
        The finished sentence.

    Raises:
        KeyError: the message does not exist (a mistake of ours, found by the tests).
    """
    room, name = code.split(".", 1)
    sentence = catalogue(room)[name][language or current_language()]
    return sentence.format(**(fields or {}))


def say(code: str, **fields: object) -> str:
    """Render a message in the user's language: ``say("planner.title", minutes=5)``."""
    return render(code, fields)
