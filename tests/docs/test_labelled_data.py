"""Every command of the guide has options that its verb knows, in both languages alike."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh")


def commands(language):
    text = (ROOT / "docs" / language / "labelled-data.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.strip().split("\n")]


def options(words):
    return [word for word in words if word.startswith("-")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_options_of_the_guide_exist(language, sparrow_help):
    found = commands(language)
    assert len(found) >= 15
    for program, verb, *words in found:
        assert program == "sparrow"
        known = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", sparrow_help(verb)))
        assert set(options(words)) <= known, (verb, words)


def test_the_guide_has_the_same_commands_in_both_languages():
    english, chinese = ([[w[1], *options(w)] for w in commands(at)] for at in LANGUAGES)
    assert english == chinese


@pytest.fixture(scope="module")
def sparrow_help():
    import subprocess
    import sys

    seen = {}

    def text_of(verb):
        if verb not in seen:
            command = [sys.executable, "-m", "sparrowlm", verb, "--help"]
            seen[verb] = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return seen[verb]

    return text_of
