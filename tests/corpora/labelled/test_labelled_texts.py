"""Texts for predictions: one row at a time, with the whole row beside it."""

from __future__ import annotations

import tracemalloc

import pytest
from labelled_files import json_lines, table, write

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledSettings, TextRow, iterate_texts
from sparrowlm.foundation.errors import DataError


def texts(path, report=None, **settings):
    workspace = path.parent / "w"
    return list(iterate_texts(path, workspace, LabelledSettings(**settings), report))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_texts_of_lines(tmp_path, encoding):
    content = "第一行文字，很好\r\n\r\n第三行\ttab\r\nlast"
    rows = texts(write(tmp_path / "a.txt", content, encoding))
    assert [row.text for row in rows] == ["第一行文字，很好", "", "第三行\ttab", "last"]
    assert rows[0].row == {"text": "第一行文字，很好"}


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_texts_of_tables_keep_the_row(tmp_path, suffix):
    rows = [["id", "评论", "note"], ["1", '很"好"\n真的', "x"], ["2", "一般, 不差", ""]]
    content = table(rows, delimiter="\t" if suffix == "tsv" else ",")
    found = texts(write(tmp_path / f"a.{suffix}", content))
    assert found == [TextRow(row[1], dict(zip(rows[0], row, strict=True))) for row in rows[1:]]


def test_texts_of_the_column_named(tmp_path):
    path = write(
        tmp_path / "a.csv", table([["text", "other"], ["a long text", "x"], ["more", "y"]])
    )
    assert [row.text for row in texts(path, text_field="other")] == ["x", "y"]
    assert [row.text for row in texts(path, text_field="1")] == ["x", "y"]
    with pytest.raises(DataError, match="text, other"):
        texts(path, text_field="third")


def test_texts_without_header(tmp_path):
    path = write(tmp_path / "a.csv", table([["1", "good, yes!"], ["2", "bad, no!"]]))
    assert [row.text for row in texts(path)] == ["good, yes!", "bad, no!"]
    assert texts(path)[0].row == {"0": "1", "1": "good, yes!"}


def test_texts_of_one_column_with_commas(tmp_path):
    path = write(tmp_path / "a.csv", "text\ngood, very good\nbad\n")
    assert [row.text for row in texts(path)] == ["good, very good", "bad"]


def test_texts_of_records(tmp_path):
    records = [{"id": 1, "内容": "好", "x": [1]}, {"id": 2, "内容": "坏"}, {"id": 3}]
    report = ReadingReport()
    found = texts(write(tmp_path / "a.jsonl", json_lines(*records, "plain")), report)
    assert [row.text for row in found] == ["好", "坏", "plain"]
    assert found[0].row == records[0]
    assert report.num_bad_records == 1


def test_texts_join_title_and_body_as_in_training(tmp_path):
    path = write(tmp_path / "a.csv", table([["title", "text"], ["T", "body"], ["U", "more"]]))
    assert [row.text for row in texts(path)] == ["T\nbody", "U\nmore"]


def test_texts_of_pairs(tmp_path):
    path = write(tmp_path / "a.csv", table([["question1", "question2"], ["a", "b"], ["c", "d"]]))
    assert [(row.text, row.second) for row in texts(path, task="match")] == [("a", "b"), ("c", "d")]
    lines = json_lines({"q1": "a", "q2": "b"})
    found = texts(write(tmp_path / "a.jsonl", lines), task="match")
    assert [(row.text, row.second) for row in found] == [("a", "b")]


def test_texts_need_constant_memory(tmp_path):
    row = "some words " * 40 + ",a\n"
    path = write(tmp_path / "a.csv", "text,label\n" + row * 60_000)
    tracemalloc.start()
    number = sum(1 for _ in iterate_texts(path, tmp_path / "w"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert number == 60_000
    assert path.stat().st_size > 25e6 > 2 * peak


def test_texts_of_a_missing_path(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.csv"):
        texts(tmp_path / "nothing.csv")
