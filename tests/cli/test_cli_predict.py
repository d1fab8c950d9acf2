"""`sparrow train` on a spreadsheet, `predict`, `evaluate --on`: the real command, end to end."""

from __future__ import annotations

import json

import pytest

WORDS = {"好评": ("干净", "满意", "喜欢"), "差评": ("脏乱", "失望", "讨厌")}
ROWS = [
    (f"房间{number}很{word}", label)
    for number in range(20)
    for label, words in WORDS.items()
    for word in words
]


@pytest.fixture
def trained(sparrow, tmp_path):
    lines = ["评论,情感", *(f"{text},{label}" for text, label in ROWS)]
    (tmp_path / "评论.csv").write_bytes("\r\n".join(lines).encode("gbk"))
    done = sparrow("train", "评论.csv", "-o", "model", "--model", "linear", language="zh")
    assert done.returncode == 0, done.stderr
    assert "情感" in done.stderr
    assert "正确率" in done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5, "a short table, not every fact"
    assert lines[0] == "模型已写入 model。试试：sparrow predict model"
    assert lines[1].split()[:2] == ["accuracy", "macro_f1"]
    assert [line.split()[-1] for line in lines[2:4]] == ["model", "floor"]
    assert "sparrow info model" in lines[4]
    return tmp_path


def test_predict_texts_and_files(sparrow, trained):
    done = sparrow("predict", "model", "早餐让人满意", "床单很脏乱", "--explain")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("好评\t")
    assert any(line.startswith("差评\t") for line in lines)
    assert any(line.startswith("  +") for line in lines)
    done = sparrow("predict", "model", "满意", "--json")
    answer = json.loads(done.stdout)
    assert answer["label"] == "好评"
    assert set(answer["probabilities"]) == {"好评", "差评"}
    (trained / "new.csv").write_text("id,评论\n7,很满意\n8,真讨厌\n", encoding="utf-8")
    done = sparrow("predict", "model", "--file", "new.csv", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (trained / "out.jsonl").read_text("utf-8").splitlines()]
    assert [(row["id"], row["评论"], row["label"]) for row in rows] == [
        ("7", "很满意", "好评"), ("8", "真讨厌", "差评"),
    ]  # fmt: skip
    done = sparrow("predict", "model", "--file", "-", stdin="很满意\n\n真讨厌\n")
    assert [json.loads(line)["label"] for line in done.stdout.splitlines()][::2] == ["好评", "差评"]


def test_evaluate_on_a_file_with_a_report(sparrow, trained):
    done = sparrow("evaluate", "model", "--on", "评论.csv", "--report", "page.html", "--json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert table["accuracy"] == 1.0
    assert table["floor"]["macro_f1"] == 1.0
    assert "混淆表" in (trained / "page.html").read_text("utf-8")
    done = sparrow("evaluate", "model", "评论.csv")
    assert "accuracy: 1.0" in done.stdout
    assert "好评" in done.stdout


def test_several_files_are_compared(sparrow, trained):
    (trained / "other.csv").write_text("text,label\n很满意,差评\n真讨厌,差评\n", "utf-8")
    done = sparrow("evaluate", "model", "--on", "评论.csv", "other.csv")
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split()[:2] == ["accuracy", "macro_f1"]
    assert [row.split()[0] for row in rows] == ["100.00", "50.00"]
    assert rows[1].endswith("other.csv")
    done = sparrow("evaluate", "model", "--on", "评论.csv", "other.csv", "--json")
    assert json.loads(done.stdout)["other.csv"]["accuracy"] == 0.5


def test_the_command_knows_every_kind_of_task():
    from sparrowlm.api import model
    from sparrowlm.cli import evaluate

    assert set(evaluate.TASK_KINDS) == set(model.TASK_KINDS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("predict", "model"), "--file"),
        (("predict", "model", "a", "--file", "b.csv"), "--file"),
        (("predict", "model", "--file", "nothing.csv"), "nothing.csv"),
        (("predict", "nowhere", "text"), "nowhere"),
        (("next", "model", "房间"), "classify"),
        (("evaluate", "model", "--on", "plain.txt"), "plain.txt"),
        (("train", "评论.csv", "-o", "m", "--task", "dance"), "dance"),
        (("train", "评论.csv", "-o", "m", "--label-field", "颜色"), "颜色"),
    ],
)
def test_mistakes_get_one_sentence(sparrow, trained, arguments, expected):
    (trained / "plain.txt").write_text("just text\n", encoding="utf-8")
    done = sparrow(*arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert expected in done.stderr
