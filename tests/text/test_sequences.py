"""Texts as sequences for an encoder."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.text.tokenizers.character import CharacterCodec
from sparrowlm.text.tokenizers.sequences import sequences_of, whole

CODEC = CharacterCodec(list("床前明月光疑是地上霜ab"))


@given(st.lists(st.text(st.characters(), max_size=30), max_size=5), st.integers(2, 20))
def test_every_text_is_a_sequence_that_fits(texts, most):
    found = sequences_of(CODEC, texts, most)
    assert len(found) == len(texts)
    for ids in found:
        assert ids[0] == 0
        assert 1 <= len(ids) <= most


def test_short_texts_are_whole_and_long_ones_keep_both_ends():
    (short, long) = sequences_of(CODEC, ["床前", "床前明月光疑是地上霜"], 5)
    assert CODEC.decode(short.tolist()) == "床前"
    assert CODEC.decode(long.tolist()) == "床前上霜"


def test_a_megabyte_costs_little():
    (ids,) = sequences_of(CODEC, ["床" * 500_000 + "霜" * 500_000], 9)
    assert CODEC.decode(ids.tolist()) == "床" * 4 + "霜" * 4


def test_half_characters_become_one_sign():
    assert whole("a\ud83d") == "a\ufffd"
    assert whole("🙂") == "🙂"
    assert np.array_equal(*sequences_of(CODEC, ["\ud83d", "\ufffd"], 9))
