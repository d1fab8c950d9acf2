"""Encoding through remembered units gives what the library gives for the whole text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.text.tokenizers import train_tokenizer
from sparrowlm.text.tokenizers.codec import encode_with_library
from sparrowlm.text.tokenizers.units import BYTE_PAIR_UNITS, WORD_UNITS

SAMPLE = (
    "the cat sat on the mat, it's 12.5 o'clock!  Two  spaces\n\n  indented\tcode = f(x)\r\n"
    "中文 和 English 混 排，标点。  全角　空格 and\u00a0more <tag> <|document|>\n"
) * 9
TEXT = st.text(
    st.sampled_from(" \n\t\r\x0b\x1c\x85\u00a0\u3000.,!'s<>a1中。")
    | st.characters(exclude_categories=["Cs"]),
    max_size=40,
)


@pytest.fixture(scope="module", params=["bpe", "word"])
def codec(request):
    return train_tokenizer(request.param, lambda: [SAMPLE], len(SAMPLE))


@pytest.mark.parametrize("units", [BYTE_PAIR_UNITS, WORD_UNITS])
@given(text=TEXT)
def test_units_joined_are_the_text(units, text):
    assert "".join(units.findall(text)) == text


@settings(max_examples=300)
@given(text=TEXT)
def test_units_give_the_ids_of_the_whole_text(codec, text):
    encoder = codec._encoder
    whole = encode_with_library(encoder._tokenizer, [([0], [text])], 1)[0]
    assert encoder._from_units(text).tolist() == whole.tolist()
    assert encoder._from_units(text).tolist() == whole.tolist()  # now from memory


def test_units_hard_cases_give_the_ids_of_the_whole_text(codec):
    encoder = codec._encoder
    for text in (
        "a \n b",
        "x.\n  y",
        "  \n  z",
        ".\n\n .",
        "a\u3000 b",
        "a\x1c b",
        "it 's",
        "a\t b",
    ):
        whole = encode_with_library(encoder._tokenizer, [([0], [text])], 1)[0]
        assert encoder._from_units(text).tolist() == whole.tolist(), repr(text)


def test_units_long_and_short_texts_mix_in_a_batch(codec):
    texts = ["短", "one two three " * 50, "没有空格的长文" * 3000, "", "four five six"]
    batch = codec.encode_batch(texts)
    assert [codec.decode(ids.tolist()) for ids in batch] == texts
