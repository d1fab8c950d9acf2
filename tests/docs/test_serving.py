"""The guide to serving: its options and paths exist, its limits are those of the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from sparrowlm.serving.routes import ROUTES
from sparrowlm.serving.settings import Limits

ROOT = Path(__file__).parents[2]


def guide(language: str) -> str:
    return (ROOT / "docs" / language / "serving.md").read_text(encoding="utf-8")


def commands(language: str) -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", guide(language), re.DOTALL)
    lines = [line for block in blocks for line in block.strip().split("\n")]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("sparrow ")]


def test_options_of_the_guide_exist_alike_in_both_languages():
    assert commands("en") == commands("zh")
    helps = {}
    for _program, verb, *words in commands("en"):
        if verb not in helps:
            command = [sys.executable, "-m", "sparrowlm", verb, "--help"]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            helps[verb] = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.stdout))
        assert {word for word in words if word.startswith("-")} <= helps[verb], verb


@pytest.mark.parametrize("language", ["en", "zh"])
def test_paths_and_limits_of_the_guide_are_those_of_the_code(language):
    text = guide(language)
    for path in ROUTES:
        assert f"`{path}`" in text, path
    for entry in fields(Limits):
        assert f"`{entry.name}` {entry.default:,.10g}".replace("1,024", "1024") in text, entry.name
