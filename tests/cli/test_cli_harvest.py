"""`sparrow harvest`: from a cascade's log to rows, in plain words."""

from __future__ import annotations

import json

import pytest

from sparrowlm.cooperation.decision_log import DecisionLog, DecisionRecord
from sparrowlm.cooperation.decisions import Decision, DecisionInputs

TEXTS = [("我的电话13812345678打不通", "故障"), ("怎么付款", "付款"), ("怎么付款", "账单")]


@pytest.fixture
def log(tmp_path):
    inputs, decision = DecisionInputs(0.3, "付款"), Decision("escalate", "unsure", 0.5)
    with DecisionLog(tmp_path / "log.jsonl", keeps_text=True) as found:
        for time, (text, label) in enumerate(TEXTS):
            found.write(DecisionRecord(
                time=float(time), policy="p", text_hash="h", inputs=inputs, confidence=0.4,
                decision=decision, answered_by="large", text=text, answer=label, task="classify",
            ))  # fmt: skip
    return tmp_path / "log.jsonl"


def test_harvest_writes_rows_and_says_what_it_did(sparrow, log, tmp_path):
    done = sparrow("harvest", "log.jsonl", "-o", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert "2 rows in out.jsonl, 2 of them new" in done.stdout
    assert "1 texts were answered differently" in done.stdout
    assert "sparrow train out.jsonl --from MODEL" in done.stdout
    content = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in content.splitlines()]
    assert [row["label"] for row in rows] == ["故障", "账单"]
    assert "13812345678" not in content
    again = sparrow("harvest", "log.jsonl", "-o", "out.jsonl", language="zh")
    assert "2 条数据，其中 0 条是新的" in again.stdout
    kept = sparrow("harvest", "log.jsonl", "-o", "raw.jsonl", "--personal", "keep", "--json")
    assert json.loads(kept.stdout)["num_contradicted"] == 1
    assert "13812345678" in (tmp_path / "raw.jsonl").read_text(encoding="utf-8")
    (tmp_path / "key").write_text("secret-of-mine\n", encoding="utf-8")
    dials = ("--personal", "surrogate", "--key-file", "key")
    for _ in range(2):
        done = sparrow("harvest", "log.jsonl", "-o", "other.jsonl", *dials, "--json")
        assert json.loads(done.stdout)["num_rows"] == 2
    assert "13812345678" not in (tmp_path / "other.jsonl").read_text(encoding="utf-8")


def test_harvest_says_what_is_wrong(sparrow, log, tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"text": "a", "label": "b"}\n', encoding="utf-8")
    (tmp_path / "key").write_text("secret-of-mine\n", encoding="utf-8")
    for words, code, said in (
        (("-o", "out.jsonl"), 2, "log"),
        (("log.jsonl", "-o", "mine.jsonl"), 2, "not made by sparrow harvest"),
        (("none.jsonl", "-o", "out.jsonl"), 1, "none.jsonl"),
        (("log.jsonl", "-o", "out.jsonl", "--personal", "hash"), 2, "--key-file"),
        (("log.jsonl", "-o", "out.jsonl", "--key-file", "key"), 2, "mask"),
        (("log.jsonl", "-o", "out.jsonl", "--personal", "keep", "--names", "m"), 2, "--names"),
    ):
        done = sparrow("harvest", *words)
        assert done.returncode == code, (words, done.stderr)
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out.jsonl").exists()
