"""A real server on loopback plays the large model: what is asked, what is read, what may leave."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from large_calls import settings
from large_stand_in import StandIn
from small_understanding import LABELS, small_classifier, small_tagger

from sparrowlm.api.model import Model
from sparrowlm.cooperation.addressed_large import AddressedLarge, open_address, spans_of
from sparrowlm.cooperation.asking import LargeRequest, Question
from sparrowlm.cooperation.cooperating import asked_answers
from sparrowlm.cooperation.large import LargeFailure
from sparrowlm.cooperation.large import LargeModel as Client
from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.progress import SilentProgress


def by_schema(body):
    """Answer with the last label that is allowed, or with the text."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    text = body["messages"][-1]["content"]
    if schema is None:
        return f"about {text}"
    found = {}
    for name, one in schema["properties"].items():
        if name == "spans":
            labels = one["items"]["properties"]["label"]["enum"]
            found[name] = [
                {"label": labels[0], "text": text[2:4]}, {"label": labels[-1], "text": "nowhere"}
            ]  # fmt: skip
        elif name == "labels":
            found[name] = one["items"]["enum"][-2:]
        else:
            found[name] = one["enum"][-1]
    return json.dumps(found, ensure_ascii=False)


@pytest.fixture
def server():
    with StandIn(answer=by_schema) as found:
        yield found


@pytest.fixture
def large(server):
    with Client(settings(server)) as client:
        yield AddressedLarge(client, cost=0.25)


def asked(large, text="怎么付款", second=None, **changes):
    fields = {"task": "classify", "labels": ("a", "b"), "answer": "a", "confidence": 0.5, **changes}
    request = LargeRequest(Question(text, second), **fields)
    return large.answer(request, time.monotonic() + 10)


def test_answers_have_the_form_of_the_small_models(large, server):
    found = asked(large)
    assert (found.answer, found.cost, found.was_kept) == ("b", 0.25, False)
    assert asked(large, answer=["a"], labels=("x", "z", "y")).answer == ["y", "z"]
    assert asked(large, second="如何付钱", task="match", labels=("0", "1")).answer == "1"
    assert asked(large, task="complete", labels=(), answer="x").answer == "about 怎么付款"
    tagged = asked(large, "去北京吧", task="intent", labels=("go", "ask"), spans=("PER", "LOC"))
    assert tagged.answer == {"intent": "ask", "spans": [[2, 4, "PER"]]}
    assert asked(large, task="tag", labels=(), spans=("PER",)).answer["intent"] is None
    with pytest.raises(ModelError):
        asked(large, task="segment")
    prompts = [body["messages"][0]["content"] for body in server.bodies]
    assert any('"a", "b"' in prompt for prompt in prompts)


def test_personal_data_stays_here_and_comes_back(large, server):
    text = "请打13812345678找我"
    assert asked(large, text, task="complete", labels=(), answer="x").answer == f"about {text}"
    assert b"13812345678" not in bytes(server.received)


def test_too_late_is_not_sent(large, server):
    with pytest.raises(LargeFailure):
        large.answer(LargeRequest(Question("a"), "classify", ("a",), "a", 0.5), time.monotonic())
    assert server.bodies == []


def test_address_is_opened_with_its_first_model(server):
    with open_address(server.url, cost=0.1) as large:
        assert asked(large).answer == "b"
    assert server.bodies[-1]["model"] == "stand-in"
    with open_address(server.url, "other") as named:
        assert asked(named).cost == 0.0
    assert server.bodies[-1]["model"] == "other"


def test_small_models_questions_are_answered_by_a_server(large, tmp_path):
    classifier = Model(small_classifier(tmp_path / "a.gguf"))
    tagger = Model(small_tagger(tmp_path / "b.gguf"))
    questions = [Question(f"The cat {number}") for number in range(30)]
    assert asked_answers(classifier, large, questions, SilentProgress()) == [LABELS[-1]] * 30
    found = asked_answers(tagger, large, questions[:2], SilentProgress())
    assert found[0]["intent"] in ("go", "ask")
    assert found[0]["spans"] == [[2, 4, "PER"]]


class Failing:
    """Fails at the calls named."""

    def __init__(self, *numbers):
        self.numbers, self.num_asked = numbers, 0

    def answer(self, request, deadline):
        number = int(request.question.text)
        self.num_asked += 1
        if number in self.numbers:
            raise LargeFailure.of("empty", url="x", model="x")
        from sparrowlm.cooperation.asking import LargeAnswer

        return LargeAnswer(str(number))


def test_few_failures_are_no_answers_and_many_end_it(tmp_path):
    model = Model(small_classifier(tmp_path / "a.gguf"))
    questions = [Question(str(number)) for number in range(200)]
    found = asked_answers(model, Failing(50, 150), questions, SilentProgress())
    assert [number for number, one in enumerate(found) if one is None] == [50, 150]
    assert found[199] == "199"
    dead = Failing(*range(200))
    with pytest.raises(LargeFailure):
        asked_answers(model, dead, questions, SilentProgress())
    assert dead.num_asked <= 20
    with pytest.raises(LargeFailure):
        asked_answers(model, Failing(*range(0, 200, 7)), questions, SilentProgress())


@given(text=st.text(max_size=20), pieces=st.lists(st.text(max_size=3), max_size=5))
def test_spans_that_were_copied_stand_in_the_text_in_order(text, pieces):
    value = {"spans": [{"label": "x", "text": piece} for piece in pieces]}
    spans = spans_of(text, value)["spans"]
    assert all(text[start:end] in pieces and start < end for start, end, _label in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
