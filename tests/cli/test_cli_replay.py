"""`sparrow replay`: the log of a cascade, decided again."""

from __future__ import annotations

import json

import pytest

from sparrowlm.cooperation.calibrators import Calibrator
from sparrowlm.cooperation.decision_log import DecisionLog, DecisionRecord
from sparrowlm.cooperation.decisions import DecisionInputs, decide
from sparrowlm.cooperation.policy import Manners, Policy
from sparrowlm.cooperation.promise import Promise, PromiseSettings
from sparrowlm.cooperation.rankers import RawRanker
from sparrowlm.cooperation.scales import PlattScale


def policy_of(threshold: float) -> Policy:
    return Policy(
        model_checksum="m", kind="classify", settings=PromiseSettings(),
        calibrator=Calibrator(RawRanker(), PlattScale()), manners=Manners(),
        promise=Promise("answered", 0.05, 0.9, threshold, 100, 50, 1, 0.04),
    )  # fmt: skip


@pytest.fixture
def logged(tmp_path):
    """Ten questions: six answered, four passed on at 0.5 each; the policy and a stricter one."""
    policy = policy_of(0.4)
    policy.save(tmp_path / "policy.json")
    policy_of(0.75).save(tmp_path / "stricter.json")
    with DecisionLog(tmp_path / "log.jsonl") as log:
        for number in range(10):
            inputs = DecisionInputs(number / 10, "付款", has_large=True)
            decision = decide(inputs, policy)
            log.write(DecisionRecord(
                time=float(number), policy=policy.checksum, text_hash="h", inputs=inputs,
                confidence=0.4, decision=decision, answered_by="large",
                cost=0.5 if decision.action == "escalate" else 0.0,
            ))  # fmt: skip
    return tmp_path


def test_what_a_policy_decided_it_decides_again(sparrow, logged):
    done = sparrow("replay", "log.jsonl", "--policy", "policy.json")
    assert done.returncode == 0, done.stderr
    assert "10 of 10 questions were decided by this policy; 10 of them are decided" in done.stdout
    assert "answers 6, passes on 4, asks back about 0 and leaves 0 open; 0 otherwise" in done.stdout
    assert "cost 2." in done.stdout


def test_another_policy_says_what_it_would_have_done(sparrow, logged):
    done = sparrow("replay", "log.jsonl", "--policy", "stricter.json", language="zh")
    assert "10 个问题中有 0 个由这份策略决定" in done.stdout
    assert "自己回答 2 个，转交 8 个" in done.stdout and "与日志不同的 4 个" in done.stdout
    done = sparrow("replay", "log.jsonl", "--policy", "stricter.json", "--json")
    outcome = json.loads(done.stdout)["what_if"]
    assert outcome["actions"] == {"answer": 2, "ask": 0, "escalate": 8, "abstain": 0}
    assert outcome["cost"] == 4.0


def test_a_line_that_was_changed_is_named(sparrow, logged):
    lines = (logged / "log.jsonl").read_text(encoding="utf-8").splitlines()
    changed = json.loads(lines[6])
    changed["decision"] = {**changed["decision"], "action": "escalate", "reason": "unsure"}
    lines[6] = json.dumps(changed)
    (logged / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = sparrow("replay", "log.jsonl", "--policy", "policy.json")
    assert "9 of them are decided the same again" in done.stdout
    assert "line 7: passed on in the log, answered now" in done.stdout
    for words, said in (
        (("nothing.jsonl", "--policy", "policy.json"), "nothing.jsonl"),
        (("log.jsonl", "--policy", "nothing.json"), "nothing.json"),
        (("policy.json", "--policy", "policy.json"), "policy.json"),
    ):
        done = sparrow("replay", *words)
        assert done.returncode and said in done.stderr and "Traceback" not in done.stderr
