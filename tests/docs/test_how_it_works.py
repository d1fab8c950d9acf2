"""The walk through the code names only what exists, in both languages alike."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEP = re.compile(r"`(sparrowlm/[\w/]+\.py)`(?:[:：]\s*((?:`[\w.]+`[,、]?\s*)+))?")


def walk(language: str) -> list[tuple[str, list[str]]]:
    text = (ROOT / "docs" / language / "how-it-works.md").read_text(encoding="utf-8")
    return [(path, re.findall(r"`([\w.]+)`", names)) for path, names in STEP.findall(text)]


def defined_names(path: str) -> set[str]:
    names: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)}
    return names


@pytest.mark.parametrize("language", ["en", "zh"])
def test_how_it_works_names_exist(language):
    steps = walk(language)
    assert len(steps) >= 8
    for path, names in steps:
        assert set(names) <= defined_names(path), path


def test_how_it_works_is_the_same_walk_in_both_languages():
    assert walk("en") == walk("zh")


def test_how_it_works_takes_at_most_eight_steps():
    for language in ("en", "zh"):
        text = (ROOT / "docs" / language / "how-it-works.md").read_text(encoding="utf-8")
        assert len(re.findall(r"^## ", text, re.MULTILINE)) <= 8
