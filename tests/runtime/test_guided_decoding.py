"""Texts within a pattern: whatever a model would rather say, every text is one of the pattern's."""

from __future__ import annotations

import json
import re

import pytest
from small_models import KINDS, small_model

import sparrowlm as sp
from sparrowlm.cli.guard import run_guarded as main
from sparrowlm.foundation.errors import SettingError

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "is_cat": {"type": "boolean"},
        "mood": {"enum": ["好", "坏"]},
    },
}


@pytest.fixture(scope="module", params=KINDS)
def model(request, tmp_path_factory):
    return sp.load(small_model(tmp_path_factory.mktemp("m") / "m", request.param))


@pytest.mark.parametrize("prompt", ["", "The cat ", "我喜"])
def test_choices(model, prompt):
    wanted = ("好评", "差评", "the dog", "th")
    for seed in range(4):
        assert model.generate(prompt, choices=wanted, seed=seed)[0] in wanted
    likeliest = model.generate(prompt, choices=wanted, temperature=0)
    assert likeliest == model.generate(prompt, choices=wanted, temperature=0)


@pytest.mark.parametrize("pattern", [r"[0-9]{4}-[0-9]{2}", "(猫|cat)+[!。]", r"\w{3}\s😀"])
def test_regular_expressions(model, pattern):
    texts = model.generate("The", pattern=pattern, num_samples=3, seed=1, max_tokens=400)
    for text in texts:
        assert re.fullmatch(pattern, text), text


def test_json_of_a_schema(model):
    for text in model.generate("It: ", json_schema=SCHEMA, num_samples=3, seed=2, max_tokens=300):
        value = json.loads(text)
        assert set(value) == set(SCHEMA["properties"])
        assert value["mood"] in ("好", "坏")
        assert len(value["name"]) <= 5


def test_pieces_together_are_the_text(model):
    whole = model.generate("The", pattern="(ab|猫){3}", seed=3)[0]
    assert "".join(model.stream("The", pattern="(ab|猫){3}", seed=3)) == whole


def test_two_forms_at_once_are_refused(model):
    with pytest.raises(SettingError, match="exclude"):
        model.generate("", choices=["a"], pattern="a")


def test_the_command_knows_them(tmp_path, capsys):
    path = str(small_model(tmp_path / "m", "ngram"))
    assert main(["generate", path, "--choices", "好", "坏", "--seed", "1"]) == 0
    assert capsys.readouterr().out.strip() in ("好", "坏")
    (tmp_path / "s.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    for schema in (str(tmp_path / "s.json"), json.dumps(SCHEMA)):
        wishes = ["--json-schema", schema, "--seed", "1", "--max-tokens", "300"]
        assert main(["generate", path, *wishes]) == 0
        assert json.loads(capsys.readouterr().out)["mood"]
    assert main(["generate", path, "--json-schema", "{nothing"]) == 2
    assert "{nothing" in capsys.readouterr().err
    assert main(["generate", path, "--pattern", "("]) == 2
