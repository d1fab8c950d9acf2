"""`sparrow train` with a teacher, with old data, with tables that nobody can read."""

from __future__ import annotations

import json

import pytest

WORDS = {"好评": ("干净", "满意", "喜欢"), "差评": ("脏乱", "失望", "讨厌")}
NEW_WORDS = {"好评": ("好吃", "新鲜", "美味"), "差评": ("难吃", "发霉", "太咸")}


def rows(words, count=20, first=0):
    return [
        f"房间{number}很{word},{label}"
        for number in range(first, first + count)
        for label, own in words.items()
        for word in own
    ]


@pytest.fixture
def old(sparrow, tmp_path):
    (tmp_path / "old.csv").write_text("\n".join(["评论,情感", *rows(WORDS)]), "utf-8")
    done = sparrow("train", "old.csv", "-o", "old", "--model", "linear")
    assert done.returncode == 0, done.stderr
    assert "sparrow predict old" in done.stdout  # what a classifier can do
    assert "generate" not in done.stdout
    return tmp_path


def test_a_teacher_answers_texts_without_labels(sparrow, old):
    texts = [row.split(",")[0] for row in rows(WORDS, first=50)]
    (old / "more.txt").write_text("\n".join(texts), "utf-8")
    done = sparrow("train", "more.txt", "-o", "small", "--model", "linear", "--teacher", "old")
    assert done.returncode == 0, done.stderr
    assert "Teacher old: answered 120 texts, 120 of them without" in done.stderr
    assert "agrees with its teacher" in done.stderr
    answer = json.loads(sparrow("predict", "small", "真让人满意", "--json").stdout)
    assert answer["label"] == "好评"


def test_old_and_new_are_told_both_ways(sparrow, old):
    (old / "new.csv").write_text("\n".join(["评论,情感", *rows(NEW_WORDS)]), "utf-8")
    done = sparrow(
        "train", "new.csv", "-o", "both", "--model", "linear", "--from", "old", "--replay",
        "old.csv", language="zh",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "旧数据：之前 100.00 %" in done.stderr
    assert "新数据：之前" in done.stderr
    done = sparrow("evaluate", "both", "--on", "old.csv", "new.csv", "--json")
    assert all(table["accuracy"] == 1.0 for table in json.loads(done.stdout).values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--replay", "old.csv"], "--from"),
        (["--keep-answers"], "--from"),
        (["--from", "old", "--replay-share", "0.5"], "--replay"),
        (["--encoding", "klingon"], "klingon"),
    ],
)
def test_dials_that_make_no_sense_are_refused(sparrow, tmp_path, words, said):
    (tmp_path / "old.csv").write_text("评论,情感\n好,是\n坏,否\n", "utf-8")
    done = sparrow("train", "old.csv", "-o", "m", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv.gz", b"\x1f\x8b\x08\x00\x00"),
        ("a.xlsx", b"PK\x03\x04" + b"x" * 300),
        (
            "a.csv",
            "评论,情感\n好房间,正面\n坏房间,负面\n好房间呀,正面\n坏房间呀,负面".encode()[:-1],
        ),
        ("a.csv", b"text,label\n"),
    ],
)
def test_tables_that_cannot_be_read_end_in_one_sentence(sparrow, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    done = sparrow("train", name, "-o", "m", "--task", "classify", "--model", "linear")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()[-1]) > 20
    assert not (tmp_path / "m" / "sparrow.json").exists()


def test_an_encoding_that_was_named_is_used(sparrow, tmp_path):
    text = "评论,情感\n" + "\n".join(rows(WORDS))
    (tmp_path / "a.csv").write_bytes(text.encode("utf-7"))
    done = sparrow("train", "a.csv", "-o", "m", "--model", "linear", "--encoding", "utf-7")
    assert done.returncode == 0, done.stderr
    (tmp_path / "new.csv").write_bytes("评论\n真让人满意\n".encode("utf-7"))
    done = sparrow("predict", "m", "--file", "new.csv", "--encoding", "utf-7")
    assert json.loads(done.stdout)["label"] == "好评"
    done = sparrow("evaluate", "m", "a.csv", "--encoding", "utf-7", "--json")
    assert json.loads(done.stdout)["accuracy"] == 1.0
