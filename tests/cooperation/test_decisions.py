"""Decisions and their log: what was written decides the same again."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.calibrators import Calibrator
from sparrowlm.cooperation.confidence import Confident
from sparrowlm.cooperation.decision_log import (
    DecisionLog,
    DecisionRecord,
    read_log,
    replay,
    text_hash,
    what_if,
)
from sparrowlm.cooperation.decisions import (
    DecisionInputs,
    decide,
    inputs_of,
    question_sentence,
)
from sparrowlm.cooperation.policy import Manners, Policy
from sparrowlm.cooperation.promise import Promise, PromiseSettings
from sparrowlm.cooperation.rankers import RawRanker
from sparrowlm.cooperation.scales import PlattScale
from sparrowlm.foundation.errors import DamagedFileError, DataError

PROMISE = Promise("answered", 0.05, 0.9, 2.0, 1000, 800, 20, 0.04)


def policy(threshold=2.0, by_label=None, others=None, **manners):
    return Policy(
        model_checksum="0" * 64, kind="intent", settings=PromiseSettings(),
        calibrator=Calibrator(RawRanker(), PlattScale()),
        promise=replace(PROMISE, threshold=threshold), by_label=by_label or {}, others=others,
        manners=Manners(**manners),
    )  # fmt: skip


def inputs(score=1.0, **changes):
    close = (("go", 0.55), ("stay", 0.4))
    return DecisionInputs(
        score, changes.pop("label", "go"), changes.pop("rivals", close), **changes
    )


@pytest.mark.parametrize(
    ("given", "manners", "expected"),
    [
        (inputs(2.0), {}, ("answer", "sure")),
        (inputs(1.99), {}, ("ask", "close")),
        (inputs(has_large=True), {}, ("escalate", "unsure")),
        (inputs(has_large=True), {"asks_first": True}, ("ask", "close")),
        (inputs(rivals=(("go", 0.5), ("stay", 0.1))), {}, ("abstain", "no-large")),
        (inputs(rivals=()), {}, ("abstain", "no-large")),
        (inputs(), {"closeness": 1.1}, ("abstain", "no-large")),
        (inputs(3.0, missing=("city",)), {}, ("ask", "missing")),
        (inputs(1.0, missing=("city",), has_large=True), {}, ("escalate", "unsure")),
        (inputs(has_large=True, num_calls=5), {"most_calls": 5}, ("ask", "close")),
        (inputs(has_large=True, num_calls=4), {"most_calls": 5}, ("escalate", "unsure")),
        (inputs(rivals=(), has_large=True, cost=1.0), {"most_cost": 1.0}, ("abstain", "no-budget")),
    ],
)
def test_decisions(given, manners, expected):
    found = decide(given, policy(**manners))
    assert (found.action, found.reason) == expected


def test_thresholds_of_labels_come_before_the_common_one():
    own = policy(by_label={"go": replace(PROMISE, threshold=0.5), "bad": None}, others=PROMISE)
    assert decide(inputs(0.6), own).action == "answer"
    assert decide(inputs(99.0, label="bad", rivals=()), own).action == "abstain"
    assert decide(inputs(1.9, label="other", rivals=()), own).action == "abstain"
    assert decide(inputs(2.0, label="other"), own).action == "answer"


def test_questions_back_name_what_is_to_be_chosen():
    close = decide(inputs(), policy())
    assert close.choices == ("go", "stay")
    assert question_sentence(close, "en") == "Do you mean “go” or “stay”?"
    assert question_sentence(close, "zh") == "您指的是“go”还是“stay”？"
    missing = decide(inputs(3.0, missing=("city", "day")), policy())
    assert question_sentence(missing, "en") == "Please also say: city, day."
    assert question_sentence(decide(inputs(3.0), policy()), "en") is None


def test_inputs_find_the_missing_span():
    answer = Confident(
        {"intent": "fly", "spans": [[0, 2, "day"]]}, 0.9, {"log_odds": 2.2}, "fly",
        {"fly": 0.9, "stay": 0.1},
    )  # fmt: skip
    own = policy(slots={"fly": ("city", "day")})
    found = inputs_of(answer, 2.5, own, has_large=True, spent=(3, 0.5))
    assert found.missing == ("city",)
    assert found.rivals == (("fly", 0.9), ("stay", 0.1))
    assert (found.num_calls, found.cost) == (3, 0.5)


SCORES = st.floats(allow_nan=False, allow_infinity=False, width=32)
SHARES = st.floats(0, 1)
# Values, and not the records themselves: checking their types draws from `random`.
INPUTS = st.fixed_dictionaries(
    dict(
        score=SCORES,
        label=st.sampled_from(["go", "stay", "其他", "\ud800"]),
        rivals=st.one_of(
            st.just(()),
            st.tuples(st.tuples(st.just("go"), SHARES), st.tuples(st.just("停"), SHARES)),
        ),
        missing=st.lists(st.text(max_size=3), max_size=2).map(tuple),
        has_large=st.booleans(),
        num_calls=st.integers(0, 9),
        cost=st.floats(0, 9),
    )
)
POLICIES = st.fixed_dictionaries(
    dict(
        threshold=st.one_of(SCORES, st.just(-math.inf)),
        by_label=st.sampled_from([{}, {"go": None, "stay": replace(PROMISE, threshold=0.0)}]),
        asks_first=st.booleans(),
        closeness=st.floats(0, 1.5),
        most_calls=st.one_of(st.none(), st.integers(0, 9)),
        most_cost=st.one_of(st.none(), st.floats(0, 9)),
    )
)


def record(given, own, **changes):
    return DecisionRecord(
        time=1.5, policy=own.checksum, text_hash="0" * 64, inputs=given, confidence=0.5,
        decision=decide(given, own), answered_by="small", **changes,
    )  # fmt: skip


@given(values=st.lists(INPUTS, min_size=1, max_size=8), manners=POLICIES)
def test_a_log_decides_the_same_again(tmp_path_factory, values, manners):
    several, own = [DecisionInputs(**one) for one in values], policy(**manners)
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    records = [record(one, own) for one in several]
    with DecisionLog(path) as log:
        for one in records:
            log.write(one)
    found = list(read_log(path))
    assert [one.inputs for one in found] == several
    assert [one.decision for one in found] == [one.decision for one in records]
    assert replay(found, own) == []


def test_replay_finds_a_line_that_was_changed(tmp_path):
    own = policy()
    with DecisionLog(tmp_path / "log.jsonl") as log:
        for score in (1.0, 3.0, 3.0):
            log.write(record(inputs(score), own))
    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    changed = json.loads(lines[1])
    changed["inputs"]["score"] = 1.0
    lines[1] = json.dumps(changed)
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (found,) = replay(read_log(tmp_path / "log.jsonl"), own)
    assert (found.number, found.logged.action, found.replayed.action) == (2, "answer", "ask")
    # Another policy is another policy, even where it decides the same.
    assert len(replay(read_log(tmp_path / "log.jsonl"), policy(closeness=0.91))) == 3


def test_what_if_counts_calls_and_money_of_another_policy():
    own = policy(closeness=2.0)
    scores = (0.0, 1.0, 3.0, 5.0, 0.5)
    records = [record(inputs(score, has_large=True), own, cost=0.0) for score in scores]
    records = [
        replace(one, cost=0.2 if one.decision.action == "escalate" else 0.0) for one in records
    ]
    same = what_if(records, own)
    assert (same.num_calls, same.num_changed) == (3, 0)
    assert same.cost == pytest.approx(0.6)
    stricter = what_if(records, policy(threshold=4.0, closeness=2.0))
    assert (stricter.num_calls, stricter.num_changed) == (4, 1)
    assert stricter.cost == pytest.approx(0.8)  # the fourth was never made: the mean of the others
    capped = what_if(records, own.with_manners(most_calls=1))
    assert capped.actions == {"answer": 2, "ask": 0, "escalate": 1, "abstain": 2}
    poor = what_if(records, own.with_manners(most_cost=0.3))
    assert (poor.num_calls, poor.cost) == (2, pytest.approx(0.4))


def test_log_holds_no_text_unless_asked(tmp_path):
    secret = "我的身份证号是123456"
    plain, keyed = text_hash(Question(secret)), text_hash(Question(secret), b"key")
    assert plain != keyed
    assert text_hash(Question("a", "b")) != text_hash(Question("ab"))
    own = policy()
    with DecisionLog(tmp_path / "log.jsonl") as log:
        log.write(replace(record(inputs(), own), text_hash=plain))
    assert "身份证" not in (tmp_path / "log.jsonl").read_text(encoding="utf-8")


def test_log_goes_on_behind_a_line_that_was_cut(tmp_path):
    own, path = policy(), tmp_path / "log.jsonl"
    with DecisionLog(path) as log:
        log.write(record(inputs(1.0), own))
        log.write(record(inputs(3.0), own))
    content = path.read_bytes()
    path.write_bytes(content[:-9])
    assert len(list(read_log(path))) == 1
    with DecisionLog(path) as log:
        log.write(record(inputs(3.0), own))
    assert [one.decision.action for one in read_log(path)] == ["ask", "answer"]
    path.write_bytes(b"{}\n" + content)
    with pytest.raises(DamagedFileError, match="line 1"):
        list(read_log(path))
    with pytest.raises(DataError):
        list(read_log(tmp_path / "none.jsonl"))
