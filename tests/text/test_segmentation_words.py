"""Words joined are the text; the user's words outrank every model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_data

from sparrowlm.foundation.errors import DataError
from sparrowlm.text.segmentation import WordSegmenter, read_user_words

MIXED = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("我爱小语言模型 it's 3.14，。\n"),
    max_size=60,
)


@given(MIXED, st.lists(MIXED, max_size=4))
def test_segmentation_loses_and_changes_nothing(text, words):
    segmenter = WordSegmenter(words)
    pieces = segmenter.segment(text)
    assert "".join(piece.text for piece in pieces) == text
    assert all(text[piece.start : piece.end] == piece.text for piece in pieces)
    assert all(piece.text for piece in pieces)


HAN = st.text(st.sampled_from("我是人工智能模型的学习新技术世界改变"), min_size=1, max_size=8)


@given(HAN, HAN, HAN)
def test_segmentation_user_word_outranks_the_dictionary(before, word, after):
    text = before + word + after
    first = text.index(word)  # where the word stands first it is always taken whole
    pieces = WordSegmenter([word]).segment(text)
    assert (first, first + len(word)) in {(piece.start, piece.end) for piece in pieces}


def test_segmentation_longest_user_word_wins_and_letters_stay_whole():
    segmenter = WordSegmenter(["语言", "小语言模型", "cat"])
    assert segmenter.words("小语言模型cat category") == ["小语言模型", "cat", " ", "category"]


def test_segmentation_cuts_chinese_into_words_people_use():
    segmenter = WordSegmenter()
    assert segmenter.words("我喜欢学习新技术。") == ["我", "喜欢", "学习", "新", "技术", "。"]
    assert segmenter.words("I don't know.") == ["I", " ", "don't", " ", "know", "."]


def test_segmentation_agrees_with_people_on_most_words():
    path = shared_data("cws/ud_chinese_gsd/test.txt")
    segmenter = WordSegmenter()
    right = wanted = 0
    for line in path.read_text("utf-8").splitlines()[:200]:
        gold = _spans(line.split())
        found = _spans(segmenter.words("".join(line.split())))
        right += len(gold & found)
        wanted += len(gold)
    assert wanted > 1000
    assert right / wanted > 0.75


def _spans(words):
    position, spans = 0, set()
    for word in words:
        spans.add((position, position + len(word)))
        position += len(word)
    return spans


def test_segmentation_reads_dictionaries_of_all_kinds(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("小语言模型 100 n\n麻雀\t鸟\nNew York # city\n\n麻雀\n".encode("gb18030"))
    assert read_user_words(path) == ["小语言模型", "麻雀", "New York"]
    with pytest.raises(DataError, match="no-such"):
        read_user_words(tmp_path / "no-such")


def test_segmentation_user_word_longer_than_the_rest_of_the_text():
    assert WordSegmenter(["n", "n0"]).words("n") == ["n"]
