"""Units, labels and spans: places are kept, every decoded sequence is legal."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.corpora.labelled.examples import Span
from sparrowlm.foundation.errors import SettingError
from sparrowlm.models.crf.lattice import best_labels
from sparrowlm.tasks.tag.schemes import LabelSet, spans_of_names
from sparrowlm.tasks.tag.units import is_cjk, placed_spans, spans_to_units, units_of

SCHEMES = ["BIOES", "BIO", "BMES"]
ANY_TEXT = st.text(max_size=60) | st.text("我爱北京 aB1９，。\n\u3000é🀄\ud800", max_size=60)


def pieces(text: str, **options) -> list[str]:
    units = units_of([text], **options)
    return [units.text[a:b] for a, b in zip(units.begins, units.ends, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\u3000", []),
        ("我爱iPhone15。", ["我", "爱", "iPhone", "15", "。"]),
        ("café ÉCOLE", ["café", "ÉCOLE"]),
        ("12.5%", ["12", ".", "5", "%"]),
        ("カラオケok", ["カ", "ラ", "オ", "ケ", "ok"]),
        ("a\u0301b", ["a\u0301b"]),
        ("👍👍ok\x00", ["👍", "👍", "ok", "\x00"]),
        ("२०२६ год", ["२०२६", "год"]),
        ("\ud800x", ["\ud800", "x"]),
    ],
)
def test_units(text, expected):
    assert pieces(text) == expected


def test_characters_alone():
    assert pieces("ab 12我", joins_runs=False) == ["a", "b", "1", "2", "我"]


def test_texts_stay_what_they_are_whatever_is_read():
    text = "ＡＢ公司１９９８"
    assert pieces(text) == ["ＡＢ", "公", "司", "１９９８"]
    assert units_of([text]).read == "AB公司1998"


def test_given_tokens_stay_whole():
    text = "st. louis U.S.A我们"
    assert pieces(text, tokens=[[(0, 3), (4, 9), (10, 15), (15, 17)]]) == [
        "st.",
        "louis",
        "U.S.A",
        "我",
        "们",
    ]
    assert pieces("1997", tokens=[[(0, 1), (1, 2), (2, 3), (3, 4)]]) == list("1997")
    assert pieces("我\u3000你", tokens=[[(0, 1), (1, 2), (2, 3)]]) == ["我", "\u3000", "你"]


@settings(max_examples=150)
@given(texts=st.lists(ANY_TEXT, max_size=4), joins_runs=st.booleans())
def test_units_cover_all_but_white_space(texts, joins_runs):
    units = units_of(texts, joins_runs=joins_runs)
    assert (units.begins < units.ends).all()
    assert (units.begins[1:] >= units.ends[:-1]).all()
    covered = np.zeros(len(units.text), dtype=bool)
    for begin, end in zip(units.begins, units.ends, strict=True):
        covered[begin:end] = True
    kept = [character for character, is_kept in zip(units.text, covered, strict=True) if is_kept]
    assert "".join(kept) == "".join(units.text.split())
    assert units.unit_starts[-1] == len(units) == units.chains[-1]
    assert len(units.unit_starts) == len(texts) + 1
    single = units.ends - units.begins == 1
    assert single[is_cjk(units.kinds[units.begins])].all()
    for number, text in enumerate(texts):
        start = units.text_starts[number]
        assert units.text[start : start + len(text)] == text


def test_long_texts_are_cut_at_sentence_ends():
    units = units_of(["我" * 300 + "。" + "好" * 200, "短"])
    assert units.chains.tolist() == [0, 301, 501, 502]
    endless = units_of(["我" * 10_000])
    assert np.diff(endless.chains).max() <= 512
    assert endless.chains[-1] == 10_000


@settings(max_examples=150)
@given(data=st.data(), texts=st.lists(ANY_TEXT, min_size=1, max_size=3))
@pytest.mark.parametrize("scheme", SCHEMES)
def test_spans_come_back_to_the_very_characters(scheme, data, texts):
    units = units_of(texts)
    spans = [draw_spans(data, units, number, scheme) for number in range(len(texts))]
    labels = LabelSet(scheme, ("LOC", "PER"))
    as_units = spans_to_units(units, spans)
    numbers = labels.encode(as_units, len(units), units.chains.tolist())
    rules = labels.constraints()
    for first, last in pairwise(units.chains):
        assert rules.allows(numbers[first:last].tolist())
    back = [
        Span(int(units.begins[a]), int(units.ends[b - 1]), kind)
        for a, b, kind in labels.decode(numbers)
    ]
    assert back == placed_spans(units, spans)
    assert spans_of_names([labels.names[n] for n in numbers]) == labels.decode(numbers)


def draw_spans(data, units, number, scheme):
    first, last = units.unit_starts[number : number + 2]
    shift = units.text_starts[number]
    cuts = data.draw(st.sets(st.integers(0, max(int(last - first), 0)), max_size=6))
    cuts = sorted({0, int(last - first), *cuts})
    spans = []
    for a, b in pairwise(cuts):
        kind = data.draw(st.sampled_from(["LOC", "PER"]))
        if scheme == "BMES" or data.draw(st.booleans()):
            begin, end = units.begins[first + a] - shift, units.ends[first + b - 1] - shift
            spans.append(Span(int(begin), int(end), kind))
    return spans


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), scheme=st.sampled_from(SCHEMES), size=st.integers(1, 12))
def test_every_decoded_sequence_is_legal(seed, scheme, size):
    labels = LabelSet(scheme, ("A", "B"))
    generator = np.random.default_rng(seed)
    scores = generator.normal(scale=20, size=(size, len(labels))).astype(np.float32)
    edges = generator.normal(scale=20, size=len(labels) * (len(labels) + 2))
    rules = labels.constraints()
    found = best_labels(scores, np.array([0, size]), edges + rules.penalties())
    assert rules.allows(found.tolist())
    spans = labels.decode(found)
    np.testing.assert_array_equal(labels.encode(spans, size), found)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_constraints_allow_exactly_what_encodes_itself(scheme):
    labels = LabelSet(scheme, ("A", "B"))
    rules = labels.constraints()
    size = len(labels)
    for code in range(size**3):
        numbers = [code % size, code // size % size, code // size**2]
        spans = spans_of_names([labels.names[n] for n in numbers])
        covered = sum(b - a for a, b, _ in spans)
        is_whole = scheme != "BMES" or covered == 3
        same = is_whole and labels.encode(spans, 3).tolist() == numbers
        assert rules.allows(numbers) == same


def test_wrong_labels_are_read_as_conlleval_reads_them():
    assert spans_of_names(["I-A", "I-A", "I-B", "O", "E-B", "B-A", "B-A"]) == [
        (0, 2, "A"),
        (2, 3, "B"),
        (4, 5, "B"),
        (5, 6, "A"),
        (6, 7, "A"),
    ]
    assert spans_of_names(["B-A", "M-A", "E-A", "S-A"]) == [(0, 3, "A"), (3, 4, "A")]


def test_overlapping_spans_count_once():
    labels = LabelSet("BIO", ("A", "B"))
    assert labels.decode(labels.encode([(0, 3, "A"), (1, 4, "B"), (3, 5, "B")], 5)) == [
        (0, 3, "A"),
        (3, 5, "B"),
    ]


def test_mistakes_are_explained():
    with pytest.raises(SettingError, match="XYZ"):
        LabelSet("BIO", ("A",)).encode([(0, 1, "XYZ")], 1)
    with pytest.raises(SettingError):
        LabelSet("BIO", ())
