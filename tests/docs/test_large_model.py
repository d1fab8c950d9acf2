"""The guide's commands have options that exist, alike in both languages; its program runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from large_stand_in import StandIn
from small_policies import policy_of
from small_understanding import small_tagger

import sparrowlm as sp

ROOT = Path(__file__).parents[2]
LANGUAGES = ("en", "zh")


def guide(language):
    return (ROOT / "docs" / language / "large-model.md").read_text(encoding="utf-8")


def commands(language):
    blocks = re.findall(r"```bash\n(.*?)```", guide(language), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.strip().split("\n")]


def programs(language):
    return re.findall(r"```python\n(.*?)```", guide(language), re.DOTALL)


def options(words):
    return [word for word in words if word.startswith("-")]


def test_guide_to_large_models_names_options_that_exist():
    helps = {}
    for _program, verb, *words in commands("en"):
        if verb not in helps:
            words_of_help = [sys.executable, "-m", "sparrowlm", verb, "--help"]
            done = subprocess.run(words_of_help, capture_output=True, text=True, check=True)
            helps[verb] = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", done.stdout))
        assert set(options(words)) <= helps[verb], verb


def test_guide_to_large_models_is_the_same_in_both_languages():
    english, chinese = ([[w[1], *options(w)] for w in commands(at)] for at in LANGUAGES)
    assert english == chinese


@pytest.mark.parametrize(("language", "number"), [("en", "+1 415 555 2671"), ("zh", "13812345678")])
def test_guide_to_large_models_has_a_program_that_runs(
    language, number, monkeypatch, tmp_path, capsys
):
    program = programs(language)[-1]
    monkeypatch.setenv("MY_KEY", "sk-of-the-guide")
    monkeypatch.chdir(tmp_path)
    with StandIn() as server:
        exec(program.replace("https://host/v1", server.url), {})
        assert number in capsys.readouterr().out
        assert number.encode() not in bytes(server.received)
    assert (tmp_path / "spent.sqlite").exists() and (tmp_path / "answers.sqlite").exists()


@pytest.mark.parametrize(("language", "number"), [("en", "+1 415 555 2671"), ("zh", "13812345678")])
def test_guide_to_splitting_has_a_program_that_runs(
    language, number, monkeypatch, tmp_path, capsys
):
    program, _other = programs(language)
    monkeypatch.chdir(tmp_path)
    tagger, policy, answers = re.findall(r'(?:load|Path)\("([^"]+)"\)', program)
    model = sp.load(small_tagger(tmp_path / tagger))
    policy_of(model, least=1e9).save(tmp_path / policy)
    (tmp_path / answers).write_text('{"go": "{LOC}"}', encoding="utf-8")
    with StandIn() as server:
        exec(program.replace("https://host/v1", server.url).replace("NAME", "m"), {})
        assert number in capsys.readouterr().out
        assert number.encode() not in bytes(server.received)
    assert (tmp_path / "spent.sqlite").exists()
