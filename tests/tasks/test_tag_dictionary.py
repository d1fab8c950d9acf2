"""The user's entries outrank the model everywhere."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.foundation.errors import DataError
from sparrowlm.tasks.tag.dictionary import UserDictionary
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.floor_training import FloorSettings, fit_floor
from sparrowlm.tasks.tag.units import units_of

NAMES, PLACES = ["王芳", "李明", "张伟"], ["北京", "上海", "西安"]


def examples(scheme: str) -> list[TaggedText]:
    found = []
    for name in NAMES:
        for place in PLACES:
            spans = (Span(0, 2, "PER"), Span(3, 5, "LOC"))
            if scheme == "BMES":
                spans = tuple(Span(a, b, "word") for a, b in ((0, 2), (2, 3), (3, 5), (5, 6)))
            found.append(TaggedText(f"{name}在{place}。", spans))
    return found


@pytest.fixture(scope="module", params=["BIOES", "BIO", "BMES"])
def floor(request) -> TagFloor:
    some = examples(request.param)
    return fit_floor(some, some, FloorSettings(costs=(0.1,), scheme=request.param)).floor


def spans_of(floor: TagFloor, text: str, entries: dict[str, str]) -> list[Span]:
    (found,) = floor.predict([text], UserDictionary(entries))
    (same,) = floor.tag([text], UserDictionary(entries))
    assert [Span(*one[:3]) for one in found] == same
    return same


@pytest.mark.parametrize(
    ("text", "entries", "expected"),
    [
        ("王芳在北京。", {"王芳在": "LOC"}, Span(0, 3, "LOC")),
        ("王芳在北京。", {"北京。": "PER"}, Span(3, 6, "PER")),
        ("王芳在北京。", {"芳在北": "LOC"}, Span(1, 4, "LOC")),
        ("王芳在北京。", {"在": "PER"}, Span(2, 3, "PER")),
        ("王芳在北京。", {"王芳在北京。": "LOC"}, Span(0, 6, "LOC")),
        ("王芳在北京。", {"在北": "DISH"}, Span(2, 4, "DISH")),
    ],
)
def test_an_entry_is_found_as_it_is(floor, text, entries, expected):
    found = spans_of(floor, text, entries)
    assert expected in found
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_the_longest_wins_from_left_to_right(floor):
    entries = {"王芳在": "LOC", "王芳": "PER", "在北京": "PER", "北京。": "LOC", "京。": "PER"}
    found = spans_of(floor, "王芳在北京。", entries)
    assert found[0] == Span(0, 3, "LOC")
    assert Span(3, 6, "LOC") in found


def test_neighbouring_entries_stay_apart(floor):
    found = spans_of(floor, "在在在", {"在": "LOC"})
    assert found == [Span(0, 1, "LOC"), Span(1, 2, "LOC"), Span(2, 3, "LOC")]


def test_words_of_an_alphabet_count_only_whole():
    dictionary = UserDictionary({"cat": "A", "U.S": "B", "iPhone 15": "C"})
    units = units_of(["a cat, category; U.S. iPhone 15 iPhone 150"])
    found = [
        (units.text[units.begins[a] : units.ends[b - 1]], label)
        for a, b, label in dictionary.find(units)
    ]
    assert found == [("cat", "A"), ("U.S", "B"), ("iPhone 15", "C")]


@settings(max_examples=60)
@given(
    text=st.text("王芳在北京。a ", max_size=30),
    entries=st.dictionaries(
        st.text("王芳在北京", min_size=1, max_size=3), st.sampled_from(["PER", "LOC", "X"])
    ),
)
def test_every_entry_is_in_the_answer(floor, text, entries):
    dictionary = UserDictionary(entries)
    units = units_of([text])
    own = [
        Span(int(units.begins[a]), int(units.ends[b - 1]), label)
        for a, b, label in dictionary.find(units)
    ]
    found = spans_of(floor, text, entries)
    assert set(own) <= set(found)
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_entries_hold_in_long_texts(floor):
    text = "我" * 600 + "。"
    found = spans_of(floor, text, {"我" * 7: "LOC"})
    own = [span for span in found if span.end - span.start == 7]
    assert len(own) >= 600 // 7
    assert all(span.label == "LOC" for span in own)


def test_reading(tmp_path: Path):
    path = tmp_path / "words.txt"
    path.write_text("# 注释\n北京\tLOC\n\n王芳 \t PER\n", encoding="gb18030")
    assert UserDictionary.read(path).entries == {"北京": "LOC", "王芳": "PER"}
    path.write_text("北京\n", encoding="utf-8")
    assert UserDictionary.read(path, "word").entries == {"北京": "word"}
    with pytest.raises(DataError, match="Line 1"):
        UserDictionary.read(path)
    with pytest.raises(DataError, match="cannot be read"):
        UserDictionary.read(tmp_path / "missing.txt")
