"""N-gram keys: the same n-grams as scikit-learn counts, at the right places, for any text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.foundation.native_part import native_part
from sparrowlm.text.ngram_features import (
    WORD_BIT,
    NgramFeatures,
    NgramFeatureSettings,
    folded_codes,
)
from sparrowlm.text.segmentation import WordSegmenter

SIGNS = st.one_of(st.sampled_from(" \t\u3000ab中国，"), st.characters())
TEXTS = ["I love 北京天安门  ok!", "𠮷野家", "", "   ", "a", "the cat sat on the mat, the cat."]


def grams_of(occurrences, texts, row, is_word):
    found = []
    for number, key, start, end in zip(*occurrences, strict=True):
        if number == row and bool(key & WORD_BIT) == is_word:
            found.append(texts[row][start:end])
    return found


def test_character_ngrams_are_those_of_scikit_learn():
    from sklearn.feature_extraction.text import CountVectorizer

    features = NgramFeatures(NgramFeatureSettings(most_characters=4, most_words=0))
    texts = [text for text in TEXTS if text.strip()]
    counts = features.counts(texts)
    peer = CountVectorizer(analyzer="char_wb", ngram_range=(1, 4))
    matrix = peer.fit_transform(texts)
    # scikit-learn counts a short word's whole once, we for every length it has; and it counts
    # the boundary sign by itself, which says nothing.
    kept = [gram for gram in peer.vocabulary_ if gram.strip()]
    columns = [peer.vocabulary_[gram] for gram in kept]
    distinct = (matrix[:, columns] > 0).sum(axis=1).A1.tolist()
    assert np.bincount(counts.rows_N, minlength=len(texts)).tolist() == distinct
    assert len(np.unique(counts.keys_N)) == len(kept)


def test_words_and_pairs_of_words():
    texts = ["我爱小语言模型 and cats"]
    segmenter = WordSegmenter(["小语言模型"])
    features = NgramFeatures(NgramFeatureSettings(most_characters=0, most_words=2), segmenter)
    words = grams_of(features.occurrences(texts), texts, 0, True)
    assert sorted(words) == sorted(
        ["我", "爱", "小语言模型", "and", "cats",
         "我爱", "爱小语言模型", "小语言模型 and", "and cats"]
    )  # fmt: skip


def test_a_pair_of_words_knows_where_it_is_cut():
    features = [
        NgramFeatures(NgramFeatureSettings(most_characters=0), WordSegmenter(words))
        for words in (["北京", "大学"], ["北京大", "学"])
    ]
    one, other = (set(feature.counts(["北京大学"]).keys_N.tolist()) for feature in features)
    assert not one & other


def test_counts_add_up_and_are_sorted():
    features = NgramFeatures()
    counts = features.counts(TEXTS)
    occurrences = features.occurrences(TEXTS)
    assert counts.counts_N.sum() == len(occurrences.keys_N)
    assert counts.num_rows == len(TEXTS)
    order = counts.rows_N.astype(np.uint64) << np.uint64(32) | counts.keys_N
    assert bool((np.diff(order.astype(np.int64)) > 0).all())


def test_part_is_what_counting_the_part_gives():
    features = NgramFeatures()
    rows = np.array([5, 0, 3, 0])
    part = features.counts(TEXTS).part(rows)
    again = features.counts([TEXTS[row] for row in rows])
    for one, other in zip(part, again, strict=True):
        assert np.array_equal(one, other)


def test_batches_do_not_change_anything():
    features = NgramFeatures()
    together = features.counts(TEXTS)
    for row, text in enumerate(TEXTS):
        alone = features.counts([text])
        chosen = together.rows_N == row
        assert np.array_equal(together.keys_N[chosen], alone.keys_N)
        assert np.array_equal(together.counts_N[chosen], alone.counts_N)


def test_case_and_width_do_not_matter():
    features = NgramFeatures()
    one, other = features.counts(["ＡＢＣ１２ Été"]), features.counts(["abc12 éTÉ"])
    assert np.array_equal(one.keys_N, other.keys_N)


@given(st.text(st.characters(), max_size=40))
def test_any_text_has_ngrams_that_lie_inside_it(text):
    found = NgramFeatures().occurrences([text, text])
    assert len(folded_codes(text)) == len(text)
    assert bool((found.starts_N >= 0).all())
    assert bool((found.starts_N < found.ends_N).all())
    assert bool((found.ends_N <= len(text)).all())
    assert (found.rows_N == 0).sum() == (found.rows_N == 1).sum()


@pytest.mark.parametrize("text", ["\ud83d half", "\udc00", "x" * 1_000_000])
def test_half_characters_and_long_lines_are_texts_too(text):
    counts = NgramFeatures().counts([text])
    assert len(counts.keys_N) > 0


def test_no_texts_have_no_ngrams():
    counts = NgramFeatures().counts([])
    assert len(counts.keys_N) == 0
    assert counts.num_rows == 0


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
@given(
    st.lists(st.text(SIGNS, max_size=30)),
    st.integers(0, 5),
    st.integers(0, 2),
)
def test_compiled_code_counts_the_same_keys(texts, most_characters, most_words):
    settings = NgramFeatureSettings(most_characters=most_characters, most_words=most_words)
    features = NgramFeatures(settings)
    found = features.counts(texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARROW_NATIVE", "0")
        wanted = features.counts(texts)
    for one, other in zip(found[:3], wanted[:3], strict=True):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
    assert found.num_rows == wanted.num_rows
