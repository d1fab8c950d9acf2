"""The compiled guide gives the masks of the one in Python, and forms end before the tokens do."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import small_codec, small_model

from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime.characters import WholeCharacters
from sparrowlm.runtime.compiled_guides import CompiledGuide, pattern_guide
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.guides import Guide
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.prompts import first_tokens, make_prompt
from sparrowlm.runtime.sampling import SamplingSettings
from sparrowlm.text.patterns import Automaton, choice, json_pattern, parse_pattern
from sparrowlm.text.patterns.automaton import DEAD, NEVER

compiled = pytest.mark.skipif(native_part() is None, reason="no compiled part")
PATTERNS = (
    "[ab]{2,5}", "(cat|cats|dog)+", "你(好|们)?|我是", "a*", "[^a-y]{1,3}", "(a|b)(c|)(d{0,4}|e+)",
    "\\d{1,3}(\\.\\d{1,3}){3}", "x{0}", ".{3}", "[A-Za-z0-9 \u3000-\u9fff]{2,4}",
    "[\u4e00-\u9fff]+", "[A-Za-z0-9 ]{1,5}", "[^0]{2}", "[^你]{1,4}", "(.你?){2}",
)  # fmt: skip
SCHEMAS = (
    {"type": "object"}, {"enum": ["a", 1, None, "猫"]}, {},
    {"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
     "required": ["name", "n"]},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "string", "maxLength": 4}}]},
)  # fmt: skip


def automata() -> list[Automaton]:
    made = [Automaton(parse_pattern(pattern)) for pattern in PATTERNS]
    made += [Automaton(json_pattern(schema)) for schema in SCHEMAS]
    return [*made, Automaton(choice(["cat", "catalogue", "狗"]))]


AUTOMATA = automata()
CODECS = {kind: small_codec(kind) for kind in ("character", "bpe", "word")}
CHARACTERS = {kind: WholeCharacters(codec) for kind, codec in CODECS.items()}


@compiled
@settings(max_examples=60)
@given(data=st.data(), kind=st.sampled_from(list(CODECS)), number=st.integers(0, len(AUTOMATA) - 1))
def test_masks_are_those_of_python(data, kind, number):
    characters = CHARACTERS[kind]
    guides = [made(AUTOMATA[number], characters) for made in (Guide, pattern_guide)]
    both = [guide.follow() for guide in guides]
    num_left = data.draw(st.integers(1, 40))
    start = make_prompt(
        data.draw(st.sampled_from(["", "a", "The ca", "你"])), CODECS[kind], characters
    )
    masks = [one.first(start.begun, first_tokens(start, characters), num_left) for one in both]
    np.testing.assert_array_equal(*masks)
    begun = len(start.begun)
    while num_left > 1 and masks[0].any():
        token_id = int(data.draw(st.sampled_from(np.flatnonzero(masks[0]).tolist())))
        if token_id == 0:
            return
        for one in both:
            one.take(characters.piece(token_id)[begun:])
        begun, num_left = 0, num_left - 1
        assert both[0].is_over() == both[1].is_over()
        masks = [one.allowed(num_left) for one in both]
        np.testing.assert_array_equal(*masks)
        np.testing.assert_array_equal(*[one.allowed() for one in both])


@compiled
@pytest.mark.parametrize("number", range(len(AUTOMATA)))
def test_ways_to_the_end_are_as_long_as_in_python(number):
    own, other = AUTOMATA[number], AUTOMATA[number].compiled()
    assert own.longest_left == other.longest_left
    waiting, seen = [(0, other.start())], set()
    while waiting and len(seen) < 300:
        here, there = waiting.pop()
        assert own.left(here) == other.left(there)
        assert own.is_end(here) == other.is_end(there)
        assert (own.left(here) == 0) == own.is_end(here)
        for byte in (*b'ab{"}[],:0.1x tn', 0xE4, 0xBD, 0xA0):
            further = own.step(here, byte)
            assert (further == DEAD) == (other.read(there, bytes([byte])) == DEAD)
            if further != DEAD and further not in seen:
                seen.add(further)
                # One byte brings a text nearer by at most one.
                assert own.left(here) - 1 <= own.left(further) < NEVER
                waiting.append((further, other.read(there, bytes([byte]))))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {kind: open_model(small_model(folder / kind, "transformer", kind)) for kind in CODECS}


@settings(max_examples=30)
@given(
    kind=st.sampled_from(list(CODECS)), schema=st.sampled_from(SCHEMAS), seed=st.integers(0, 99),
    more=st.integers(0, 60), prompt=st.sampled_from(["", "The", "你好"]),
)  # fmt: skip
def test_json_is_whole_when_the_tokens_run_out(loaded, kind, schema, seed, more, prompt):
    form = Automaton(json_pattern(schema))
    fewest = form.left(0) + 1  # a token of the prompt may be repeated
    wishes = DecodingSettings(
        sampling=SamplingSettings(temperature=2.0, seed=seed),
        max_tokens=fewest + more,
        pattern=form,
    )
    decoder = Decoder(loaded[kind].engine, loaded[kind].codec)
    text = "".join(decoder.stream(prompt, wishes))
    assert form.matches(text), text
    json.loads(text)


@settings(max_examples=30)
@given(kind=st.sampled_from(list(CODECS)), seed=st.integers(0, 99), more=st.integers(0, 9))
def test_patterns_end_in_time(loaded, kind, seed, more):
    decoder = Decoder(loaded[kind].engine, loaded[kind].codec)
    for number, form in enumerate(AUTOMATA):
        wishes = DecodingSettings(
            sampling=SamplingSettings(temperature=2.0, seed=seed),
            max_tokens=form.left(0) + more + 1, pattern=form,
        )  # fmt: skip
        text = "".join(decoder.stream("The", wishes))
        assert form.matches(text), (number, text)


@compiled
def test_a_guide_whose_states_are_forgotten_goes_on(loaded):
    characters = CHARACTERS["bpe"]
    form = Automaton(parse_pattern("(cat|dog|[a-d]{3}| )*x"))
    guide = pattern_guide(form, characters)
    assert isinstance(guide, CompiledGuide)
    own, other = guide.follow(), Guide(form, characters).follow()
    for number, piece in enumerate([b"ca", b"t", b"d", b"og", b" ", b"ab", b"c"]):
        own.take(piece)
        other.take(piece)
        if number % 2:
            guide.renew()
        np.testing.assert_array_equal(own.allowed(), other.allowed())
        assert own.is_over() == other.is_over()


@compiled
def test_what_is_no_tree_is_refused():
    native = native_part()
    for program in ([], [9], [0, 1, 5], [0, 1, 9, 3], [1, 2], [3, 1, 2], [0, -1], [0, 0, 0, 0],
                    [0, 1, 0, 0x110000], [2, 99]):  # fmt: skip
        with pytest.raises(ValueError):
            native.Pattern(np.array(program, dtype=np.int32))
    pattern = native.Pattern(np.array([0, 1, 97, 98], dtype=np.int32))
    for state in (-1, 5, 2**31 - 1):
        with pytest.raises(ValueError):
            pattern.read(state, b"a")
    assert pattern.read(pattern.start(), b"c") == DEAD
