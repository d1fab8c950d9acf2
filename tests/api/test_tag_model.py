"""A tagger as a person gets it: names, slots with intents, words."""

from __future__ import annotations

import csv
import json
import time

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.foundation.errors import DataError, ModelError

NAMES = ("张伟", "王芳", "李娜", "刘洋", "陈静")
CITIES = ("北京", "上海", "广州", "深圳", "成都")


def sentences(count, seed=0):
    """Tokens and BIO tags of sentences about people and cities."""
    random = np.random.default_rng(seed)
    rows = []
    for _row in range(count):
        name, city = random.choice(NAMES), random.choice(CITIES)
        pieces = [(name, "人名"), ("昨天去了", None), (city, "地名"), ("出差", None)]
        tokens, tags = [], []
        for text, label in pieces:
            for place, sign in enumerate(text):
                tokens.append(sign)
                tags.append("O" if label is None else f"{'I' if place else 'B'}-{label}")
        rows.append((tokens, tags))
    return rows


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tag")
    with (folder / "标注.csv").open("w", encoding="gbk", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["分词", "标注"])
        writer.writerows((" ".join(tokens), " ".join(tags)) for tokens, tags in sentences(200))
    lines = ["\n".join(map("\t".join, zip(*row, strict=True))) for row in sentences(60, 1)]
    (folder / "new.conll").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    sp.train(folder / "标注.csv", output=folder / "model", steps=4)
    return folder


@pytest.fixture
def model(home):
    return sp.load(home / "model")


def test_names_are_found_at_their_places(model):
    assert model.kind == "tag"
    assert set(model.labels) == {"人名", "地名"}
    text = "刘洋昨天去了成都出差"
    (answer,) = model.predict([text])
    assert [(span.text, span.label) for span in answer.spans] == [
        ("刘洋", "人名"),
        ("成都", "地名"),
    ]
    assert all(text[span.start : span.end] == span.text for span in answer.spans)
    assert all(0 < span.probability <= 1 for span in answer.spans)
    assert answer.intent is None


def test_the_dictionary_of_the_user_outranks_it(model, tmp_path):
    entries = tmp_path / "words.txt"
    entries.write_text("出差\t事件\n", encoding="utf-8")
    entries.write_text("昨天\t地名\n", encoding="utf-8")
    (answer,) = model.predict("刘洋昨天去了成都出差", user_dictionary=entries)
    assert ("昨天", "地名") in [(span.text, span.label) for span in answer.spans]
    with pytest.raises(DataError):
        model.predict("a", user_dictionary=tmp_path / "missing.txt")


def test_it_is_measured(home, model):
    table = model.evaluate([home / "new.conll"])
    assert table["span_f1"] > 0.95
    assert {one["label"] for one in table["per_label"]} == {"人名", "地名"}
    json.dumps([table, model.info()])
    page = (home / "model" / "report.html").read_text("utf-8")
    assert "片段 F1" in page
    assert "人名" in page


@pytest.mark.parametrize("text", ["", "🙂", "\ud800", "x" * 5000])
def test_any_text_gets_an_answer(model, text):
    began = time.process_time()
    assert len(model.predict([text])) == 1
    # A line of letters is one word: what lies inside it must not be looked at for every length.
    assert time.process_time() - began < 10


def test_slots_and_intents_together(tmp_path):
    examples = []
    random = np.random.default_rng(0)
    for _row in range(160):
        city, name = random.choice(CITIES), random.choice(NAMES)
        examples += [
            {"text": f"查{city}天气", "intent": "天气", "slots": {"城市": str(city)}},
            {"text": f"打电话给{name}", "intent": "电话", "slots": {"联系人": str(name)}},
        ]
    path = tmp_path / "train.jsonl"
    lines = (json.dumps(example, ensure_ascii=False) for example in examples)
    path.write_text("\n".join(lines), encoding="utf-8")
    model = sp.train(path, output=tmp_path / "model", steps=30)
    assert model.kind == "intent"
    (answer,) = model.predict("查深圳天气")
    assert answer.intent.label == "天气"
    assert [(span.text, span.label) for span in answer.spans] == [("深圳", "城市")]


def test_words(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("我们 喜欢 学习 新 技术\n他们 学习 历史\n" * 80, encoding="utf-8")
    model = sp.train(path, output=tmp_path / "model", task="segment", model="linear")
    assert model.words("他们喜欢技术") == ["他们", "喜欢", "技术"]
    with pytest.raises(ModelError, match="segment"):
        model.next("我们")
