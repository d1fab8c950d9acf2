"""Labels, spans, vectors, next words: over HTTP what the model says itself."""

from __future__ import annotations

import base64
import time

import numpy as np
import pytest

import sparrowlm as sp


def test_labels(server, models):
    texts = ["cat dog", "研究生命", ""]
    own = sp.load(models["labels"]).predict(texts)
    answer = server.ask("/v1/classify", input=texts, k=2, explain=True)
    assert answer["model"] == "labels"  # the only one that can
    for index, (found, one) in enumerate(zip(answer["data"], own, strict=True)):
        assert found["index"] == index
        assert found["label"] == one.label
        assert found["probability"] == pytest.approx(one.probability, abs=1e-6)
        assert len(found["probabilities"]) == 2
        assert [set(reason) for reason in found["reasons"]] == [
            {"text", "start", "end", "weight"}
        ] * len(found["reasons"])


def test_spans(server, models):
    texts = ["你 研究生命 别的", "😀 研究生"]
    own = sp.load(models["tags"]).predict(texts)
    floor = sp.load(models["tags"]).floor_spans
    answer = server.ask("/v1/tag", input=texts, floor=True)
    for text, found, one in zip(texts, answer["data"], own, strict=True):
        assert [span["text"] for span in found["spans"]] == [span.text for span in one.spans]
        for span in found["spans"]:
            assert text[span["start"] : span["end"]] == span["text"]
        assert found.get("intent") == (one.intent and one.intent.label)
        beside = None if floor is None else [span.text for span in floor([text])[0]]
        told = [span["text"] for span in found["floor"]["spans"]] if "floor" in found else None
        assert told == beside


def test_vectors(server, models):
    texts = ["The cat", "你好"]
    own = sp.load(models["vectors"]).embed(texts)
    plain = server.ask("/v1/embeddings", model="vectors", input=texts)
    np.testing.assert_allclose([one["embedding"] for one in plain["data"]], own, atol=1e-6)
    packed = server.ask(
        "/v1/embeddings", model="vectors", input=texts, encoding_format="base64", dimensions=8
    )
    first = np.frombuffer(base64.b64decode(packed["data"][0]["embedding"]), dtype="<f4")
    assert len(first) == 8 and np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    ids = sp.load(models["vectors"]).codec.encode("The cat")
    by_ids = server.ask("/v1/embeddings", model="vectors", input=ids)
    np.testing.assert_allclose(by_ids["data"][0]["embedding"], own[0], atol=1e-6)


def test_next_words(server, models):
    own = sp.load(models["mixed"]).next("The cat", 4)
    answer = server.ask("/v1/next", model="mixed", input="The cat", k=4, floor=True)
    assert [one["word"] for one in answer["data"]] == [one.word for one in own]
    assert len(answer["floor"]) == 4 and answer["floor"] != answer["data"]
    assert "floor" not in server.ask("/v1/next", model="quick", input="The cat", floor=True)


def test_models_are_listed_and_described(server, models):
    with server.client() as client:
        listed = client.get("/v1/models").json()
        assert [one["id"] for one in listed["data"]] == list(models)
        for name in models:
            one = client.get(f"/v1/models/{name}").json()
            assert one["id"] == name and one["can"] and one["info"]["kind"] == one["kind"]
        assert client.get("/v1/models/plain").json()["card"] == "seed 0\n"
        assert client.get("/v1/models/none").status_code == 404
        assert client.get("/tokenizer_info", params={"model": "quick"}).json()["vocab_size"] > 9


def test_a_model_that_cannot_says_what_it_can(server):
    with server.client() as client:
        for path, body, told in (
            ("/v1/classify", {"model": "tags", "input": "a"}, "/v1/tag"),
            ("/v1/tag", {"model": "quick", "input": "a"}, "/v1/completions"),
            ("/v1/completions", {"model": "labels", "prompt": "a"}, "labels"),
            ("/v1/embeddings", {"model": "quick", "input": "a"}, "/v1/chat/completions"),
            ("/v1/match", {"model": "labels", "first": "a", "second": "b"}, "/v1/classify"),
        ):
            answer = client.post(path, json=body)
            assert answer.status_code == 400
            assert told in answer.json()["error"]["message"]
        several = client.post("/v1/completions", json={"prompt": "a"})
        assert several.status_code == 400 and "plain" in several.json()["error"]["message"]


def test_counters_count(server):
    def counted(page, name):
        lines = [line for line in page.splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    with server.client() as client:
        before = client.get("/metrics").text
        server.ask("/v1/completions", model="quick", prompt="The cat", max_tokens=5, seed=1)
        time.sleep(0.2)  # a request is counted when all of its answer is sent
        after = client.get("/metrics").text
    written = 'sparrow_output_tokens_total{model="quick"}'
    assert counted(after, written) - counted(before, written) == 5
    asked = 'sparrow_requests_total{endpoint="/v1/completions",status="200"}'
    assert counted(after, asked) - counted(before, asked) == 1
    assert "The cat" not in after


def test_the_interface_is_described(server):
    with server.client() as client:
        found = client.get("/openapi.json").json()
    assert found["openapi"] == "3.1.0"
    chat = found["components"]["schemas"]["ChatRequest"]["properties"]
    assert {"messages", "temperature", "response_format", "logit_bias"} <= set(chat)
    assert "/v1/models/{model}" in found["paths"]
