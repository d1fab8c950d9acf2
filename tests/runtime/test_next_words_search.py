"""Next words against sums over all paths, for every tokenizer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import CHINESE, small_codec, small_ngram, small_parts

from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.next_words import NextWordSearch
from sparrowlm.runtime.ngram_engine import NgramEngine
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.runtime.word_ends import WordEnds, ends_with_word
from sparrowlm.text.segmentation import WordSegmenter


def counting_search(tokenizer: str = "character", texts: list[str] | None = None):
    codec = small_codec(tokenizer, texts)
    return NextWordSearch(NgramEngine(small_ngram(codec, texts)), codec)


@pytest.mark.parametrize("tokenizer", ["character", "bpe", "word"])
def test_next_words_know_the_sample_of_three_sentences(tokenizer):
    search = counting_search(tokenizer, CHINESE)
    found = search.find("我是", 5)
    assert found[0].word == "人工智能"
    assert found[0].probability > 0.4
    assert search.find("我喜欢学习", 1)[0].word == "新"


@pytest.mark.parametrize("tokenizer", ["character", "bpe", "word"])
@pytest.mark.parametrize("text", ["", "The", "the cat ", "我是", "on the log."])
def test_next_words_are_a_distribution(tokenizer, text):
    found = counting_search(tokenizer).find(text, 1000)
    probabilities = [word.probability for word in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < sum(probabilities) <= 1 + 1e-5
    assert all(p > 0 for p in probabilities)
    words = [word.word for word in found]
    assert len(set(words)) == len(words)
    assert all(word and "\ufffd" not in word for word in words)
    assert all(word == "" or not word.startswith(" ") or not word.strip() for word in words)
    search = counting_search(tokenizer)
    assert search.find(text, 2) == search.find(text, 8)[:2]


def test_next_words_are_exact_where_one_path_spells_each():
    search = counting_search()
    engine, codec = search.engine, search.codec
    prefix = [0, *codec.encode("The ")]
    for found in search.find("The ", 4):
        ids = np.array([*prefix, *codec.encode(found.word)])
        logits_TV = engine.step(ids, engine.start())
        logits_TV[:, ~search.characters.allowed(b"")] = -1e30  # no path through broken characters
        logs_TV = log_softmax(logits_TV).astype(np.float64)
        p_word = np.exp(logs_TV[np.arange(len(prefix) - 1, len(ids) - 1), ids[len(prefix) :]].sum())
        p_end = np.exp(logs_TV[-1])[search.ends_word_V].sum()
        # A small share of the words stands behind a second space.
        assert found.probability == pytest.approx(p_word * p_end, rel=0.03)


def test_next_words_sum_over_the_tokens_that_spell_them():
    # With byte pairs "cat" has many spellings; the marginal must not be less than any one of them.
    search = counting_search("bpe")
    engine, codec = search.engine, search.codec
    found = {word.word: word.probability for word in search.find("The", 6)}
    ids = np.array([0, *codec.encode("The"), *codec.encode(" cat")])
    logs_TV = log_softmax(engine.step(ids, engine.start())).astype(np.float64)
    length = len(codec.encode(" cat"))
    path = np.exp(logs_TV[np.arange(len(ids) - length - 1, len(ids) - 1), ids[-length:]].sum())
    p_end = np.exp(logs_TV[-1])[search.ends_word_V].sum()
    assert found["cat"] >= 0.9 * path * p_end


def test_next_words_follow_a_whole_word_or_a_space_alike():
    search = counting_search()
    after_word = {word.word for word in search.find("The", 3)}
    after_space = {word.word for word in search.find("The ", 3)}
    assert "cat" in after_word & after_space


def test_next_words_obey_the_user_dictionary():
    codec = small_codec("character", CHINESE)
    engine = NgramEngine(small_ngram(codec, CHINESE))
    segmenter = WordSegmenter(["人工智能模型"])
    without = {word.word for word in NextWordSearch(engine, codec).find("我是", 20)}
    found = {word.word for word in NextWordSearch(engine, codec, segmenter).find("我是", 2)}
    assert "人工智能模型" in found - without


@given(st.text(max_size=12), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_next_words_answer_any_text_from_any_model(text, k):
    found = _RANDOM.find(text, k)
    assert 1 <= len(found) <= k
    assert sum(word.probability for word in found) <= 1 + 1e-5


def test_word_ends_are_those_of_the_segmentation():
    ends = WordEnds("我是", WordSegmenter())
    assert (ends.first("人工智能模型").word, ends.first("人工智能模型").is_certain) == (
        "人工智能", False,
    )  # fmt: skip
    assert ends.first("人工").is_open
    assert ends.first("。").is_certain
    english = WordEnds("the", WordSegmenter())
    assert english.first(" ").word == ""
    assert english.first(" cat").is_open
    assert english.first(" cat,").word == "cat"
    assert english.first(" cat,").is_certain
    assert not english.first(" don'").is_certain
    assert english.first(" don't ").word == "don't"
    assert english.first("\n\n").word == "\n"
    assert english.first("'").is_open
    assert english.first("'s ").word == "'s"
    assert english.first(" '").is_certain


def test_word_ends_know_scripts_without_spaces():
    assert ends_with_word("the cat")
    assert ends_with_word("привет")
    assert not ends_with_word("the cat ")
    assert not ends_with_word("我是")
    assert not ends_with_word("สวัสดี")
    assert not ends_with_word("")


def _random_search() -> NextWordSearch:
    parts = small_parts("transformer", "bpe")
    return NextWordSearch(TransformerEngine(parts.shape, parts.tensors, "x"), parts.codec)


_RANDOM = _random_search()
