"""A small model that passes on what it is not sure of, to a large one behind another server."""

from __future__ import annotations

import json
import socket
import time

import numpy as np
import pytest
from large_stand_in import StandIn
from running_server import running
from small_understanding import LABELS

from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.calibrators import Calibrator
from sparrowlm.cooperation.confidence import confident_answers
from sparrowlm.cooperation.decision_log import read_log, replay
from sparrowlm.cooperation.policy import Manners, Policy
from sparrowlm.cooperation.promise import Promise, PromiseSettings
from sparrowlm.cooperation.rankers import RawRanker
from sparrowlm.cooperation.scales import PlattScale

TEXTS = [f"The cat 研究生命 {number} 你" for number in range(40)]


def policy_of(model: Model, questions: list[Question]) -> Policy:
    """Return a policy that lets a model answer about half of some questions."""
    calibrator = Calibrator(RawRanker(), PlattScale())
    scores = [calibrator.score(one) for one in confident_answers(model, questions)]
    promise = Promise("answered", 0.05, 0.9, float(np.median(scores)), 100, 50, 1, 0.04)
    return Policy(
        model_checksum=model.checksum(), kind=model.kind, settings=PromiseSettings(),
        calibrator=calibrator, promise=promise, manners=Manners(closeness=2.0),
    )  # fmt: skip


@pytest.fixture(scope="module")
def policies(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("policies")
    for name in ("labels", "tags", "quick"):
        policy_of(Model(models[name]), list(map(Question, TEXTS))).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def pair(server, models, policies):
    """A server whose small models have a policy; the large one is served by another."""
    names = ("labels", "tags", "quick")
    words = [f"{name}={models[name]}" for name in names]
    words += [word for name in names for word in ("--policy", f"{name}={policies / name}")]
    log = policies / "decisions.jsonl"
    large = ["--large", f"{server.address}/v1", "--large-model", "mixed", "--cost-per-call", "0.5"]
    with running(*words, *large, "--decisions", str(log)) as found:
        yield found


def test_what_is_sure_stays_and_the_rest_is_passed_on(pair, models, policies):
    answer = pair.ask("/v1/classify", input=TEXTS)
    own = Model(models["labels"]).predict(TEXTS)
    by = {"small": 0, "large": 0}
    for found, one in zip(answer["data"], own, strict=True):
        decision = found["decision"]
        by[decision["answered_by"]] += 1
        is_sure = decision["confidence"] >= decision["threshold"]
        assert decision["action"] == ("answer" if is_sure else "escalate")
        assert decision["small"]["answer"] == one.label
        if is_sure:
            assert found["label"] == one.label and decision["cost"] == 0
        else:
            assert found["label"] in LABELS and decision["cost"] == 0.5
        assert (found["probability"] is not None) == is_sure
    assert 15 <= by["small"] <= 25 and by["small"] + by["large"] == len(TEXTS)
    alone = pair.ask("/v1/classify", input=TEXTS, cooperate=False)
    assert [one["label"] for one in alone["data"]] == [one.label for one in own]
    assert "decision" not in alone["data"][0]
    with pair.client() as client:
        page = client.get("/metrics").text
    counted = 'sparrow_decisions_total{action="escalate",answered_by="large",model="labels"}'
    line = next(line for line in page.splitlines() if line.startswith(counted))
    assert float(line.split()[-1]) == by["large"]
    log = policies / "decisions.jsonl"
    records = list(read_log(log))
    assert len(records) == len(TEXTS)
    assert not any(text in log.read_text("utf-8") for text in TEXTS)
    from sparrowlm.cooperation.policy import load_policy

    assert replay(records, load_policy(policies / "labels")) == []


def test_spans_of_the_large_model_stand_in_the_text(pair):
    answer = pair.ask("/v1/tag", input=TEXTS)
    escalated = 0
    for text, found in zip(TEXTS, answer["data"], strict=True):
        escalated += found["decision"]["answered_by"] == "large"
        for span in found["spans"]:
            assert text[span["start"] : span["end"]] == span["text"]
    assert escalated


def test_a_chat_is_answered_by_whom_the_policy_says(pair):
    answers = []
    for text in TEXTS[:12]:
        body = {"model": "quick", "messages": [{"role": "user", "content": text}]}
        answers.append(pair.ask("/v1/chat/completions", cooperate=True, **body))
        assert answers[-1]["sparrow"]["decision"]["answered_by"] in ("small", "large")
        with pair.client() as client:
            streamed = client.post(
                "/v1/chat/completions", json={**body, "cooperate": True, "stream": True}
            )
            chunks = [json.loads(l[6:]) for l in streamed.text.splitlines() if l[6:7] == "{"]  # noqa: E741
            assert any("decision" in chunk.get("sparrow", {}) for chunk in chunks)
            bold = client.post(
                "/v1/chat/completions", json={**body, "cooperate": True, "temperature": 1}
            )
            assert bold.status_code == 400
    assert {one["sparrow"]["decision"]["action"] for one in answers} <= {"answer", "escalate"}


def test_personal_data_stays_here(models, policies):
    texts = [f"The cat 研究生命 {n} 你 我的手机 1381234{n:04d}" for n in range(1000, 1020)]
    words = [f"labels={models['labels']}", "--policy", str(policies / "labels")]
    with StandIn(lambda _text: json.dumps({"label": "dog"})) as large:
        where = ["--large", large.url, "--large-model", "stand-in"]
        with running(*words, *where) as server:
            answer = server.ask("/v1/classify", input=texts)
        received = bytes(large.received)
    passed_on = [one for one in answer["data"] if one["decision"]["action"] == "escalate"]
    assert len(passed_on) >= 3 and len(received) > 100
    assert not any(text[-11:].encode() in received for text in texts)
    for one in passed_on:
        assert one["label"] == "dog" and one["decision"]["masked"] == ["PHONE"]


def test_a_large_model_that_is_away_costs_no_answer(models, policies):
    words = [f"labels={models['labels']}", "--policy", str(policies / "labels"), "--large",
             "http://127.0.0.1:9/v1", "--large-model", "m", "--deadline", "2"]  # fmt: skip
    with running(*words) as server:
        answer = server.ask("/v1/classify", input=TEXTS[:8])
    decisions = [one["decision"] for one in answer["data"]]
    assert all(one["answered_by"] == "small" for one in decisions)
    unsure = [one for one in decisions if one["action"] == "escalate"]
    assert unsure and all(not one["is_sure"] and one["failure"] for one in unsure)


def test_a_large_model_that_hangs_is_given_up_before_the_deadline(models, policies):
    with socket.socket() as silent:  # takes connections and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        words = [f"labels={models['labels']}", "--policy", str(policies / "labels"), "--large",
                 address, "--large-model", "m", "--deadline", "0.5"]  # fmt: skip
        with running(*words) as server:
            server.ask("/v1/classify", input=TEXTS[0], cooperate=False)
            began = time.monotonic()
            answer = server.ask("/v1/classify", input=TEXTS[:8])
            assert time.monotonic() - began < 0.5 * 1.1 + 0.2
    unsure = [one for one in answer["data"] if one["decision"]["action"] == "escalate"]
    assert unsure and all(one["decision"]["answered_by"] == "small" for one in unsure)


def test_calls_are_capped_and_answers_kept_over_restarts(server, models, policies, tmp_path):
    words = [f"labels={models['labels']}", "--policy", str(policies / "labels"), "--large",
             f"{server.address}/v1", "--large-model", "mixed", "--max-calls", "3", "--cache",
             str(tmp_path / "kept")]  # fmt: skip
    answers = []
    for _start in range(2):
        with running(*words) as capped:
            answers.append(capped.ask("/v1/classify", input=TEXTS)["data"])
    for found in answers:
        by = [one["decision"]["answered_by"] for one in found]
        escalated = [one for one in found if one["decision"]["action"] == "escalate"]
        assert by.count("large") == 3 and len(escalated) > 5
    large = [
        [o["label"] for o in found if o["decision"]["answered_by"] == "large"] for found in answers
    ]
    assert large[0] == large[1]


def test_what_belongs_to_another_model_is_refused(models, policies):
    for words, told in (
        ([f"tags={models['tags']}", "--policy", str(policies / "labels")], "policy"),
        ([f"a={models['tags']}", "--policy", f"b={policies / 'tags'}"], "'b="),
        ([f"a={models['tags']}", "--large", "http://127.0.0.1:9/v1"], "--policy"),
        ([f"a={models['tags']}", "--policy", str(policies / "none")], "none"),
    ):
        with pytest.raises(RuntimeError, match=told), running(*words):
            pass
