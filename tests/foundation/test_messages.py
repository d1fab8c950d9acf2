"""Every sentence stands in both languages, with the same fields, and is used somewhere."""

from __future__ import annotations

import ast
import string
import tomllib
from functools import cache
from pathlib import Path

import pytest

import sparrowlm

PACKAGE = Path(sparrowlm.__file__).parent
CATALOGUES = sorted((PACKAGE / "foundation" / "messages").glob("*.toml"))
SPEAKING_CALLS = {"say", "render"}


@cache
def sentences() -> dict[str, dict[str, str]]:
    return {
        f"{path.stem}.{name}": texts
        for path in CATALOGUES
        for name, texts in tomllib.loads(path.read_text(encoding="utf-8")).items()
    }


@cache
def mentioned_codes() -> tuple[frozenset[str], frozenset[str]]:
    """Codes standing anywhere in the source as a whole string, and codes surely spoken."""
    anywhere: set[str] = set()
    spoken: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                anywhere.add(node.value)
            if isinstance(node, ast.Call) and node.args and _speaks(node.func):
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    spoken.add(first.value)
    return frozenset(anywhere), frozenset(spoken)


@cache
def formatted_beginnings() -> frozenset[str]:
    """Beginnings of codes that are finished by an f-string: f"export.label-{name}"."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                beginning = str(node.values[0].value)
                if beginning.endswith("-") and len(beginning) > 4:
                    found.add(beginning)
    return frozenset(found)


@cache
def composed_prefixes() -> frozenset[str]:
    """Beginnings of codes that are put together: f"export.kind-{kind}", "planner." + name."""
    prefixes: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            first = None
            if isinstance(node, ast.JoinedStr) and node.values:
                first = node.values[0]
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                first = node.left
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                prefixes.add(first.value)
    rooms = {path.stem for path in CATALOGUES}
    return frozenset(p for p in prefixes if p.partition(".")[0] in rooms and "." in p)


def is_composed(code: str, anywhere: frozenset[str]) -> bool:
    """Whether a known beginning and a string that stands in the source make up the code."""
    return any(
        code.startswith(prefix) and code.removeprefix(prefix) in anywhere
        for prefix in composed_prefixes()
    )


def _speaks(function: ast.expr) -> bool:
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if name in SPEAKING_CALLS:
        return True
    from sparrowlm.foundation import errors

    kind = getattr(errors, name, None)
    return isinstance(kind, type) and issubclass(kind, errors.SparrowError)


def fields(sentence: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(sentence) if name}


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_messages_are_sorted_into_existing_rooms(path):
    room = PACKAGE / path.stem
    assert room.is_dir() or room.with_suffix(".py").is_file()


@pytest.mark.parametrize("code", sorted(sentences()))
def test_messages_stand_in_both_languages_with_the_same_fields(code):
    texts = sentences()[code]
    assert set(texts) == {"en", "zh"}
    assert texts["en"].strip() and texts["zh"].strip()
    assert fields(texts["en"]) == fields(texts["zh"])
    assert not any(name == "" for name in fields(texts["en"]))


def test_messages_chinese_sentences_are_chinese():
    for code, texts in sentences().items():
        if any(character.isalpha() for character in texts["en"]) and len(texts["en"]) > 40:
            assert any("一" <= character <= "鿿" for character in texts["zh"]), code


def test_messages_are_all_used():
    anywhere, _spoken = mentioned_codes()
    beginnings = tuple(formatted_beginnings())
    unused = []
    for code in sorted(set(sentences()) - anywhere):
        name = code.split(".", 1)[1]
        is_formed = code.startswith(beginnings) or name.startswith(beginnings)
        if name not in anywhere and not is_formed:
            unused.append(code)
    assert unused == []


def test_messages_that_are_used_exist():
    _anywhere, spoken = mentioned_codes()
    assert sorted(code for code in spoken if code not in sentences()) == []
