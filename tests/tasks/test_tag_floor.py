"""The floor learns, fits into its bytes, comes back from its file, and fails on no text."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_taggers import requests

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.foundation.errors import DamagedFileError, DataError, ModelError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.floor_training import (
    FloorSettings,
    choose_joins_runs,
    fit_floor,
)


def slots(seed: int, size: int) -> list[TaggedText]:
    """Return requests without their intents."""
    return [replace(one, intent=None) for one in requests(seed, size)]


@pytest.fixture(scope="module")
def fit():
    return fit_floor(slots(1, 150), slots(2, 40), FloorSettings(costs=(0.1,)))


def test_it_learns(fit):
    assert fit.f1 == pytest.approx(1.0)
    assert fit.floor.features.profile == "words"
    assert fit.floor.labels.scheme == "BIOES"
    (found,) = fit.floor.predict(["play songs by Miles Davis now"])
    assert [one[:3] for one in found] == [(14, 25, "artist")]
    assert 0.5 < found[0].confidence <= 1.0


def test_the_file_gives_the_same_answers(fit, tmp_path: Path):
    path = tmp_path / "floor.bin"
    fit.floor.save(path)
    assert path.stat().st_size == fit.size_bytes == fit.floor.size_bytes()
    same = TagFloor.load(path)
    texts = [example.text for example in slots(3, 30)]
    assert same.predict(texts) == fit.floor.predict(texts)
    damaged = bytearray(path.read_bytes())
    damaged[-9] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(DamagedFileError):
        TagFloor.load(path)


def test_it_fits_into_its_bytes(fit):
    small = fit.floor.shrunk(fit.size_bytes // 2)
    assert small.size_bytes() <= fit.size_bytes // 2
    texts = [example.text for example in slots(3, 30)]
    agreement = [a == b for a, b in zip(small.tag(texts), fit.floor.tag(texts), strict=True)]
    assert sum(agreement) >= 27
    with pytest.raises(ModelError):
        fit.floor.shrunk(100)
    again = fit_floor(
        slots(1, 150), slots(2, 40), FloorSettings(costs=(0.1,), max_bytes=fit.size_bytes // 2)
    )
    assert again.size_bytes <= fit.size_bytes // 2


@settings(max_examples=80)
@given(texts=st.lists(st.text(max_size=50), max_size=4))
def test_no_text_fails(fit, texts):
    found = fit.floor.predict(texts)
    assert len(found) == len(texts)
    for text, spans in zip(texts, found, strict=True):
        assert all(0 <= one.start < one.end <= len(text) for one in spans)


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "\x00\x01", "\ud800\udfff", "👩‍👩‍👧🀄", "a" * 50_000, "\u202e\ufeff"]
)
def test_odd_texts(fit, text):
    assert fit.floor.tag([text])[0] is not None


def test_one_line_of_a_megabyte(fit):
    text = "please play Queen now 我爱北京。" * 40_000
    (found,) = fit.floor.tag([text])
    assert len(found) > 30_000


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
def test_numpy_gives_the_same_answers(fit, monkeypatch):
    texts = [example.text for example in slots(5, 30)]
    native = fit.floor.predict(texts)
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    slow = fit.floor.predict(texts)
    assert [[one[:3] for one in some] for some in slow] == [[o[:3] for o in s] for s in native]
    for some, others in zip(slow, native, strict=True):
        for one, other in zip(some, others, strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=1e-5)


def test_words_are_cut():
    sentences = [
        "我 爱 北京 。",
        "他 在 上海 工作 。",
        "北京 的 天气 好 。",
        "我 在 北京 工作 。",
    ] * 5
    some = []
    for sentence in sentences:
        start, spans = 0, []
        for word in sentence.split():
            spans.append(Span(start, start + len(word), "word"))
            start += len(word)
        some.append(TaggedText("".join(sentence.split()), tuple(spans)))
    fit = fit_floor(some, some, FloorSettings(costs=(0.1,)))
    assert fit.floor.labels.scheme == "BMES"
    assert fit.floor.features.profile == "segmentation"
    assert fit.floor.words(["我在北京 工作。", ""]) == [["我", "在", "北京", "工作", "。"], []]


def test_tokens_of_one_character_make_units_of_one():
    digits = TaggedText("1997年", (Span(0, 5, "T"),), tuple((i, i + 1) for i in range(5)))
    assert not choose_joins_runs([digits])
    assert choose_joins_runs(slots(1, 20))
    inside = TaggedText("iPhone", (Span(1, 6, "T"),))
    assert not choose_joins_runs([inside])


def test_nothing_to_learn_is_refused():
    with pytest.raises(DataError):
        fit_floor([], [])
    with pytest.raises(DataError):
        fit_floor([TaggedText("abc", ())], [])


def test_torch_is_never_imported():
    code = (
        "import sys, sparrowlm.tasks.tag.floor_training, sparrowlm.tasks.tag.dictionary,"
        "sparrowlm.models.hmm; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
