"""A matcher as a person gets it: pairs judged, stored answers found."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.foundation.errors import ModelError

ACTS = ("付款", "退货", "开户", "转账", "还款", "注销", "改密码", "开发票")
WAYS = ("怎么{}", "如何{}", "请问在哪里{}", "{}怎么操作", "我想{}")


def sheet(path, head, rows):
    with path.open("w", encoding="gbk", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerows([head, *rows])
    return path


def question_pairs(count, seed=0):
    random = np.random.default_rng(seed)
    rows = []
    for _pair in range(count):
        first, second = random.choice(ACTS, 2)
        is_same = bool(random.random() < 0.5)
        texts = [random.choice(WAYS).format(a) for a in (first, first if is_same else second)]
        rows.append((*texts, int(is_same or first == second)))
    return rows


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    path = sheet(folder / "句对.csv", ("句子1", "句子2", "是否相似"), question_pairs(600))
    return sp.train(path, output=folder / "model", model="linear"), folder


@pytest.fixture(scope="module")
def finder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    rows = [(f"怎么{act}", f"{act}请点第{n}个按钮") for n, act in enumerate(ACTS)]
    path = sheet(folder / "问答.csv", ("问题", "答案"), rows)
    return sp.train(path, output=folder / "model", model="linear"), folder


def test_pairs_are_judged(judge):
    model, folder = judge
    assert model.kind == "match"
    same, other = model.match("怎么付款", "付款怎么操作"), model.match("怎么付款", "怎么退货")
    assert same.is_same
    assert not other.is_same
    assert same.label == "1"
    again = model.match("付款怎么操作", "怎么付款")
    assert again.probability == pytest.approx(same.probability, abs=1e-6)
    table = model.evaluate([sheet(folder / "新.csv", ("a", "b", "label"), question_pairs(99, 5))])
    assert table["f1"] > 0.9
    json.dumps([table, model.info()])
    assert sp.load(folder / "model").match("", "🙂").probability <= 1
    assert "F1" in (folder / "model" / "report.html").read_text("utf-8")
    with pytest.raises(ModelError):
        model.search("怎么付款")


def test_answers_are_found(finder):
    model, folder = finder
    found = sp.load(folder / "model").search("请问如何付款", k=2)
    assert found.answers[0].answer.startswith("付款")
    assert len(found.answers) == 2
    table = model.evaluate([folder / "问答.csv"])
    assert table["hit_at_1"] == 1.0


def test_other_kinds_say_what_they_can(judge, tmp_path):
    model, _folder = judge
    with pytest.raises(ModelError, match="match"):
        model.predict("怎么付款")
    writer = sp.train(["我喜欢学习新技术。" * 20], output=tmp_path / "m", model="ngram")
    with pytest.raises(ModelError, match="ngram"):
        writer.match("a", "b")
