"""sparrow-run within a pattern: the same texts and refusals as in Python."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from gguf_models import (
    gguf_mixture,
    gguf_model,
    gguf_ngram,
    gguf_recurrent,
    gguf_recurrent_mixture,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import small_codec
from sparrow_programs import needs_program, run

import sparrowlm as sp
from sparrowlm.foundation.errors import SettingError
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.prompts import make_prompt

pytestmark = needs_program
MAKERS = {
    "bpe": lambda path: gguf_model(path, codec=small_codec("bpe")),
    "word": lambda path: gguf_model(path, codec=small_codec("word")),
    "mixture": gguf_mixture,
    "lstm": lambda path: gguf_recurrent(path, "lstm"),
    "lstm mixture": gguf_recurrent_mixture,
    "ngram": gguf_ngram,
}
PATTERNS = [
    "", "a", "(ab|猫){3}", r"[0-9]{4}-[0-9]{2}", "(猫|cat)+[!。]", r"\w{3}\s😀", r"\W\D\S{2}",
    "[^a-z]{2,5}x?", ".{0,9}", "(a*)*b", r"\u4e2d|\x41|\U0001f600", "[中-国]{1,3}", "[-a]+",
    r"[\]\-x]{2}", r"( the| dog){1,4}\.", r"[\w.]+@[\w.]+", "(a?){30}a{3}",
    "he d?o?g?", r"[^\s\S]",
]  # fmt: skip
SCHEMAS = [
    {},
    True,
    {"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}, "好": {}}},
    {"properties": {c: {"type": "boolean"} for c in "abcdefghijklmnopqrst"}, "required": ["c"]},
    {"type": "array",
     "items": {"enum": ["甲", 'q"\\\n\x01', 1, -0.0, 1e16, 1.5e-7, None, [1, {"a": 2}]]},
     "minItems": 2, "maxItems": 3},
    {"anyOf": [{"const": {"a": [1.0, True]}}, {"type": ["integer", "null"]}, {"type": "number"}]},
    {"type": "string", "pattern": "^[A-Z]{2}$"},
    {"type": "string", "minLength": 2, "maxLength": 4},
    {"type": "object", "properties": {}},
]  # fmt: skip


@pytest.fixture(scope="module", params=MAKERS)
def model(request, tmp_path_factory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp("guided") / "m.gguf")


@pytest.fixture(scope="module")
def one_model(tmp_path_factory) -> Path:
    return MAKERS["bpe"](tmp_path_factory.mktemp("guided") / "m.gguf")


@cache
def loaded(path: Path) -> sp.Model:
    return sp.load(path)


def check(path: Path, prompt: str, words: list[str], **form) -> None:
    house = loaded(path)
    for seed, temperature in ((0, 0), (1, 1)):
        expected = house.generate(
            prompt, seed=seed, temperature=temperature, max_tokens=25, **form
        )[0]  # fmt: skip
        wishes = ["-n", "25", "-s", str(seed), "-t", str(temperature)]
        assert run(str(path), prompt, *wishes, *words) == expected + "\n"


@pytest.mark.parametrize("prompt", ["The c", "", "我喜"])
def test_forms_as_in_the_house(model, prompt):
    for pattern in PATTERNS[2:6]:
        check(model, prompt, ["--pattern", pattern], pattern=pattern)
    for schema in SCHEMAS[2:4]:
        check(model, prompt, ["--json-schema", json.dumps(schema)], json_schema=schema)
    choices = ["好评", "差评", "the dog", "th"]
    check(model, prompt, ["--choices", *choices], choices=choices)


def test_all_patterns_and_schemas(one_model):
    for pattern in PATTERNS:
        check(one_model, "the c", ["--pattern", pattern], pattern=pattern)
    for schema in SCHEMAS:
        check(one_model, "the c", ["--json-schema", json.dumps(schema)], json_schema=schema)


ATOMS = st.sampled_from(
    ["a", "猫", ".", r"\w", r"\D", r"\s", "[a-d猫]", "[^b]", r"\.", "the", " ", r"\x41", "[中-国]"]
)
TREES = st.recursive(
    ATOMS,
    lambda inside: st.one_of(
        st.tuples(inside, inside).map("".join),
        st.tuples(inside, inside).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inside, st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{2,}", "*?"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)


@given(TREES, st.integers(0, 99), st.sampled_from(["the ca", "", "我"]))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_patterns(one_model, pattern, seed, prompt):
    house = loaded(one_model)
    expected = house.generate(prompt, seed=seed, max_tokens=12, pattern=pattern)[0]
    wishes = ["-n", "12", "-s", str(seed), "-t", "1", "--pattern", pattern]
    assert run(str(one_model), prompt, *wishes) == expected + "\n"


@given(st.text(st.sampled_from(list("ab()[]{}|*+?\\-^$.,12dwxu猫")), max_size=8))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_both_refuse_the_same(one_model, pattern):
    words = [str(one_model), "a", "-n", "4", "-t", "0", f"--pattern={pattern}"]
    words[-1:] = ["--pattern", pattern]
    try:
        expected = loaded(one_model).generate("a", temperature=0, max_tokens=4, pattern=pattern)
    except SettingError:
        assert "pattern" in run(*words, code=2)
    else:
        assert run(*words) == expected[0] + "\n"


@pytest.mark.parametrize(
    ("option", "form"),
    [("--pattern", "((a{100}){100}){100}"), ("--pattern", "a" + "?" * 120), ("--pattern", "(" * 80),
     ("--pattern", "(" + "|" * 2000 + "){1000}"), ("--json-schema", "{nothing"),
     ("--json-schema", '{"type": "word"}'), ("--json-schema", '{"$ref": "#"}'),
     ("--json-schema", '{"properties": {"a": 1}}'), ("--json-schema", '"\\ud800"'),
     ("--json-schema", '{"type":"array","minItems":1,"maxItems":0}'),
     ("--json-schema", '{"maxLength":99999999999}'), ("--json-schema", "[" * 99),
     ("--json-schema", '{"const":1.2345678901234567}'), ("--json-schema", '{"anyOf":3}')],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(one_model, option, form):
    assert "form cannot be used" in run(str(one_model), "a", option, form, code=2)
    assert "无法使用" in run(str(one_model), "a", option, form, code=2, SPARROW_LANG="zh")


def test_forms_exclude_each_other_and_a_schema_may_be_a_file(one_model, tmp_path):
    assert "exclude" in run(str(one_model), "a", "--pattern", "a", "--choices", "a", "b", code=2)
    (tmp_path / "s.json").write_text('{"enum": ["好", "坏"]}', encoding="utf-8")
    words = ["--json-schema", str(tmp_path / "s.json"), "-s", "1"]
    assert run(str(one_model), "The", *words).strip() in ('"好"', '"坏"')


def test_stop_strings_and_patterns_together(model):
    form = {"pattern": "[a-c猫]{5,30}", "stop": ("b",)}
    check(model, "The", ["--pattern", form["pattern"], "--stop", "b"], **form)


def test_guesses_change_nothing(one_model):
    words = [str(one_model), "The", "-n", "60", "-t", "0", "--pattern", "( the cat| dog)*x"]
    assert run(*words) == run(*words, "--no-guesses")


@pytest.mark.parametrize("form", [[], ["--pattern", r"[a-z ]{30}"]])
def test_log_probabilities_are_the_models_own(model, form):
    words = [str(model), "The c", "-n", "9", "-s", "4", "-t", "0.7", *form]
    lines = run(*words, "--log-probabilities")
    records = [json.loads(line) for line in lines.splitlines()]
    text = run(*words)
    assert "".join(record["text"] for record in records) + "\n" == text
    opened = open_model(model)
    ids = list(make_prompt("The c", opened.codec, WholeCharacters(opened.codec)).ids)
    for record in (r for r in records if "id" in r):
        logits = opened.engine.step(
            np.array(ids, dtype=np.int64), opened.engine.start(), is_last_only=True
        )
        expected = log_softmax(logits)[0][record["id"]]
        assert record["log_probability"] == pytest.approx(float(expected), abs=2e-4)
        ids.append(record["id"])
    assert len(ids) > 3


def test_a_pattern_is_matched_as_a_whole(one_model):
    text = run(str(one_model), "The", "-n", "200", "-s", "3", "--pattern", r"\w{3}\s[猫😀]")
    assert re.fullmatch(r"\w{3}\s[猫😀]", text[:-1])
