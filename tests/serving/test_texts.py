"""Texts over HTTP are the texts of the model itself, whole, in pieces, alone and in company."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running_server import WRITERS, events_of

import sparrowlm as sp

PROMPTS = ("The cat", "", "你好，", "The dog sat on the log. A bird", "一")


@pytest.fixture(scope="module")
def offline(models):
    return {name: sp.load(models[name]) for name in WRITERS}


@pytest.mark.parametrize("name", WRITERS)
def test_a_completion_is_the_text_of_the_model(server, offline, name):
    for number, prompt in enumerate(PROMPTS):
        for temperature in (0, 0.9):
            wish = {"max_tokens": 30, "temperature": temperature, "seed": number, "top_p": 0.9}
            answer = server.ask("/v1/completions", model=name, prompt=prompt, **wish)
            assert answer["choices"][0]["text"] == offline[name].generate(prompt, **wish)[0]
            assert answer["object"] == "text_completion" and answer["model"] == name


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_alone_and_in_company(server, offline, name):
    wishes = [
        (PROMPTS[number % 5], {"max_tokens": 5 + 7 * (number % 6), "seed": number,
                               "temperature": number % 3 / 2, "min_p": 0.05})
        for number in range(40)
    ]  # fmt: skip
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda w: server.ask("/v1/completions", model=name, prompt=w[0], **w[1]), wishes
            )
        )
    for (prompt, wish), answer in zip(wishes, answers, strict=True):
        assert answer["choices"][0]["text"] == offline[name].generate(prompt, **wish)[0]


@pytest.mark.parametrize("name", WRITERS)
def test_several_samples_are_those_of_the_model(server, offline, name):
    wish = {"max_tokens": 12, "seed": 3}
    answer = server.ask("/v1/completions", model=name, prompt=["The cat", "你"], n=3, **wish)
    texts = [choice["text"] for choice in answer["choices"]]
    own = [offline[name].generate(prompt, num_samples=3, **wish) for prompt in ("The cat", "你")]
    assert texts == [*own[0], *own[1]]
    assert [choice["index"] for choice in answer["choices"]] == list(range(6))
    assert answer["usage"]["completion_tokens"] <= 72


@settings(max_examples=15)
@given(
    prompt=st.text(max_size=8), seed=st.integers(0, 9), num_samples=st.integers(1, 3),
    stop=st.lists(st.sampled_from(["a", "th", "。", "cat", "\n"]), max_size=2),
)  # fmt: skip
def test_a_stream_is_the_whole_in_pieces(server, prompt, seed, num_samples, stop):
    wish = {"model": "quick", "messages": [{"role": "user", "content": prompt}], "seed": seed,
            "n": num_samples, "stop": stop, "max_tokens": 25}  # fmt: skip
    whole = server.ask("/v1/chat/completions", **wish)
    with server.client() as client:
        streamed = client.post(
            "/v1/chat/completions",
            json={**wish, "stream": True, "stream_options": {"include_usage": True}},
        )
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = events_of(streamed.text)
    for choice in whole["choices"]:
        own = [c for e in events for c in e["choices"] if c["index"] == choice["index"]]
        text = "".join(c["delta"].get("content") or "" for c in own)
        assert text == choice["message"]["content"]
        assert own[0]["delta"]["role"] == "assistant"
        assert [c["finish_reason"] for c in own if c["finish_reason"]] == [choice["finish_reason"]]
        assert not any(end in text for end in stop)
    assert events[-1]["usage"] == whole["usage"] and events[-1]["choices"] == []


def test_the_end_of_a_text_has_its_reason(server, offline):
    whole = offline["quick"].generate("The cat", max_tokens=40, temperature=0)[0]
    stop = whole[5:8]
    answer = server.ask(
        "/v1/completions", model="quick", prompt="The cat", max_tokens=40, temperature=0, stop=stop
    )
    assert answer["choices"][0]["text"] == whole[: whole.index(stop)]
    assert answer["choices"][0]["finish_reason"] == "stop"
    short = server.ask("/v1/completions", model="quick", prompt="The cat", max_tokens=2)
    assert short["choices"][0]["finish_reason"] == "length"
    assert short["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    none = server.ask("/v1/completions", model="quick", prompt="The cat", max_tokens=0)
    assert none["choices"][0] == {
        "index": 0, "text": "", "logprobs": None, "finish_reason": "length",
    }  # fmt: skip


@pytest.mark.parametrize("name", WRITERS)
def test_echo_tells_what_every_token_of_a_prompt_was_given(server, offline, name):
    prompt = "The cat sat on the mat. 你好"
    answer = server.ask(
        "/v1/completions", model=name, prompt=prompt, echo=True, logprobs=3, max_tokens=1,
        temperature=0,
    )  # fmt: skip
    choice = answer["choices"][0]
    logs = choice["logprobs"]
    scored = list(offline[name].scored_tokens(prompt))
    assert choice["text"].startswith(prompt)
    assert len(logs["tokens"]) == len(scored) + 1
    for given_log, token in zip(logs["token_logprobs"], scored, strict=False):
        assert math.isclose(given_log, token.log_probability, abs_tol=1e-5)
    for given_log, top in zip(logs["token_logprobs"], logs["top_logprobs"], strict=True):
        assert len(top) == 3 and max(top.values()) >= given_log
    assert "".join(logs["tokens"][:-1]) == prompt
    for token, offset in zip(logs["tokens"][:-1], logs["text_offset"], strict=False):
        assert prompt[offset:].startswith(token)


def test_ids_are_a_prompt_too(server, offline):
    model = offline["quick"]
    ids = server.ask("/tokenize", model="quick", prompt="The cat", add_special_tokens=False)
    assert ids["tokens"] == model.codec.encode("The cat") and ids["count"] == len(ids["tokens"])
    with_start = server.ask("/tokenize", model="quick", prompt="The cat")["tokens"]
    assert with_start == [0, *ids["tokens"]]
    back = server.ask("/detokenize", model="quick", tokens=with_start)
    assert back["prompt"] == "The cat"
    wish = {"model": "quick", "max_tokens": 3, "temperature": 0, "logprobs": 0, "echo": True}
    answers = [
        server.ask("/v1/completions", prompt=prompt, **wish)["choices"][0]
        for prompt in ("The cat", ids["tokens"], [ids["tokens"]], with_start)
    ]
    assert answers[0] == answers[1] == answers[2]
    # The separator was given, so it has a place of its own, without a probability.
    assert answers[3]["text"] == answers[0]["text"]
    assert answers[3]["logprobs"]["token_logprobs"][0] is None
    assert answers[3]["logprobs"]["token_logprobs"][1:] == answers[0]["logprobs"]["token_logprobs"]


def test_tokens_of_a_chat_spell_its_text(server):
    answer = server.ask(
        "/v1/chat/completions", model="mixed", messages=[{"role": "user", "content": "我喜"}],
        logprobs=True, top_logprobs=2, max_tokens=9, seed=1,
    )  # fmt: skip
    choice = answer["choices"][0]
    content = choice["logprobs"]["content"]
    spelt = b"".join(bytes(token["bytes"]) for token in content if token["token"] != "<|document|>")
    assert spelt.decode() == choice["message"]["content"]
    assert all(token["logprob"] <= 0 and len(token["top_logprobs"]) == 2 for token in content)


def test_biases_and_penalties_steer(server, offline):
    codec = offline["quick"].codec
    only = codec.encode("z" if "z" in "The" else "c")[0]
    wish = {"model": "quick", "prompt": "The ", "max_tokens": 4, "seed": 1}
    forced = server.ask("/v1/completions", logit_bias={str(only): 100}, **wish)
    assert forced["choices"][0]["text"] == "cccc"
    banned = server.ask("/v1/completions", logit_bias={str(only): -100}, **wish)
    assert "c" not in banned["choices"][0]["text"]
    greedy = {"model": "quick", "prompt": "The ", "max_tokens": 40, "temperature": 0}
    free = server.ask("/v1/completions", **greedy)["choices"][0]["text"]
    varied = server.ask("/v1/completions", frequency_penalty=2, presence_penalty=2, **greedy)
    assert len(set(varied["choices"][0]["text"])) > len(set(free))


def test_forms_are_kept(server):
    ask = {"model": "quick", "prompt": "The ", "max_tokens": 400, "temperature": 1.5, "seed": 4}
    for form, holds in (
        ({"type": "choices", "choices": ["cat", "狗"]}, lambda text: text in ("cat", "狗")),
        ({"type": "regex", "pattern": "[ab]{3}-[0-9]+"}, lambda text: text[3] == "-"),
        ({"type": "json_object"}, lambda text: isinstance(json.loads(text), dict)),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {
                "type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"],
                "additionalProperties": False}}},
            lambda text: json.loads(text)["n"] in (1, 2),
        ),
    ):  # fmt: skip
        choice = server.ask("/v1/completions", response_format=form, **ask)["choices"][0]
        if choice["finish_reason"] == "stop":
            assert holds(choice["text"]), choice
        else:
            assert form["type"] == "json_object"


def test_responses_tell_the_same_as_a_chat(server):
    said = {"model": "quick", "temperature": 0}
    chat = server.ask(
        "/v1/chat/completions", max_tokens=6, **said,
        messages=[{"role": "system", "content": "A"}, {"role": "user", "content": "The "}],
    )  # fmt: skip
    whole = server.ask("/v1/responses", instructions="A", input="The ", max_output_tokens=6, **said)
    text = chat["choices"][0]["message"]["content"]
    assert whole["output"][0]["content"][0]["text"] == text
    assert whole["status"] in ("completed", "incomplete")
    with server.client() as client:
        body = {"instructions": "A", "input": [{"role": "user", "content": "The "}], "stream": True}
        streamed = client.post("/v1/responses", json={**body, "max_output_tokens": 6, **said})
    names = [line[7:] for line in streamed.text.splitlines() if line.startswith("event: ")]
    values = [
        json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: ")
    ]
    assert names == [value["type"] for value in values]
    assert [value["sequence_number"] for value in values] == list(range(len(values)))
    pieces = [v["delta"] for v in values if v["type"] == "response.output_text.delta"]
    assert "".join(pieces) == text
    assert values[-1]["response"]["usage"] == whole["usage"]
    with server.client() as client:
        stored = client.post("/v1/responses", json={"input": "a", "previous_response_id": "r"})
    assert stored.status_code == 400


def test_characters_are_never_split(server):
    with server.client() as client:
        for seed in range(8):
            body = {"model": "plain", "prompt": "你", "stream": True, "seed": seed,
                    "max_tokens": 40, "temperature": 3}  # fmt: skip
            content = client.post("/v1/completions", json=body).content
            for line in content.split(b"\n\n"):
                assert "\ufffd" not in line.decode("utf-8")
