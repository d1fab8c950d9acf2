"""Fewer tokens, the same texts: what is left spells whatever was left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import CHINESE, ENGLISH, small_codec

from sparrowlm.text.tokenizers import train_tokenizer
from sparrowlm.text.tokenizers.files import load_tokenizer
from sparrowlm.text.tokenizers.trimming import trimmed
from sparrowlm.text.tokenizers.uncased import UncasedCodec, uncased

KINDS = ("character", "bpe", "word")
TEXTS = [*ENGLISH, *CHINESE]
CODECS = {kind: small_codec(kind) for kind in KINDS}


def used_by(codec, texts):
    ids = np.concatenate(codec.encode_batch(texts))
    return np.bincount(ids, minlength=codec.vocab_size) > 0


@pytest.mark.parametrize("kind", KINDS)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60), seed=st.integers(0, 9))
def test_any_text_comes_back_whatever_is_left_out(kind, text, seed):
    codec = CODECS[kind]
    is_wanted = np.random.default_rng(seed).random(codec.vocab_size) < seed / 10
    small, kept = trimmed(codec, is_wanted)
    for one in (text, text + ENGLISH[0] + CHINESE[0], "<0x41><|document|>" + text):
        ids = small.encode(one)
        assert small.decode(ids) == one
        assert all(0 < token_id < small.vocab_size for token_id in ids)
    assert small.vocab_size == len(kept) <= codec.vocab_size
    assert [small.token_bytes(new) for new in range(len(kept))] == [
        codec.token_bytes(old) for old in kept.tolist()
    ]
    assert set(np.flatnonzero(is_wanted)) <= set(kept.tolist())


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_kept_tokens_is_cut_as_before(kind):
    codec, text = CODECS[kind], ENGLISH[0]
    small, kept = trimmed(codec, used_by(codec, [text]))
    assert small.vocab_size < codec.vocab_size
    assert kept[small.encode(text)].tolist() == codec.encode(text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_trimmed_tokenizer_is_saved_and_opened(tmp_path, kind):
    small, _kept = trimmed(CODECS[kind], used_by(CODECS[kind], ENGLISH[:1]))
    small.save(tmp_path)
    opened = load_tokenizer(tmp_path)
    assert opened.vocab_size == small.vocab_size
    assert [opened.encode(text) for text in TEXTS] == [small.encode(text) for text in TEXTS]


def test_what_reads_lower_case_still_does():
    texts = [uncased(text) for text in TEXTS]
    inner = train_tokenizer("bpe", lambda: texts, sum(map(len, texts)))
    small, _kept = trimmed(UncasedCodec(inner), used_by(inner, texts[:1]))
    assert isinstance(small, UncasedCodec)
    assert small.decode(small.encode("THE Cat")) == " the cat"


def test_nothing_left_out_changes_nothing():
    for codec in CODECS.values():
        small, kept = trimmed(codec, np.ones(codec.vocab_size, dtype=bool))
        assert kept.tolist() == list(range(codec.vocab_size))
        assert [small.encode(text) for text in TEXTS] == [codec.encode(text) for text in TEXTS]
