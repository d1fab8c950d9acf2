"""Patterns mean what Python's re means, and JSON schemas what they say."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.patterns import (
    Automaton,
    choice,
    json_pattern,
    parse_pattern,
    without_references,
)
from sparrowlm.text.patterns.automaton import DEAD, utf8_ranges

SOURCES = [
    "", "a", "ab|c", "(ab)*c?", "[a-c]+[^a-c]", r"\d{2,4}-\d+", r"\w+\s\w+", ".", "a{0}",
    "(a|b){2}", "[中-国]{1,3}", r"[^\d\s]*", r"[\]\-x]", "[-a]", r"\u4e2d\x41", "a.c", "(?:x|)y",
    "(a*)*", "é+", r"\.\*",
    "[😀-😎]a", r"\W", r"\S\D", "[^a]",
]  # fmt: skip
TEXTS = st.text(st.sampled_from("abcxy-09 \n.*]中国é😀😁_"), max_size=6)


@pytest.mark.parametrize("source", SOURCES)
def test_texts_match_as_with_re(source):
    automaton, peer = Automaton(parse_pattern(source)), re.compile(source)

    @given(TEXTS)
    @settings(max_examples=60, deadline=None)
    def same(text):
        assert automaton.matches(text) == (peer.fullmatch(text) is not None)

    same()


@given(st.from_regex(r"(a|bc){1,3}[x-z]?", fullmatch=True))
def test_what_hypothesis_makes_of_a_pattern_matches(text):
    assert Automaton(parse_pattern(r"(a|bc){1,3}[x-z]?")).matches(text)


@given(st.integers(0, 0x10FFFF), st.integers(0, 0x10FFFF))
@settings(deadline=None)
def test_ranges_of_characters_are_ranges_of_bytes(one, other):
    first, last = min(one, other), max(one, other)
    sequences = utf8_ranges(first, last)
    assert len(sequences) < 30
    for code in {first, last, (first + last) // 2, max(first - 1, 0), min(last + 1, 0x10FFFF)}:
        content = chr(code).encode("utf-8", "surrogatepass")
        inside = any(
            len(s) == len(content)
            and all(low <= byte <= high for byte, (low, high) in zip(content, s, strict=True))
            for s in sequences
        )
        assert inside == (first <= code <= last)


def test_a_dead_end_is_known_at_once():
    automaton = Automaton(choice(["好评", "差评"]))
    state = automaton.read(0, "好".encode())
    assert state != DEAD
    assert not automaton.is_end(state)
    assert automaton.read(state, "人".encode()) == DEAD
    done = automaton.read(state, "评".encode())
    assert automaton.is_end(done)
    assert not automaton.can_go_on(done)


@pytest.mark.parametrize(
    "source",
    ["(", ")", "a)", "[", "[b-a]", "*", "a{2,1}", "a{5000}", r"\1", r"\x4", "(?=a)", "^a", "{"],
)
def test_what_is_no_pattern_is_refused(source):
    with pytest.raises(SettingError) as caught:
        parse_pattern(source)
    assert source in caught.value.sentence("en")
    assert source in caught.value.sentence("zh")


def test_a_pattern_that_is_too_large_is_refused():
    with pytest.raises(SettingError, match="too large"):
        Automaton(parse_pattern("((a{100}){100}){100}"))


SCHEMA = {
    "type": "object",
    "properties": {
        "名字": {"type": "string", "minLength": 1, "maxLength": 4},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["甲", "b"]}, "maxItems": 2},
        "ok": {"type": ["boolean", "null"]},
        "score": {"anyOf": [{"const": "high"}, {"type": "number"}]},
        "code": {"type": "string", "pattern": "^[A-Z]{2}$"},
    },
    "required": ["名字", "ok"],
}


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ({"名字": "张伟", "ok": True}, True),
        (
            {
                "名字": "张伟",
                "age": -5,
                "tags": ["甲", "b"],
                "ok": None,
                "score": 1.5,
                "code": "AB",
            },
            True,
        ),
        ({"名字": 'a"\\\n', "ok": False, "score": "high"}, True),
        ({"ok": True}, False),
        ({"名字": "", "ok": True}, False),
        ({"名字": "五个字太长", "ok": True}, False),
        ({"名字": "张伟", "ok": True, "tags": ["甲"] * 3}, False),
        ({"名字": "张伟", "ok": True, "code": "ab"}, False),
        ({"名字": "张伟", "ok": 1}, False),
        ([], False),
    ],
)
def test_values_of_a_schema(value, is_one):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    order = list(SCHEMA["properties"])
    if isinstance(value, dict):
        value = dict(sorted(value.items(), key=lambda item: order.index(item[0])))
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert Automaton(json_pattern(SCHEMA)).matches(text) == is_one


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=4),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=2), inside, max_size=2)
    ),
    max_leaves=4,
)
ANY = Automaton(json_pattern({}))


@given(JSON)
@settings(deadline=None)
def test_any_value_of_three_levels(value):
    def depth(one):
        inside = one if isinstance(one, list) else one.values() if isinstance(one, dict) else None
        return 0 if inside is None else 1 + max(map(depth, inside), default=0)

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if depth(value) <= 3 and "\x7f" not in text:
        assert ANY.matches(text)
    assert not ANY.matches(text + ",")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "word"},
        {"minItems": 1, "type": "array", "maxItems": 0},
        {"type": "string", "minLength": -1},
        {"type": "object", "properties": {"a": 1}},
    ],
)
def test_schemas_that_are_not_known_are_refused(schema):
    with pytest.raises(SettingError):
        json_pattern(schema)


def test_references_are_replaced_by_what_they_refer_to():
    point = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
    schema = {
        "$defs": {"Point": point, "Line": {"type": "array", "items": {"$ref": "#/$defs/Point"}}},
        "type": "object",
        "properties": {
            "line": {"$ref": "#/$defs/Line", "description": "a line"},
            "end": {"allOf": [{"$ref": "#/$defs/Point"}]},
            "$ref": {"const": {"$ref": "#/nowhere"}},
        },
        "required": ["line", "end", "$ref"],
    }
    whole = without_references(schema)
    form = Automaton(json_pattern(whole))
    assert form.matches('{"line":[{"x":1},{"x":-2}],"end":{"x":0},"$ref":{"$ref":"#/nowhere"}}')
    assert not form.matches('{"line":[{"x":"a"}],"end":{"x":0},"$ref":{"$ref":"#/nowhere"}}')


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "http://a.b/c"},
        {"properties": {"a": {"$ref": "#"}}},
        {"$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"items": {"$ref": "#/$defs/a"}}},
         "$ref": "#/$defs/a"},
        # Twice the next, thirty times.
        {"$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)},
         "$ref": "#/$defs/d0"},
    ],
)  # fmt: skip
def test_references_without_end_stay(schema):
    assert without_references(schema) is None
