"""Divisions: deterministic, stratified, nothing on both sides, no label lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.corpora.labelled import LabelledText, Span, TaggedText, TextPair, divide
from sparrowlm.corpora.labelled.contents import key_of, labels_of
from sparrowlm.foundation.errors import SettingError

LABELS = st.sampled_from("abcde")
TEXTS = st.text("xyz一二 ", max_size=3)


def classified(text, labels, _side):
    return LabelledText(text, tuple(labels))


def paired(text, labels, side):
    return TextPair(text, side, labels[0] if labels else None)


def tagged(text, labels, side):
    spans = tuple(Span(0, 1, label) for label in labels[:1])
    return TaggedText(text + "q", spans, intent=side or None)


# Built in the test: the checked types of tests draw random numbers of their own.
ROWS = st.lists(st.tuples(TEXTS, st.lists(LABELS, max_size=3, unique=True), TEXTS), max_size=40)


@pytest.mark.parametrize("make", [classified, paired, tagged])
@given(rows=ROWS, share=st.floats(0, 0.9), seed=st.integers(0, 99))
def test_divisions_leak_nothing_and_lose_nothing(make, rows, share, seed):
    examples = [make(*row) for row in rows]
    train, held_out = divide(examples, share, seed)
    assert Counter(train) + Counter(held_out) == Counter(examples)
    seen = {text for one in train for text in key_of(one)}
    assert not any(text in seen for one in held_out for text in key_of(one))
    counts = Counter(label for one in examples for label in set(labels_of(one)))
    in_train = {label for one in train for label in labels_of(one)}
    assert {label for label, count in counts.items() if count >= 2} <= in_train
    assert divide(examples, share, seed) == (train, held_out)


def test_divisions_are_stratified_and_of_the_size_asked_for():
    examples = [LabelledText(f"text {i}", ("abbccccccc"[i % 10],)) for i in range(1000)]
    train, held_out = divide(examples, 0.2, seed=1)
    assert Counter(labels_of(e)[0] for e in held_out) == {"a": 20, "b": 40, "c": 140}
    assert train == [e for e in examples if e not in set(held_out)]
    other = divide(examples, 0.2, seed=2)[1]
    assert 10 < len(set(held_out) & set(other)) < 100


def test_divisions_of_many_small_labels_reach_the_share():
    examples = [LabelledText(f"text {i}", (f"label {i // 3}",)) for i in range(300)]
    assert abs(len(divide(examples, 0.1)[1]) - 30) <= 1


def test_divisions_do_not_depend_on_where_a_text_stands():
    examples = [LabelledText(f"text {i}", ("ab"[i % 2],)) for i in range(200)]
    assert set(divide(examples, 0.3)[1]) == set(divide(examples[::-1], 0.3)[1])


def test_divisions_keep_chains_of_questions_together():
    chain = [TextPair(f"q{i}", f"q{i + 1}", "01"[i % 2]) for i in range(50)]
    others = [TextPair(f"x{i}", f"y{i}", "01"[i % 2]) for i in range(50)]
    _train, held_out = divide([*chain, *others], 0.2, seed=3)
    assert len(held_out) == 20
    assert not set(chain) & set(held_out) or set(chain) <= set(held_out)


def test_divisions_derive_the_share_from_the_size():
    examples = [LabelledText("word " * 20 + str(i), ("ab"[i % 2],)) for i in range(500)]
    assert len(divide(examples)[1]) == 50


def test_divisions_of_almost_nothing():
    assert divide([], 0.5) == ([], [])
    two = [LabelledText(word, ("a",)) for word in "xy"]
    assert [len(part) for part in divide(two, 0.1)] == [1, 1]
    assert [len(part) for part in divide(two, 0)] == [2, 0]
    one = [LabelledText("x", ("a",))]
    assert divide(one, 0.5) == (one, [])


@pytest.mark.parametrize("share", [-0.1, 1, 1.5])
def test_divisions_refuse_shares_out_of_range(share):
    with pytest.raises(SettingError, match="share"):
        divide([LabelledText("x", ("a",))], share)


def test_divisions_of_thirty_thousand_chained_pairs_are_quick():
    import time

    pairs = [TextPair(f"q{i}", f"q{i // 2}", "01"[i % 2]) for i in range(30_000)]
    start = time.perf_counter()
    assert sum(map(len, divide(pairs, 0.1))) == 30_000
    assert time.perf_counter() - start < 20
