"""Tables with a column for each label."""

from __future__ import annotations

import json

import pytest

import sparrowlm as sp
from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledSettings, check, read_labelled

TEXTS = {
    ("快",): "当天就送到了，速度飞快",
    ("便宜",): "价格实惠，比别家划算",
    ("快", "便宜"): "又快又划算，当天送到还实惠",
    (): "包装是纸箱，颜色是蓝的",
}


def rows(count=80):
    kinds = list(TEXTS)
    return [(f"{TEXTS[kinds[n % 4]]}{n}", kinds[n % 4]) for n in range(count)]


def table(path, head, lines, encoding="utf-8"):
    path.write_text("\n".join([head, *lines]), encoding=encoding)
    return path


def flags(path, encoding="utf-8"):
    lines = [
        f"{n},{text},{int('快' in of)},{int('便宜' in of)}" for n, (text, of) in enumerate(rows())
    ]
    return table(path, "编号,评价,快,便宜", lines, encoding)


def read(path, task=None):
    return read_labelled([path], LabelledSettings(task=task), ReadingReport(), path.parent / "w")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_columns_of_zero_and_one_are_labels(tmp_path, encoding):
    data = read(flags(tmp_path / "a.csv", encoding))
    assert (data.task, data.is_multi_label) == ("classify", True)
    assert data.columns.labels == ("快", "便宜")
    assert data.columns.ignored == ("编号",)
    assert [one.labels for one in data.examples[:4]] == list(TEXTS)
    assert data.examples[3].probabilities == (("快", 0.0), ("便宜", 0.0))
    assert "快, 便宜" in data.evidence
    assert "corpora.labelled-unlabelled" not in [one.code for one in check(data.examples)]


def test_columns_of_shares_are_soft_labels(tmp_path):
    lines = [
        f"{text},{0.8 if '快' in of else 0.3},{0.2 if '快' in of else 0.7}" for text, of in rows()
    ]
    data = read(table(tmp_path / "a.csv", "评价,快,慢", lines))
    assert not data.is_multi_label
    assert data.examples[0].labels == ("快",)
    assert data.examples[1].probabilities == (("快", 0.3), ("慢", 0.7))


def test_one_flag_in_every_row_is_one_label(tmp_path):
    lines = [f"{text},{int('快' in of)},{int('快' not in of)}" for text, of in rows()]
    data = read(table(tmp_path / "a.csv", "评价,快,慢", lines))
    assert not data.is_multi_label
    assert {one.labels for one in data.examples} == {("快",), ("慢",)}


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ("评价,标签,已读", lambda n: f"{n % 2},{n % 2}"),  # one is called a label
        ("评价,快", lambda n: f"{n % 2}"),  # there is one only
        ("评价,分数,快", lambda n: f"{n % 7},{n % 2}"),  # the other one is a number
        ("评价,快,空", lambda n: f"{n % 2},"),  # the other one is empty
    ],
)
def test_other_tables_are_read_as_before(tmp_path, head, tail):
    lines = [f"{text},{tail(n)}" for n, (text, _of) in enumerate(rows())]
    data = read(table(tmp_path / "a.csv", head, lines))
    assert data.columns.labels == ()
    assert data.columns.label in ("标签", "快", "分数")


def test_keys_of_records_are_labels_where_classes_are_asked_for(tmp_path):
    path = tmp_path / "a.jsonl"
    records = [
        {"text": text, "fast": "快" in of, "cheap": int("便宜" in of)} for text, of in rows()
    ]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    data = read(path, "classify")
    assert data.columns.labels == ("fast", "cheap")
    assert [one.labels for one in data.examples[:4]] == [
        ("fast",), ("cheap",), ("fast", "cheap"), (),
    ]  # fmt: skip


def test_a_row_with_something_else_in_a_label_is_lost_and_counted(tmp_path):
    path = flags(tmp_path / "a.csv")
    more = "\n".join(f"{n},又快又好{n},1,0" for n in range(2000))
    path.write_text(f"{path.read_text('utf-8')}\n{more}\n9,坏行,5,x\n", encoding="utf-8")
    report = ReadingReport()
    data = read_labelled([path], LabelledSettings(), report, tmp_path / "w")
    assert len(data.examples) == 2080
    assert report.num_bad_records == 1


def test_none_of_the_labels_is_learnt_and_answered(tmp_path):
    model = sp.train(flags(tmp_path / "a.csv"), output=tmp_path / "m", model="linear")
    answers = model.predict(list(TEXTS.values()))
    assert [set(answer.labels) for answer in answers] == [set(of) for of in TEXTS]
    assert model.evaluate([flags(tmp_path / "b.csv")])["num_texts"] == 80
