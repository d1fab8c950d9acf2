"""JSON records, Rasa's YAML and Excel."""

from __future__ import annotations

import datetime
import json
import sys

import openpyxl
import pytest
from labelled_files import json_lines, names, read, surfaces, write

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import (
    LabelledText,
    Span,
    TaggedText,
    TextPair,
    iterate_texts,
    recognise,
)
from sparrowlm.foundation.errors import DataError, DependencyError

CASES = {
    "label": ([{"text": "好", "label": "a"}, {"text": "坏", "label": 2}], [("a",), ("2",)]),
    "labels": (
        [{"text": "x", "labels": ["a", "b"]}, {"text": "y", "labels": []}],
        [("a", "b"), ()],
    ),
    "标签": ([{"内容": "x", "标签": "甲"}, {"内容": "y", "标签": "乙"}], [("甲",), ("乙",)]),
    "category": (
        [{"id": 1, "title": "x", "category": "a"}, {"id": 2, "title": "y", "category": "a"}],
        [("a",), ("a",)],
    ),
    "bool": (
        [{"comment": "x", "label": True}, {"comment": "y", "label": False}],
        [("true",), ("false",)],
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("form", ["jsonl", "json", "txt"])
def test_records_with_labels(tmp_path, name, form):
    records, labels = CASES[name]
    content = json.dumps(records, indent=1) if form == "json" else json_lines(*records)
    path = write(tmp_path / f"a.{form}", content)
    data = read(path)
    assert data.task == "classify" and data.format == "records"
    assert [e.labels for e in data.examples] == labels
    assert data.is_multi_label == (name == "labels")
    assert recognise([path], tmp_path / "w") == "classify"


def test_records_soft_labels(tmp_path):
    records = [
        {"text": "x", "probabilities": {"a": 0.9, "b": 0.1}},
        {"text": "y", "probabilities": {"b": 1}},
    ]
    data = read(write(tmp_path / "a.jsonl", json_lines(*records)))
    assert data.examples == [
        LabelledText("x", ("a",), (("a", 0.9), ("b", 0.1))),
        LabelledText("y", ("b",), (("b", 1.0),)),
    ]


def test_records_of_cluener(tmp_path):
    text = "浙商银行企业信贷部叶老桂博士则从另一个角度对五道门槛进行了解读。"
    label = {"name": {"叶老桂": [[9, 11]]}, "company": {"浙商银行": [[0, 3]]}}
    data = read(write(tmp_path / "train.json", json_lines({"text": text, "label": label})))
    assert data.task == "tag"
    assert surfaces(data.examples[0]) == [("浙商银行", "company"), ("叶老桂", "name")]
    assert data.columns.label == "label" and data.problems == ()


@pytest.mark.parametrize("key", ["labels", "label", "entities", "spans"])
@pytest.mark.parametrize("form", ["lists", "dicts", "offsets"])
def test_records_of_annotation_tools(tmp_path, key, form):
    spans = {
        "lists": [[3, 5, "LOC"], [0, 1, "PER"]],
        "dicts": [{"start": 3, "end": 5, "label": "LOC"}, {"start": 0, "end": 1, "label": "PER"}],
        "offsets": [
            {"start_offset": 3, "end_offset": 5, "entity": "LOC"},
            {"start_offset": 0, "end_offset": 1, "entity": "PER"},
        ],
    }
    records = [{"id": 1, "text": "我来到北京", key: spans[form]}, {"id": 2, "text": "好", key: []}]
    data = read(write(tmp_path / "a.jsonl", json_lines(*records)))
    assert data.task == "tag"
    assert data.examples == [
        TaggedText("我来到北京", (Span(0, 1, "PER"), Span(3, 5, "LOC"))),
        TaggedText("好", ()),
    ]


def test_records_broken_spans_are_repaired_or_dropped_with_counts(tmp_path):
    records = [
        {"text": "我在北京工作", "entities": [[2, 4, "LOC"], [2, 4, "LOC"], [3, 5, "X"]]},
        {"text": "短", "entities": [[0, 9, "A"], [5, 7, "B"], [1, 1, "C"]]},
        {"text": "去上海吧", "entities": [{"start": 0, "end": 2, "label": "L", "text": "上海"}]},
        {"text": "去上海吧", "entities": [{"start": 0, "end": 2, "label": "L", "text": "东京"}]},
        {"text": "其他", "entities": [[0, 2, "L"], ["x", 2, "L"]]},
        {"text": "又一条", "entities": [[0, 1, "L"]]},
        {"text": "再一条", "entities": [[0, 1, "L"]]},
    ]
    data = read(write(tmp_path / "a.jsonl", json_lines(*records)))
    assert [surfaces(e) for e in data.examples[:5]] == [
        [("北京", "LOC")], [("短", "A")], [("上海", "L")], [], [("其他", "L")],
    ]  # fmt: skip
    counts = {
        name: p.fields["count"] for name, p in zip(names(data.problems), data.problems, strict=True)
    }
    assert counts == {
        "span-overlapping": 1, "span-clipped": 1, "span-outside": 1, "span-empty": 1,
        "span-moved": 1, "span-dropped": 1, "span-unreadable": 1,
    }  # fmt: skip
    for problem in data.problems:
        assert str(problem.fields["example"]) in problem.sentence("zh")


def test_records_with_slots_and_intent(tmp_path):
    records = [
        {"text": "从北京去北京西站", "domain": "map", "intent": "ROUTE",
         "slots": {"from": "北京", "to": "北京西站"}},
        {"text": "打开UC", "domain": "app", "intent": "LAUNCH", "slots": {"name": "uc"}},
        {"text": "play a song", "domain": "m", "intent": "PLAY",
         "slots": [{"name": "n", "value": "a"}]},
        {"text": "放歌", "domain": "m", "intent": "PLAY", "slots": {"song": "稻香"}},
        {"text": "你好", "domain": "chat", "intent": "CHAT", "slots": {}},
    ]  # fmt: skip
    data = read(write(tmp_path / "a.jsonl", json_lines(*records)))
    assert data.task == "intent"
    assert [e.intent for e in data.examples] == ["ROUTE", "LAUNCH", "PLAY", "PLAY", "CHAT"]
    assert surfaces(data.examples[0]) == [("北京", "from"), ("北京西站", "to")]
    assert surfaces(data.examples[1]) == [("UC", "name")]
    assert data.examples[2].spans == (Span(5, 6, "n"),)
    assert "slot-missing" in names(data.problems) and data.columns.ignored == ("domain",)
    assert read(tmp_path / "a.jsonl", task="classify").examples[4] == LabelledText(
        "你好", ("CHAT",)
    )
    assert read(tmp_path / "a.jsonl", label_field="domain").examples[0].intent == "map"


def test_records_with_tokens_and_tags(tmp_path):
    records = [
        {"tokens": ["在", "北", "京"], "ner_tags": ["O", "B-LOC", "I-LOC"]},
        {"tokens": ["好"], "ner_tags": ["O"]},
        {"tokens": ["好"], "ner_tags": ["O", "O"]},
    ]
    report = ReadingReport()
    data = read(write(tmp_path / "a.json", json.dumps(records)), report)
    assert data.examples[0] == TaggedText("在北京", (Span(1, 3, "LOC"),), ((0, 1), (1, 2), (2, 3)))
    assert len(data.examples) == 2 and report.num_bad_records == 1


def test_records_pairs(tmp_path):
    records = [
        {"sentence1": "a", "sentence2": "b", "label": "1"},
        {"sentence1": "c", "sentence2": "d", "label": 0},
    ]
    data = read(write(tmp_path / "a.jsonl", json_lines(*records)))
    assert data.examples == [TextPair("a", "b", "1"), TextPair("c", "d", "0")]


def test_records_broken_lines_are_counted(tmp_path):
    content = (
        json_lines({"text": "x", "label": "a"})
        + "{broken\n[1]\n"
        + json_lines({"text": "y", "label": "b"})
    )
    report = ReadingReport()
    assert len(read(write(tmp_path / "a.jsonl", content), report).examples) == 2
    assert report.num_bad_records == 2


@pytest.mark.parametrize(
    "record",
    [
        {"id": 1, "title": "x", "text": "a text"},
        {"author": "李白", "title": "静夜思", "lines": ["床前明月光", "疑是地上霜"]},
        {"messages": [{"role": "user", "content": "hello"}]},
        {"instruction": "say", "output": "said"},
        {"name": "故宫", "领域": "景点", "评分": 4.7, "周边": ["天安门"]},
    ],
    ids=lambda record: next(iter(record)),
)
def test_records_without_labels_are_plain_text(tmp_path, record):
    path = write(tmp_path / "a.jsonl", json_lines(*[record] * 30))
    assert recognise([path], tmp_path / "w") is None


def test_records_missing_key(tmp_path):
    path = write(tmp_path / "a.jsonl", json_lines({"text": "x", "label": "a"}))
    with pytest.raises(DataError, match="text, label") as caught:
        read(path, text_field="body")
    assert caught.value.code == "corpora.labelled-field-missing"


def test_records_line_of_a_megabyte_and_wide_characters(tmp_path):
    records = [{"text": "😀𠀀" * 300_000, "label": "长"}, {"text": "短", "label": "短"}]
    data = read(write(tmp_path / "a.jsonl", json_lines(*records)))
    assert [len(e.text) for e in data.examples] == [600_000, 1]


NLU = """version: "3.1"
nlu:
- intent: book_flight
  examples: |
    - 订一张去[北京](city)的票
    - from [New York]{"entity": "city", "role": "from"} to [Paris](city:paris)
- intent: greet
  examples: |
    - 你好
    - hello [x] there
- synonym: 北京
  examples: |
    - 帝都
- lookup: city
  examples: |
    - 上海
"""


def test_rasa_intents_with_entities(tmp_path):
    data = read(write(tmp_path / "nlu.yml", NLU))
    assert data.task == "intent" and data.format == "rasa"
    assert [(e.text, e.intent) for e in data.examples] == [
        ("订一张去北京的票", "book_flight"),
        ("from New York to Paris", "book_flight"),
        ("你好", "greet"),
        ("hello [x] there", "greet"),
    ]
    assert surfaces(data.examples[0]) == [("北京", "city")]
    assert surfaces(data.examples[1]) == [("New York", "city"), ("Paris", "city")]
    assert names(data.problems) == ["rasa-ignored"] and data.problems[0].fields["count"] == 2


def test_rasa_without_entities_is_classification(tmp_path):
    data = read(write(tmp_path / "a.yaml", "nlu:\n- intent: a\n  examples: |\n    - x\n    - y\n"))
    assert data.examples == [LabelledText("x", ("a",)), LabelledText("y", ("a",))]


@pytest.mark.parametrize("names_", [("a.yml", "b.yml"), ("b.yml", "a.yml")])
def test_rasa_files_with_and_without_entities_go_together(tmp_path, names_):
    with_entities, without = names_
    write(tmp_path / "d" / with_entities, "nlu:\n- intent: a\n  examples: |\n    - go [x](city)\n")
    write(tmp_path / "d" / without, "nlu:\n- intent: b\n  examples: |\n    - hello\n")
    data = read(tmp_path / "d")
    assert data.task == "intent"
    assert {(e.text, e.intent, len(e.spans)) for e in data.examples} == {
        ("go x", "a", 1),
        ("hello", "b", 0),
    }


def test_rasa_broken_yaml_names_the_line(tmp_path):
    path = write(tmp_path / "nlu.yml", 'nlu:\n- intent: "a\n  examples: |\n    - x\n')
    with pytest.raises(DataError) as caught:
        read(path)
    assert caught.value.code == "corpora.labelled-yaml"
    assert isinstance(caught.value.fields["line"], int)
    for language in ("zh", "en"):
        assert "nlu.yml" in caught.value.sentence(language)


def test_rasa_other_yaml_is_not_labelled(tmp_path):
    path = write(tmp_path / "domain.yml", "intents:\n- greet\nresponses:\n  utter: [x]\n")
    assert recognise([path], tmp_path / "w") is None


def workbook(path, *sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"s{number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_excel_tables(tmp_path):
    rows = [
        ["编号", "评论", "情感"],
        [1, "很好\n第二行", 1],
        [None, None, None],
        [2, "很差", 0],
        [3, "日期", 1.0],
    ]
    path = workbook(tmp_path / "a.xlsx", [], rows)
    data = read(path)
    assert data.format == "table" and data.columns.label == "情感"
    assert data.examples == [
        LabelledText("很好\n第二行", ("1",)),
        LabelledText("很差", ("0",)),
        LabelledText("日期", ("1",)),
    ]
    texts = list(iterate_texts(path, tmp_path / "w"))
    assert [t.row for t in texts][1] == {"编号": "2", "评论": "很差", "情感": "0"}


def test_excel_dates_are_written_as_people_see_them(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["text", "date"], ["x", datetime.datetime(2024, 5, 1)]])
    assert next(iterate_texts(path, tmp_path / "w")).row["date"] == "2024-05-01"


def test_excel_whole_numbers_have_no_point(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["text", "label"], ["x", 1e20], ["y", 0.5]])
    assert [e.labels for e in read(path).examples] == [("1" + "0" * 20,), ("0.5",)]


def test_excel_damaged_and_old_files_are_refused(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["text", "label"], ["x", "a"]])
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"no excel at all", b""):
        write(path, content)
        with pytest.raises(DataError) as caught:
            read(path)
        assert caught.value.code == "corpora.labelled-excel-damaged"
        assert "a.xlsx" in caught.value.sentence("zh")
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "b.xls", b"\xd0\xcf\x11\xe0"))
    assert caught.value.code == "corpora.labelled-old-excel"


def test_excel_without_openpyxl_says_what_to_install(tmp_path, monkeypatch):
    path = workbook(tmp_path / "a.xlsx", [["text", "label"], ["x", "a"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DependencyError, match=r"sparrowlm\[excel\]"):
        read(path)
