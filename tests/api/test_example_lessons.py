"""Taggers and matchers: a teacher answers, old data are learnt again, old labels are kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.foundation.errors import ModelError, SettingError

SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", "伟芳娜敏静强磊军洋勇艳杰"
PLACES = ("北京", "上海", "广州", "深圳", "成都", "武汉", "杭州", "西安")
PRODUCTS = ("手机", "电脑", "耳机", "相机", "冰箱", "空调", "键盘", "音箱")
VERBS = ("去了", "离开", "住在", "回到")


def person(random):
    return random.choice(list(SURNAMES)) + "".join(random.choice(list(GIVEN), 2))


def sentence(random, *, marks):
    """A person at a place bought something; only some kinds are marked."""
    who, where, what = person(random), random.choice(PLACES), random.choice(PRODUCTS)
    pieces = ((who, "人"), (random.choice(VERBS), ""), (where, "地"), ("买", ""), (what, "物"))
    text, entities = "", []
    for piece, label in pieces:
        if label in marks:
            entities.append({"start": len(text), "end": len(text) + len(piece), "label": label})
        text += piece
    return {"text": text + "。", "entities": entities}


def names_file(path, count, seed, marks):
    random = np.random.default_rng(seed)
    rows = [sentence(random, marks=marks) for _ in range(count)]
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def texts_file(path, count, seed):
    random = np.random.default_rng(seed)
    rows = [sentence(random, marks=())["text"] for _ in range(count)]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def facts(directory):
    return json.loads((directory / "sparrow.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example-lessons")
    names_file(folder / "old.jsonl", 300, 0, ("人", "地"))
    names_file(folder / "old-test.jsonl", 100, 1, ("人", "地"))
    names_file(folder / "new.jsonl", 120, 2, ("物",))
    names_file(folder / "all-test.jsonl", 100, 3, ("人", "地", "物"))
    texts_file(folder / "more.txt", 300, 4)
    sp.train(folder / "old.jsonl", output=folder / "names", model="linear")
    return folder


def by_label(model, path):
    return {one["label"]: one["f1"] for one in model.evaluate([path])["per_label"]}


def test_a_teacher_tags_texts_that_nobody_tagged(home, tmp_path):
    few = names_file(tmp_path / "few.jsonl", 6, 9, ("人", "地"))
    alone = sp.train(few, output=tmp_path / "alone", model="linear")
    taught = sp.train(
        few, output=tmp_path / "taught", model="linear", teacher=home / "names",
        unlabelled=home / "more.txt",
    )  # fmt: skip
    scores = [one.evaluate([home / "old-test.jsonl"])["span_f1"] for one in (alone, taught)]
    assert scores[1] > 0.95
    assert scores[1] > scores[0]
    teacher = facts(tmp_path / "taught")["measured"]["teacher"]
    assert teacher["name"] == "names"
    assert 250 < teacher["answered"] <= 300
    card = (tmp_path / "taught" / "README.md").read_text("utf-8")
    assert "token-classification" in card
    assert "names" in card


def test_plain_texts_and_a_teacher_make_a_tagger(home, tmp_path):
    taught = sp.train(
        home / "more.txt", output=tmp_path / "m", model="linear", teacher=home / "names"
    )
    assert taught.kind == "tag"
    assert taught.evaluate([home / "old-test.jsonl"])["span_f1"] > 0.95
    assert facts(tmp_path / "m")["measured"]["teacher"]["judges"]


def test_labels_that_new_data_leave_out_are_kept(home, tmp_path):
    plain = sp.train(home / "new.jsonl", output=tmp_path / "plain", model="linear")
    assert set(plain.labels) == {"物"}
    kept = sp.train(
        home / "new.jsonl", output=tmp_path / "kept", model="linear", start_from=home / "names",
        keep_answers=True,
    )  # fmt: skip
    scores = by_label(kept, home / "all-test.jsonl")
    assert set(scores) == {"人", "地", "物"}
    assert min(scores.values()) > 0.9
    measured = facts(tmp_path / "kept")["measured"]
    assert measured["kept_labels"]["labels"] == ["人", "地"]
    ways = measured["both_ways"]["new"]
    assert ways["after"]["model"]["span_f1"] > ways["before"]["model"]["span_f1"]


def test_old_names_learnt_again_are_measured_both_ways(home, tmp_path):
    other = names_file(tmp_path / "other.jsonl", 150, 8, ("人", "地"))
    model = sp.train(
        other, output=tmp_path / "m", model="linear", start_from=home / "names",
        replay=home / "old.jsonl", replay_share=0.5,
    )  # fmt: skip
    measured = facts(tmp_path / "m")["measured"]
    assert measured["replay"]["share"] == 0.5
    assert set(measured["both_ways"]) == {"old", "new"}
    for table in measured["both_ways"].values():
        assert table["after"]["model"]["span_f1"] > 0.9
        assert table["after"]["model"]["num_texts"] >= 50
    page = (tmp_path / "m" / "report.html").read_text("utf-8")
    assert "旧数据，之前" in page
    assert model.evaluate([home / "old-test.jsonl"])["span_f1"] > 0.95


def test_a_teacher_of_another_kind_or_other_labels_is_refused(home, tmp_path):
    reviews = [f'{{"text": "很好{n}", "label": "{"好坏"[n % 2]}"}}' for n in range(40)]
    path = tmp_path / "reviews.jsonl"
    path.write_text("\n".join(reviews), encoding="utf-8")
    sp.train(path, output=tmp_path / "classifier", model="linear")
    with pytest.raises(ModelError) as caught:
        sp.train(
            home / "new.jsonl", output=tmp_path / "m", model="linear", task="tag",
            teacher=tmp_path / "classifier",
        )  # fmt: skip
    assert "classify" in str(caught.value)
    with pytest.raises(SettingError) as refused:
        sp.train(home / "new.jsonl", output=tmp_path / "m", model="linear", teacher=home / "names")
    assert "物" in str(refused.value)


GREETINGS = ("请问", "你好，", "想知道", "麻烦问下")
ASKS = ("怎么付款", "如何退货", "什么时候发货", "能开发票吗", "密码忘了怎么办", "可以改地址吗")


def pair_rows(count, seed, asks=ASKS, names=("0", "1")):
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        is_same = number % 2
        first = random.choice(asks)
        second = first if is_same else random.choice([one for one in asks if one != first])
        starts = random.choice(GREETINGS, 2)
        tail = random.integers(99)
        rows.append((starts[0] + first + str(tail), starts[1] + second + "？", names[is_same]))
    return rows


def pairs_file(path, rows, *, has_labels=True):
    head = "句子1,句子2,标签" if has_labels else "句子1,句子2"
    lines = [",".join(row if has_labels else row[:2]) for row in rows]
    path.write_text("\n".join([head, *lines]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair-lessons")
    pairs_file(folder / "old.csv", pair_rows(400, 0))
    pairs_file(folder / "test.csv", pair_rows(100, 1))
    pairs_file(folder / "more.csv", pair_rows(300, 2), has_labels=False)
    sp.train(folder / "old.csv", output=folder / "matcher", model="linear")
    return folder


def test_a_teacher_judges_pairs_without_a_label(pairs, tmp_path):
    taught = sp.train(
        pairs / "more.csv", output=tmp_path / "m", model="linear", teacher=pairs / "matcher",
        held_out=pairs / "test.csv",
    )  # fmt: skip
    teacher = sp.load(pairs / "matcher")
    scores = [one.evaluate([pairs / "test.csv"])["f1"] for one in (teacher, taught)]
    assert scores[1] > scores[0] - 0.05
    measured = facts(tmp_path / "m")["measured"]
    assert measured["teacher"]["answered"] == 300
    assert "judges" not in measured["teacher"]
    assert measured["search"] is None


@pytest.mark.parametrize("way", ["replay", "keep"])
def test_a_matcher_goes_on_and_is_measured_both_ways(pairs, tmp_path, way):
    asks = ("发票抬头写错了", "怎么注销账号", "积分怎么换", "运费谁出")
    new = pairs_file(tmp_path / "new.csv", pair_rows(300, 5, asks, ("不同", "相同")))
    dials = {"replay": pairs / "old.csv"} if way == "replay" else {"keep_answers": True}
    model = sp.train(
        new, output=tmp_path / "m", model="linear", start_from=pairs / "matcher", **dials
    )
    assert model.evaluate([new])["f1"] > 0.9
    measured = facts(tmp_path / "m")["measured"]["both_ways"]
    assert set(measured) == ({"old", "new"} if way == "replay" else {"new"})
    assert all(table["after"]["model"]["f1"] > 0.8 for table in measured.values())


def test_answers_stored_before_are_stored_again(pairs, tmp_path):
    first = tmp_path / "first.csv"
    first.write_text("问题,答案\n怎么付款,在线支付\n如何退货,联系客服\n", encoding="utf-8")
    second = tmp_path / "second.csv"
    second.write_text("问题,答案\n发货多久,三天内\n能开发票吗,可以\n", encoding="utf-8")
    sp.train(first, output=tmp_path / "a", model="linear")
    model = sp.train(
        second, output=tmp_path / "b", model="linear", start_from=tmp_path / "a", replay=first
    )
    assert model.search("怎么付款").answers[0].answer == "在线支付"
    assert model.search("能开发票吗").answers[0].answer == "可以"
