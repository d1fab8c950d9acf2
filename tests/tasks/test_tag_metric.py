"""The same figures as seqeval; recall of unknown words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.tasks.tag.metric import SpanScore, WordScore
from sparrowlm.tasks.tag.schemes import spans_of_names

NAMES = ["O", "B-A", "I-A", "B-B", "I-B", "B-C"]
SENTENCES = st.lists(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), min_size=1, max_size=9),
    min_size=1,
    max_size=6,
)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=100)
@given(sentences=SENTENCES)
def test_seqeval_gives_the_same(sentences):
    peer = pytest.importorskip("seqeval.metrics")
    gold = [[a for a, _ in sentence] for sentence in sentences]
    found = [[b for _, b in sentence] for sentence in sentences]
    total = SpanScore()
    for one, other in zip(gold, found, strict=True):
        total.add(map(Span._make, spans_of_names(one)), map(Span._make, spans_of_names(other)))
    result = total.result()
    for name, of in (("precision", peer.precision_score), ("recall", peer.recall_score)):
        assert result[name] == pytest.approx(of(gold, found, zero_division=0))
    assert result["f1"] == pytest.approx(peer.f1_score(gold, found, zero_division=0))
    if not total.by_label:
        return
    report = peer.classification_report(gold, found, output_dict=True, zero_division=0)
    assert result["macro_f1"] == pytest.approx(report["macro avg"]["f1-score"])
    for label, figures in result["by_label"].items():
        assert figures["f1"] == pytest.approx(report[label]["f1-score"])
        assert figures["num_gold"] == report[label]["support"]


def test_words():
    total = WordScore({"我", "爱"})
    total.add("我爱北京人", [(0, 1), (1, 2), (2, 4), (4, 5)], [(0, 1), (1, 2), (2, 5)])
    result = total.result()
    assert result["precision"] == pytest.approx(2 / 3)
    assert result["recall"] == pytest.approx(1 / 2)
    assert result["oov_recall"] == 0.0
    assert result["oov_share"] == pytest.approx(1 / 2)


def test_nothing_is_zero():
    assert SpanScore().result()["f1"] == 0.0
    assert SpanScore().result()["macro_f1"] == 0.0
    assert WordScore(set()).result()["oov_recall"] == 0.0
