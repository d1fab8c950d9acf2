"""Pairs: labels, measures, features, and the linear comparison."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from tasks.match.matchers import labelled_pairs

from sparrowlm.corpora.labelled import TextPair
from sparrowlm.foundation.errors import DataError
from sparrowlm.models.sparse_linear import Vocabulary
from sparrowlm.tasks.match.closeness import (
    NUM_CLOSENESS,
    VIEWS,
    common_subsequence,
    cosines,
    shared_ngrams,
)
from sparrowlm.tasks.match.comparison import NUM_BORDERS, PairFeatures
from sparrowlm.tasks.match.examples import Pairs, as_pairs, divided, label_names
from sparrowlm.tasks.match.pair_training import ComparisonTraining, rarities
from sparrowlm.text.ngram_features import NgramFeatures
from sparrowlm.text.segmentation import WordSegmenter

TEXTS = st.text(max_size=30)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("0", "1"), ("0", "1")),
        (("是", "否"), ("否", "是")),
        (("duplicate", "other"), ("other", "duplicate")),
        (("不同", "甲"), ("不同", "甲")),
        (("Yes", "No"), ("No", "Yes")),
    ],
)
def test_the_label_of_the_same_is_found_by_its_name(labels, expected):
    assert label_names([TextPair("a", "b", label) for label in labels]) == expected


def test_labels_without_a_name_are_told_apart_by_what_their_pairs_share():
    pairs = [TextPair("怎么还款", "怎么还钱", "甲"), TextPair("怎么还款", "天气", "乙")]
    assert label_names(pairs) == ("乙", "甲")


@pytest.mark.parametrize("labels", [["1"], ["1", "2", "3"], [str(n) for n in range(9)]])
def test_other_than_two_labels_are_refused_in_one_sentence(labels):
    with pytest.raises(DataError) as caught:
        label_names([TextPair("a", "b", label) for label in labels])
    assert caught.value.code == "tasks.match-labels"
    assert str(len(labels)) in caught.value.sentence("en")
    assert caught.value.sentence("zh") != caught.value.sentence("en")


def test_labelled_and_unlabelled_pairs_are_parted():
    labelled, stored = divided([TextPair("a", "b", "1"), TextPair("c", "d")])
    assert [p.first for p in labelled] == ["a"]
    assert [p.first for p in stored] == ["c"]
    assert as_pairs(labelled, "1").targets_B.tolist() == [1.0]


@given(TEXTS, TEXTS)
def test_common_subsequence_equals_the_textbook(a, b):
    rows = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longest = max(rows[i][j + 1], rows[i + 1][j])
            rows[i + 1][j + 1] = rows[i][j] + 1 if x == y else longest
    assert common_subsequence(a, b) == rows[-1][-1]


@pytest.mark.parametrize("view", VIEWS)
def test_cosine_equals_scikit_learn(view):
    pairs = labelled_pairs(60)
    firsts, seconds = [p.first for p in pairs], [p.second for p in pairs]
    features = NgramFeatures(view)

    def keys(text: str) -> list[str]:
        return [str(key) for key in features.occurrences([text]).keys_N]

    theirs = TfidfVectorizer(analyzer=keys, sublinear_tf=True).fit([*firsts, *seconds])
    a, b = theirs.transform(firsts), theirs.transform(seconds)
    expected = [cosine_similarity(x, y)[0, 0] for x, y in zip(a, b, strict=True)]
    counts = features.counts([*firsts, *seconds])
    idf = Vocabulary.of(counts.keys_N, counts.num_rows)
    assert cosines(shared_ngrams(counts, idf)) == pytest.approx(np.array(expected), abs=1e-5)


def _features() -> PairFeatures:
    pairs = as_pairs(labelled_pairs(50), "1")
    borders = np.tile(np.linspace(0.1, 0.9, NUM_BORDERS, dtype=np.float32), (NUM_CLOSENESS, 1))
    return PairFeatures(rarities(pairs, WordSegmenter()), borders, WordSegmenter())


FEATURES = _features()


@given(TEXTS, TEXTS)
def test_features_look_the_same_from_either_side(a, b):
    there, back = (
        FEATURES.measures(*texts).rows(FEATURES.borders_JE) for texts in (([a], [b]), ([b], [a]))
    )
    assert sorted(zip(there.kinds_N, there.keys_N, strict=True)) == sorted(
        zip(back.kinds_N, back.keys_N, strict=True)
    )


def test_measures_of_pairs_do_not_depend_on_their_company():
    pairs = labelled_pairs(20)
    firsts, seconds = [p.first for p in pairs], [p.second for p in pairs]
    together = FEATURES.measures(firsts, seconds)
    for row in (0, 7, 19):
        alone = FEATURES.measures([firsts[row]], [seconds[row]])
        assert alone.numbers_BJ[0] == pytest.approx(together.numbers_BJ[row])
        assert alone.cosine()[0] == pytest.approx(together.cosine()[row])


def test_the_comparison_learns_and_forgets_what_has_no_room():
    pairs = as_pairs(labelled_pairs(400), "1")
    rows = np.arange(300)
    training = ComparisonTraining(pairs, rows, (), 0)
    comparison = training.train(rows)
    others = np.arange(300, 400)
    right = (training.scores(comparison, others) > 0) == (pairs.targets_B[others] > 0.5)
    assert right.mean() > 0.9
    room = comparison.model.size_bytes() - 500
    small = training.train(rows, room)
    assert small.model.size_bytes() <= room
    measures = comparison.features.measures(*(t[300:] for t in (pairs.firsts, pairs.seconds)))
    assert comparison.scores(measures) == pytest.approx(training.scores(comparison, others))


def test_parts_of_pairs_keep_their_order():
    pairs = Pairs(["a", "b"], ["c", "d"], np.array([0.0, 1.0], dtype=np.float32))
    part = pairs.part(np.array([1]))
    assert (part.firsts, part.seconds, part.targets_B.tolist(), len(part)) == (
        ["b"],
        ["d"],
        [1.0],
        1,
    )
