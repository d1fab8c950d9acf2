"""The report and the card: whole, escaped, in both languages, with nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.export.chart import Series, bar_chart, line_chart
from sparrowlm.export.model_card import model_card
from sparrowlm.export.report import report_page
from sparrowlm.export.run_record import RunRecord

VOID = {"meta", "br", "hr", "img", "input", "link"}
ATTACK = "</blockquote><script>alert('x')</script> & \"我\" ``` | # <!--"


class Outline(HTMLParser):
    """Checks that every element is closed in order, and collects what the page shows."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text, self.attributes = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def full_record(text: str = "人工智能将改变世界。", **changes) -> RunRecord:
    curve = [
        {"seconds": 3.0 * n, "step": 50 * n, "tokens": 1000 * n, "train_nats": 3.0 / (n + 1),
         "held_out_nats": None if n == 0 else 3.2 / (n + 1)}
        for n in range(30)
    ]  # fmt: skip
    fields = {
        "kind": "mixture", "tokenizer": "character", "vocab_size": 319, "name": text,
        "version": "0.1.0", "neural": "transformer", "shape": {"width": 192, "num_layers": 4},
        "num_parameters": 1_834_567, "num_bytes": 7_800_000,
        "data": {
            "reading": {"num_files": 3, "num_bytes": 1_115_394, "dropped_documents": {"copy": 2}},
            "train": {"num_documents": 1, "num_characters": 1_003_854, "num_tokens": 1_003_855},
            "held_out": {"num_documents": 1, "num_characters": 111_540, "num_tokens": 111_541},
            "tokens_per_word": 4.2, "frequent_tokens": [[" ", 9], ["的", 5], ["\n", 3], [text, 2]],
        },
        "plan": {"predicted_seconds": 60, "predicted_ram_mib": 700, "precision": "float32",
                 "predicted_file_bytes": 7_000_000, "expected_bits_per_character": 2.1,
                 "num_tokens": 4_000_000, "num_epochs": 4.0},
        "measured": {"training_seconds": 58.2, "steps": 1200,
                     "bits_per_character": {"ngram": 2.19, "neural": 2.2, "mixture": 2.06}},
        "curve": curve, "floor_nats": 1.52, "machine": {"num_cores": 2},
        "samples": [{"seconds": 3.0, "text": text}], "settings": {"minutes": 5.0, "from": text},
    }  # fmt: skip
    return RunRecord(**{**fields, **changes})


def test_report_shows_everything_in_both_languages():
    page = report_page(full_record())
    shown = "".join(outline(page).text)
    for word in ("学习曲线", "Learning curve", "预测与实测", "Predicted and measured",
                 "人工智能将改变世界。", "最常见的词元", "2.060", "1.83M", "58 秒"):  # fmt: skip
        assert word in shown
    assert '<meta charset="utf-8">' in page
    assert page.encode("utf-8").decode("utf-8") == page


def test_report_brings_everything_with_it():
    page = report_page(full_record())
    assert not re.search(r"https?://|@import|url\(", page)
    assert not {"src", "href"} & {name for name, _value in outline(page).attributes}


def test_report_curve_is_drawn_against_the_floor():
    page = report_page(full_record())
    classes = [value for name, value in outline(page).attributes if name == "class"]
    for style in ("train", "held-out", "floor", "mixture"):
        assert f"line {style}" in classes
    assert "学习曲线" in page
    without = report_page(full_record(curve=[], kind="ngram", neural=None))
    assert "line train" not in without
    assert "there is no curve" in without


@pytest.mark.parametrize("language", ["zh", "en"])
def test_report_starts_in_the_language_of_its_maker(monkeypatch, language):
    monkeypatch.setenv("SPARROW_LANG", language)
    assert f'<html lang="{language}">' in report_page(full_record())


@given(st.text(max_size=30))
@settings(max_examples=30)
def test_report_escapes_whatever_stands_in_texts(text):
    text = text + ATTACK
    page = report_page(full_record(text))
    parser = outline(page)
    assert parser.seen.count("script") == 1
    assert parser.seen.count("blockquote") == 1
    if text.isprintable():
        assert text in "".join(parser.text)


def test_report_needs_no_more_than_the_kind():
    for kind in ("ngram", "vectors", "rnn", "lstm", "transformer", "mixture"):
        record = RunRecord(kind=kind, tokenizer="word", vocab_size=3)
        outline(report_page(record))
        assert model_card(record)


def test_chart_is_svg_with_points_inside():
    chart = line_chart([Series("train", [(0.0, 3.0), (5.0, 2.0), (9.0, float("nan"))])], "a < b")
    root = ElementTree.fromstring(chart)
    assert root.get("aria-label") == "a < b"
    places = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", root.findall("path")[-1].get("d"))
    assert len(places) == 2
    assert all(0 <= float(x) <= 760 and 0 <= float(y) <= 320 for x, y in places)
    assert float(places[0][1]) < float(places[1][1])  # less loss lies lower


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.floats(-1e3, 1e6, allow_nan=False)), min_size=1, max_size=9
    )
)
def test_chart_draws_any_numbers(points):
    root = ElementTree.fromstring(line_chart([Series("train", sorted(points))], "x"))
    for text in root.iter("text"):
        assert float(text.text.replace(",", "")) is not None


def test_chart_bars_name_any_text():
    root = ElementTree.fromstring(bar_chart([("<b>&", 3.0), ("的", 0.0)], "tokens"))
    assert "<b>&" in [text.text for text in root.iter("text")]
    assert bar_chart([], "nothing") == ""


def test_card_has_front_matter_and_both_languages():
    card = model_card(full_record())
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert card.count("\n---\n") >= 2
    for heading in ("## 数据", "## Data", "## 配方", "## Recipe", "## 局限", "## Limits",
                    "## 学习曲线", "## Learning curve", "## 用法", "## Use"):  # fmt: skip
        assert heading in card
    assert "\n| 混合模型 | 2.060 (-5.9%) |" in card
    assert "library_name: sparrowlm" in model_card(full_record(neural=None, kind="ngram"))


def test_card_keeps_texts_in_their_place():
    card = model_card(full_record(ATTACK))
    assert f"````text\n{ATTACK}\n````" in card  # a fence longer than any run of back-ticks inside
    outside = re.sub(r"(`{3,})\w*\n.*?\n\1", "", card, flags=re.DOTALL)
    front, rest = outside.split("\n---\n", 1)
    assert "<script>" not in rest
    assert "model_name: " in front
