"""Texts within a grammar: brackets within brackets and trees, whatever a model would rather say."""

from __future__ import annotations

import json
import re
import sys
from itertools import islice

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_models import KINDS, small_codec, small_model

import sparrowlm as sp
from sparrowlm.cli.guard import run_guarded as main
from sparrowlm.foundation.errors import DependencyError, SettingError
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.grammar_guides import Grammar, GrammarGuide
from sparrowlm.runtime.guides import Guide
from sparrowlm.runtime.prompts import first_tokens, make_prompt
from sparrowlm.text.patterns import Automaton, parse_pattern
from sparrowlm.text.tokenizers import SEPARATOR_ID

BRACKETS = """
start: "(" start ")" | "【" start "】" start | leaf
leaf: "猫" | "😀" | /[𠀀-𠀂]/ | /[a-c]{1,2}/
"""
TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "名": {"enum": ["猫", "😀", 'a"b']},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2},
            },
            "required": ["名", "children"],
            "additionalProperties": False,
        }
    },
}
# Too many rules may begin at one place.
WIDE = "start: " + "|".join(f"x{n}" for n in range(3000))
WIDE += "".join(f'\nx{n}: "a"* "b{n}"' for n in range(3000))
# Each says the same as a grammar of one terminal.
PATTERNS = [
    r"[0-9]{4}-[0-9]{2}", "(猫|cat)+[!。]", "[a-c猫]*", "( the| dog){1,4}x", "(a?){9}a{3}",
    "[中-国]{1,3}", "x😀?", "[^a-z]{2,5}y?", "t(he)*",
]  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def model(request, tmp_path_factory):
    return sp.load(small_model(tmp_path_factory.mktemp("m") / "m", request.param))


@pytest.fixture(scope="module")
def ngram(tmp_path_factory):
    return small_model(tmp_path_factory.mktemp("m") / "m", "ngram")


def is_nested(text: str) -> bool:
    """Take brackets away from inside, as the grammar puts them: one leaf must be left."""
    text = re.sub(r"[a-c]{1,2}|[猫😀𠀀-𠀂]", "L", text)
    for _ in range(len(text) + 1):
        text = re.sub(r"\(L\)|【L】L", "L", text)
    return text == "L"


def check_tree(node: dict) -> int:
    """Check a tree against its schema by hand; return how many nodes it has."""
    assert list(node) == ["名", "children"]
    assert node["名"] in ("猫", "😀", 'a"b')
    assert len(node["children"]) <= 2
    return 1 + sum(map(check_tree, node["children"]))


def test_the_check_of_brackets_can_fail():
    assert is_nested("(【猫】(ab))")
    assert not any(map(is_nested, ["(猫", "猫)", "【猫】", "", "abc", "(猫】"]))


@pytest.mark.parametrize("prompt", ["", "The ca", "我喜"])
def test_brackets_within_brackets(model, prompt):
    texts = model.generate(prompt, grammar=BRACKETS, num_samples=8, seed=1, max_tokens=2000)
    assert all(map(is_nested, texts)), texts
    assert len(set(texts)) > 2
    again = ["".join(model.stream(prompt, grammar=BRACKETS, seed=1, max_tokens=2000))]
    assert again == model.generate(prompt, grammar=BRACKETS, seed=1, max_tokens=2000)


def test_a_schema_that_holds_itself(model):
    sizes = []
    for seed in range(12):
        # So hot that all tokens are alike: fewer than one child is to be expected, and an end.
        wishes = {"seed": seed, "max_tokens": 4000, "temperature": 1000}
        text = model.generate("It: ", json_schema=TREE, **wishes)[0]
        assert not re.search(r"[\s]", text)
        sizes.append(check_tree(json.loads(text)))
    assert max(sizes) > 1


def test_a_text_cut_short_can_still_go_on(model):
    # 40 tokens of what is deeper than any automaton of ours counts.
    deep = model.generate("", grammar='start: "(" start ")" | "b"~9999', seed=3, max_tokens=40)[0]
    assert re.fullmatch(r"\(*b*", deep)


@pytest.mark.parametrize("tokenizer", ["character", "bpe", "word"])
@pytest.mark.parametrize("prompt", ["", "The c", "我", "the "])
def test_masks_are_those_of_our_own_automaton(tokenizer, prompt):
    codec = small_codec(tokenizer)
    characters = WholeCharacters(codec)
    start = make_prompt(prompt, codec, characters)
    rng = np.random.default_rng(7)
    num_compared = 0
    for pattern in PATTERNS:
        own = Guide(Automaton(parse_pattern(pattern)), characters).follow()
        other = GrammarGuide(Grammar(f"start: /{pattern}/"), codec).follow()
        may_begin = first_tokens(start, characters)
        mask = own.first(start.begun, may_begin)
        np.testing.assert_array_equal(other.first(start.begun, may_begin), mask)
        num_repeated = len(start.begun)
        for _step in range(30):
            going_on = [token_id for token_id in np.flatnonzero(mask) if token_id != SEPARATOR_ID]
            if not going_on:
                break
            piece = characters.piece(int(rng.choice(going_on)))[num_repeated:]
            num_repeated = 0
            own.take(piece)
            other.take(piece)
            mask = own.allowed()
            np.testing.assert_array_equal(other.allowed(), mask)
            assert other.is_over() == own.is_over()
            num_compared += 1
    assert num_compared > 20


def both_ids(model, prompt: str, pattern: str, num_tokens: int, **wishes) -> list[list[int | None]]:
    """Return the first ids of our own automaton and of the grammar.

    Our own sees to it that a text ends before its tokens do; far enough from there they agree.
    """
    most = num_tokens + Automaton(parse_pattern(pattern)).longest_left + 1
    forms = ({"pattern": pattern}, {"grammar": f"start: /{pattern}/"})
    texts = [model.tokens(prompt, max_tokens=most, **wishes, **form) for form in forms]
    return [[token.id for token in islice(text, num_tokens)] for text in texts]


def test_texts_are_those_of_our_own_automaton(model):
    for prompt in ("", "The c", "我喜"):
        for pattern in PATTERNS:
            own, other = both_ids(model, prompt, pattern, 30, seed=5)
            assert other == own


ATOMS = st.sampled_from(["a", "猫", "[a-d猫]", "the", " ", "[中-国]", "😀", "[^b]", "[0-9]"])
TREES = st.recursive(
    ATOMS,
    lambda inside: st.one_of(
        st.tuples(inside, inside).map("".join),
        st.tuples(inside, inside).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inside, st.sampled_from(["?", "*", "+", "{2}", "{1,3}", "{2,}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)


@given(TREES, st.integers(0, 99), st.sampled_from(["the ca", "", "我"]))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_texts_of_random_patterns_are_those_of_our_own_automaton(ngram, pattern, seed, prompt):
    model = sp.load(ngram)
    own, other = both_ids(model, prompt, pattern, 12, seed=seed, temperature=5)
    assert other == own


def test_terminals_take_the_longest_match(ngram):
    # The "a" behind A belongs to A already: such a text never ends, as the decision says.
    text = sp.load(ngram).generate("", grammar='start: A "a"\nA: /a+/', max_tokens=30)[0]
    assert text == "a" * 30


@pytest.mark.parametrize("tokenizer", ["character", "bpe", "word"])
def test_limits_of_a_rule_count_tokens_and_break_no_character(tmp_path, tokenizer):
    model = sp.load(small_model(tmp_path / "m", "ngram", tokenizer))
    codec = small_codec(tokenizer)
    grammar = 'start: x "!"\nx[max_tokens=3]: /[^!]*/'
    wishes = {"seed": 4, "num_samples": 30, "temperature": 1.5}
    texts = model.generate("", grammar=grammar, **wishes)
    whole = [text[:-1] for text in texts if text.endswith("!")]
    assert len(whole) > 10
    assert max(len(codec.encode(text)) for text in whole) == 3
    # What the prompt's last token took is no part of the limit.
    behind = model.generate("The ca", grammar=grammar, **wishes)
    assert any(text.endswith("!") for text in behind)
    assert not any("\ufffd" in text for text in [*texts, *behind])


def test_every_text_has_a_parser_of_its_own():
    codec = small_codec()
    guide = GrammarGuide(Grammar('start: "(" start ")" | "a"'), codec)
    one, other = guide.follow(), guide.follow()
    one.take(b"((a")
    assert codec.token_bytes(int(np.flatnonzero(one.allowed())[-1])) == b")"
    assert {codec.token_bytes(int(i)) for i in np.flatnonzero(other.allowed())} == {b"(", b"a"}
    one.take(b"))")
    assert one.is_over()
    assert np.flatnonzero(one.allowed()).tolist() == [SEPARATOR_ID]
    assert not other.is_over()


def test_schemas_without_references_stay_with_our_own_automaton(ngram, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    model = sp.load(ngram)
    assert json.loads(model.generate("", json_schema={"const": {"$ref": "#"}}, seed=1)[0])
    with pytest.raises(SettingError, match="keyword not"):
        model.generate("", json_schema={"not": {}})


@pytest.mark.parametrize(
    ("grammar", "reason"),
    [
        ("start: (", "1(9): Expected token"),
        ("start: foo", 'unknown name: "foo"'),
        ("", "no start rule found"),
        ('start: "a" /(?=b)/', "look-around, including look-ahead and look-behind, is not"),
        ("start: <nothing>", "panic"),
        ('start: "\ud800"', "surrogates"),
        (WIDE, "max is 2000"),
    ],
)
def test_a_wrong_grammar_is_one_sentence(ngram, grammar, reason):
    with pytest.raises(SettingError) as refusal:
        sp.load(ngram).generate("", grammar=grammar)
    for language, beginning in (("en", "The grammar cannot be used: "), ("zh", "无法使用语法：")):
        sentence = refusal.value.sentence(language)
        assert sentence.startswith(beginning)
        assert reason in sentence
        assert "\n" not in sentence
        assert "no_forcing" not in sentence


def test_a_grammar_without_texts_is_refused(ngram):
    with pytest.raises(SettingError, match="allows no text"):
        sp.load(ngram).generate("", grammar='start: start "a"')


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"$ref": "#/nowhere"}, "used: Pointer '/nowhere' does not exist. "),
        ({"$ref": "#", "type": "word"}, "used: Invalid type: word. "),
        ({"anyOf": [{"$ref": "http://a.b/c"}]}, "Default retriever does not fetch"),
    ],
)
def test_a_wrong_schema_with_references_is_one_sentence(ngram, schema, reason):
    with pytest.raises(SettingError) as refusal:
        sp.load(ngram).generate("", json_schema=schema)
    assert reason in refusal.value.sentence("en")
    assert refusal.value.sentence("zh").startswith("无法使用 JSON 模式：")


def test_without_the_package_a_sentence_names_it(ngram, monkeypatch):
    monkeypatch.setitem(sys.modules, "llguidance", None)
    model = sp.load(ngram)
    with pytest.raises(DependencyError) as missing:
        model.generate("", grammar=BRACKETS)
    with pytest.raises(SettingError) as refusal:
        model.generate("", json_schema=TREE)
    for language in ("en", "zh"):
        assert 'pip install "sparrowlm[llguidance]"' in missing.value.sentence(language)
        assert 'pip install "sparrowlm[llguidance]"' in refusal.value.sentence(language)
        assert "$ref" in refusal.value.sentence(language)


@pytest.mark.parametrize("other", [{"choices": ["a"]}, {"pattern": "a"}, {"json_schema": {}}])
def test_a_grammar_excludes_every_other_form(ngram, other):
    with pytest.raises(SettingError, match="grammar exclude each other"):
        sp.load(ngram).generate("", grammar=BRACKETS, **other)


def test_the_command_reads_grammars(ngram, tmp_path, capsys):
    path = tmp_path / "括号.lark"
    # Editors of Windows put a mark in front.
    path.write_text(BRACKETS, encoding="utf-8-sig")
    wishes = ["generate", str(ngram), "--seed", "2", "--max-tokens", "2000"]
    assert main([*wishes, "--grammar", str(path)]) == 0
    assert is_nested(capsys.readouterr().out.removesuffix("\n"))
    assert main([*wishes, "--temperature", "1000", "--json-schema", json.dumps(TREE)]) == 0
    assert check_tree(json.loads(capsys.readouterr().out))
    assert main([*wishes, "--grammar", str(tmp_path / "none.lark")]) == 2
    assert "none.lark" in capsys.readouterr().err
    (tmp_path / "gb.lark").write_bytes('start: "你好"'.encode("gb18030"))
    assert main([*wishes, "--grammar", str(tmp_path / "gb.lark")]) == 2
    assert "UTF-8" in capsys.readouterr().err
    assert main([*wishes, "--grammar", str(path), "--pattern", "a"]) == 2
