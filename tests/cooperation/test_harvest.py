"""From logs of decisions to rows that are trained on."""

from __future__ import annotations

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparrowlm as sp
from sparrowlm.cooperation.asking import LargeAnswer, Question
from sparrowlm.cooperation.calibrating import CalibrationSettings, calibrated
from sparrowlm.cooperation.cascade import Cascade
from sparrowlm.cooperation.decision_log import DecisionLog, DecisionRecord, read_log
from sparrowlm.cooperation.decisions import Decision, DecisionInputs
from sparrowlm.cooperation.harvested_rows import merged, row_of, stripped, without_personal
from sparrowlm.cooperation.harvesting import HarvestSettings, harvest
from sparrowlm.cooperation.judged_rows import JudgedRow
from sparrowlm.cooperation.promise import PromiseSettings
from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledSettings, read_labelled
from sparrowlm.foundation.errors import DamagedFileError, DataError, SettingError
from sparrowlm.privacy import Redactor, find_personal

KEEP = HarvestSettings(redactor=None)
MASK = HarvestSettings(redactor=Redactor(language="zh"))


def record(text, answer, time=0.0, by="large", task="classify", action="escalate"):
    inputs = DecisionInputs(0.3, "guess")
    decision = Decision(action, "sure" if action == "answer" else "unsure", 0.5)
    return DecisionRecord(
        time=float(time), policy="0123456789abcdef", text_hash="x", inputs=inputs, confidence=0.25,
        decision=decision, answered_by=by, text=text, answer=answer, task=task,
    )  # fmt: skip


def write(path, records):
    with DecisionLog(path, keeps_text=True) as log:
        for one in records:
            log.write(one)
    return path


def rows_in(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def test_majority_wins_and_the_latest_of_equals(tmp_path):
    log = write(tmp_path / "log", [
        record("付款", "a", 1), record("付款", "b", 2), record(" 付款\n", "a", 3),
        record("退货", "a", 5), record("退货", "b", 4),
        record("别的", "c", 6), record("别的", "c", 6.5),
    ])  # fmt: skip
    report = harvest([log], tmp_path / "out.jsonl", KEEP)
    rows = rows_in(tmp_path / "out.jsonl")
    assert [(row["text"], row["label"]) for row in rows] == [
        ("付款", "a"), ("退货", "a"), ("别的", "c"),
    ]  # fmt: skip
    assert rows[0]["harvest"] == {
        "by": "large", "times": [1, 3], "time": 3, "small": "guess", "confidence": 0.25,
        "policy": "0123456789ab", "others": [[2, "b"]],
    }  # fmt: skip
    assert (report.num_rows, report.num_new, report.num_joined) == (3, 3, 4)
    assert (report.num_contradicted, report.num_even) == (2, 1)


def test_only_the_large_models_answers_unless_asked(tmp_path):
    log = write(tmp_path / "log", [
        record("一", "a", 1), record("二", "b", 2, by="small", action="answer"),
        record("三", "b", 3, by="small"), record("四", None, 4, by="nobody", action="abstain"),
        record("一", "b", 5, by="small", action="answer"),
        record("一", "b", 6, by="small", action="answer"),
    ])  # fmt: skip
    output = tmp_path / "out.jsonl"
    assert harvest([log], output, KEEP).num_rows == 1
    report = harvest([log], output, HarvestSettings(with_sure=True, redactor=None))
    # What the large model said counts alone; the unsure answer of the small one is never taken.
    assert [(row["text"], row["label"]) for row in rows_in(output)] == [("一", "a"), ("二", "b")]
    assert (report.num_small, report.num_new, report.num_changed) == (1, 1, 0)


def test_harvest_again_adds_what_is_new_and_corrects(tmp_path):
    log, output = tmp_path / "log", tmp_path / "out.jsonl"
    write(log, [record("一", "a", 1), record("二", "a", 2)])
    harvest([log], output, KEEP)
    before = output.read_bytes()
    again = harvest([log], output, KEEP)
    assert (again.num_new, again.num_changed, output.read_bytes()) == (0, 0, before)
    write(log, [record("三", "c", 3), record("一", "b", 4), record("一", "b", 5)])
    more = harvest([log], output, KEEP)
    assert [(row["text"], row["label"]) for row in rows_in(output)] == [
        ("一", "b"), ("二", "a"), ("三", "c"),
    ]  # fmt: skip
    assert (more.num_new, more.num_changed, more.num_rows) == (1, 1, 3)
    log.unlink()
    other = write(tmp_path / "other", [record("四", "d", 6)])
    assert harvest([other], output, KEEP).num_rows == 4  # logs may go, rows stay


@settings(max_examples=30, deadline=None)
@given(
    votes=st.lists(
        st.tuples(
            st.sampled_from("甲乙丙\u2028"), st.sampled_from("abc"),
            st.floats(0, 2e9).map(lambda at: round(at, 6)), st.sampled_from(["large", "small"]),
        ),
        min_size=1, max_size=12,
    ),
    cut=st.integers(0, 12),
)  # fmt: skip
def test_rows_do_not_depend_on_what_is_harvested_first(votes, cut, tmp_path_factory):
    folder = tmp_path_factory.mktemp("order")
    made = [record(f"文{text}", a, t, by, action="answer") for text, a, t, by in votes]
    whole = write(folder / "whole", made)
    parts = [write(folder / "1", made[:cut]), write(folder / "2", made[cut:])]
    both = HarvestSettings(with_sure=True, redactor=None)
    harvest([whole], folder / "a.jsonl", both)
    for part in reversed(parts):
        if part.stat().st_size:
            harvest([part], folder / "b.jsonl", both)
    assert sorted(map(str, rows_in(folder / "a.jsonl"))) == sorted(
        map(str, rows_in(folder / "b.jsonl"))
    )
    for values in rows_in(folder / "a.jsonl"):
        assert row_of(values).as_json() == values


def test_rows_are_read_by_the_training(tmp_path):
    def read(name, *records):
        log = write(tmp_path / f"{name}.log", records)
        harvest([log], tmp_path / f"{name}.jsonl", MASK)
        report = ReadingReport()
        data = read_labelled(
            [tmp_path / f"{name}.jsonl"], LabelledSettings(), report, tmp_path / "work"
        )
        assert report.num_bad_records == 0
        return data.task, list(data.examples)

    task, examples = read("one", *(record(f"第{n}条", "ab"[n % 2], n) for n in range(30)))
    assert task == "classify"
    assert [one.labels for one in examples[:2]] == [("a",), ("b",)]
    several = [record(f"第{n}条", [["a"], ["a", "b"]][n % 2], n) for n in range(30)]
    task, examples = read("several", *several)
    assert task == "classify"
    assert [one.labels for one in examples[:2]] == [("a",), ("a", "b")]
    spans = {"intent": "call", "spans": [[2, 13, "number"], [14, 16, "who"]]}
    plain = {"intent": "ask", "spans": []}
    task, examples = read(
        "intent",
        *(record(f"请打13812345678找老李{n}", spans, n, task="intent") for n in range(20)),
        *(record(f"你好{n}", plain, 50 + n, task="intent") for n in range(20)),
    )
    assert task == "intent"
    first = examples[0]
    assert (first.intent, first.text) == ("call", "请打[手机号]找老李0")
    assert [first.text[one.start : one.end] for one in first.spans] == ["[手机号]", "老李"]
    assert (examples[-1].intent, examples[-1].spans) == ("ask", ())
    tags = {"intent": None, "spans": [[0, 2, "who"]]}
    task, examples = read("tag", *(record(f"老李{n}", tags, n, task="tag") for n in range(20)))
    assert (task, examples[0].intent) == ("tag", None)


def test_personal_data_is_nowhere_in_what_is_written(tmp_path):
    number, mail = "13812345678", "wang.wei@example.com"
    log = write(tmp_path / "log", [
        record(f"我的电话是{number}", "a", 1), record(f"write to {mail} please", "b", 2),
    ])  # fmt: skip
    output = tmp_path / "out.jsonl"
    harvest([log], output, MASK)
    content = output.read_text(encoding="utf-8")
    assert number not in content
    assert mail not in content
    assert not find_personal(content)
    harvest([log], tmp_path / "raw.jsonl", KEEP)
    assert number in (tmp_path / "raw.jsonl").read_text(encoding="utf-8")


@given(
    head=st.text(alphabet="你好 ab", max_size=6), tail=st.text(alphabet="请找 cd", max_size=6),
    mode=st.sampled_from(["mask", "drop", "surrogate"]),
)  # fmt: skip
def test_spans_stay_where_they_were_beside_personal_data(head, tail, mode):
    number = "13812345678"
    text = f"{head}，{number}，{tail}"
    start = len(head) + 1
    spans = [(0, len(head), "head"), (start, start + 11, "number"),
             (start + 12, len(text), "tail"), (start + 3, start + 5, "inside")]  # fmt: skip
    spans = [span for span in spans if span[0] < span[1]]
    redactor = Redactor(mode, key=b"k")
    new, moved = without_personal(text, spans, redactor)
    assert number not in new
    found = {label: new[a:b] for a, b, label in moved}
    assert found.get("head", "") == head
    assert found.get("tail", "") == tail
    instead = new[start : len(new) - len(tail) - 1]
    assert found.get("number", "") == found.get("inside", "") == instead
    short, moved = stripped(new, moved)
    assert short == new.strip()
    assert all(0 <= a < b <= len(short) for a, b, _label in moved)
    assert without_personal(text, spans, None) == (text, spans)


def test_harvest_says_what_is_wrong(tmp_path):
    output = tmp_path / "out.jsonl"
    empty = write(tmp_path / "none", [record(None, "a")])
    pairs = write(tmp_path / "pairs", [record("甲\t乙", "1", task="match")])
    tags = write(tmp_path / "tags", [record("甲", {"intent": None, "spans": []}, task="tag")])
    good = write(tmp_path / "good", [record("甲", "a")])
    for logs, kind in (
        ([tmp_path / "missing"], DataError), ([empty], DataError), ([pairs], DataError),
        ([good, tags], DataError),
    ):  # fmt: skip
        with pytest.raises(kind):
            harvest(logs, output, KEEP)
        assert not output.exists()
    mixed = harvest([good, pairs, empty], output, KEEP)
    assert (mixed.num_rows, mixed.num_other, mixed.num_without_text) == (1, 1, 1)
    whole = output.read_bytes()
    for content, kind in (
        (b'{"text": "a", "label": "b"}\n', SettingError), (b"\xff\xfe", SettingError),
        (b"text,label\n", SettingError), (whole + whole[:40] + b"\n", DamagedFileError),
    ):  # fmt: skip
        output.write_bytes(content)
        with pytest.raises(kind):
            harvest([good], output, KEEP)
        assert output.read_bytes() == content
    assert merged([]) == {}


WORDS = {
    "物流": ("快递", "配送", "包裹", "发货", "运单", "派件", "签收", "寄出"),
    "付款": ("支付", "付钱", "扣款", "账单", "刷卡", "转账", "余额", "结账"),
}


def requests(count, seed):
    """Texts whose label one word says; in one of fifty the word belongs to the other label."""
    drawn = random.Random(seed)
    found = []
    for number in range(count):
        label = drawn.choice(sorted(WORDS))
        other = next(name for name in WORDS if name != label)
        words = WORDS[label if drawn.random() > 0.02 else other]
        found.append((f"问{seed}{number}：{drawn.choice(words)}怎么样", label))
    return found


class Knowing:
    """A large model that knows all words, and counts what it is asked."""

    num_asked = 0

    def answer(self, request, deadline):
        self.num_asked += 1
        pattern = "|".join(WORDS["物流"])
        label = "物流" if re.search(pattern, request.question.text) else "付款"
        return LargeAnswer(label, 1.0)


def test_calls_fall_from_round_to_round_and_the_promise_holds(tmp_path):
    def trained(name, *files):
        rows = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
        data = tmp_path / f"{name}.jsonl"
        data.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return sp.train(data, output=tmp_path / name, model="linear", minutes=0.05)

    known = {name: words[:3] for name, words in WORDS.items()}
    first = [
        {"text": f"{n}{word}怎么样", "label": name}
        for n in range(4) for name, words in known.items() for word in words
    ]  # fmt: skip
    labelled, output = tmp_path / "labelled.jsonl", tmp_path / "harvest.jsonl"
    labelled.write_text("\n".join(map(json.dumps, first)) + "\n", encoding="utf-8")
    rows = [JudgedRow(Question(text), (label,)) for text, label in requests(600, 1)]
    calibration = CalibrationSettings(promise=PromiseSettings(0.1, 0.9))
    model, shares = trained("m0", labelled), []
    for number in range(2):
        policy = calibrated(model, rows, calibration).policy
        stream = requests(500, 2 + number)
        log_path, large = tmp_path / f"log{number}", Knowing()
        with DecisionLog(log_path, keeps_text=True) as log:
            found = list(Cascade(model, policy, large, log).answers(text for text, _ in stream))
        sure = [
            one.answer != label for one, (_text, label) in zip(found, stream, strict=True)
            if one.answered_by == "small"
        ]  # fmt: skip
        assert sum(sure) <= 0.1 * max(len(sure), 1)
        shares.append(large.num_asked / len(stream))
        assert sum(one.answered_by == "large" for one in read_log(log_path)) == large.num_asked
        report = harvest([log_path], output)
        assert report.num_rows == len(rows_in(output))
        assert report.num_new == large.num_asked
        if number == 0:
            model = trained("m1", labelled, output)
    assert shares[0] > 0.3
    assert shares[1] < 0.5 * shares[0]
