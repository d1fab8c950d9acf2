"""From the first request to the last: loading, leaving, ending, files of requests."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from urllib.parse import urlsplit

import httpx2
import pytest
from running_server import SIZES, events_of, named, running
from small_models import small_model

import sparrowlm as sp

_LONG = {"prompt": "The cat", "max_tokens": 8000, "temperature": 1, "logit_bias": {"0": -100}}


def _written(client: httpx2.Client) -> float:
    page = client.get("/metrics").text
    lines = [line for line in page.splitlines() if line.startswith("sparrow_texts_writing")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("is_stream", [True, False])
def test_the_work_of_a_client_that_has_gone_ends(server, is_stream):
    place = urlsplit(server.address)
    body = json.dumps({"model": "plain", "stream": is_stream, **_LONG}).encode()
    with server.client() as client:
        with socket.create_connection((place.hostname, place.port)) as connection:
            connection.sendall(
                b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                % len(body) + body
            )  # fmt: skip
            _until(lambda: _written(client) == 1)
        _until(lambda: _written(client) == 0, seconds=2)
        dropped = [
            line for line in client.get("/metrics").text.splitlines()
            if line.startswith("sparrow_dropped_requests_total")
        ]  # fmt: skip
    assert float(dropped[0].rpartition(" ")[2]) >= 1


def test_answers_under_way_are_finished_before_the_end(models):
    with running(f"m={models['plain']}") as server, server.client() as client:
        whole = {"prompt": "The cat", "max_tokens": 1500, "seed": 1, "logit_bias": {"0": -100}}
        with client.stream("POST", "/v1/completions", json={**whole, "stream": True}) as answer:
            pieces = answer.iter_text()
            text = next(pieces)
            server.process.send_signal(signal.SIGTERM)
            text += "".join(pieces)
        events = events_of(text)
        assert events[-1]["choices"][0]["finish_reason"] == "length"
        assert server.process.wait(30) == 0
        with pytest.raises(httpx2.ConnectError):
            client.get("/health")


def test_ctrl_c_ends_it_with_success(models):
    with running(f"m={models['quick']}") as server:
        assert server.end(signal.SIGINT) == 0
        assert "Traceback" not in "".join(server.complaints)


def test_models_are_loaded_when_asked_for_and_put_away(tmp_path):
    paths = {
        name: small_model(tmp_path / name, "transformer", seed=seed, **SIZES)
        for seed, name in enumerate(("one", "two", "three"))
    }
    size = sp.load(paths["one"]).num_bytes()
    with running(*named(paths), "--memory", f"{2.5 * size / 1000:.0f}kB") as server:
        own = {name: sp.load(path) for name, path in paths.items()}

        def loaded():
            with server.client() as client:
                return {
                    one["id"] for one in client.get("/v1/models").json()["data"] if one["loaded"]
                }

        for name in ("one", "two", "three", "one", "three", "two"):
            answer = server.ask("/v1/completions", model=name, prompt="The", max_tokens=5, seed=1)
            text = own[name].generate("The", max_tokens=5, seed=1)[0]
            assert answer["choices"][0]["text"] == text
            assert name in loaded() and len(loaded()) <= 2


def test_too_many_who_wait_are_told_to_come_again(models):
    with running(f"m={models['plain']}", "--limit", "waiting=3") as server:
        statuses = []

        def ask():
            with server.client() as client:
                body = {**_LONG, "max_tokens": 150, "n": 20}
                answer = client.post("/v1/completions", json=body)
                statuses.append((answer.status_code, answer.headers.get("retry-after")))

        threads = [threading.Thread(target=ask) for _request in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {status for status, _after in statuses} == {200, 429}
        assert all(after == "1" or after == "2" for status, after in statuses if status == 429)


def test_an_answer_that_takes_too_long_is_given_up(models):
    words = ["--limit", "request_seconds=0.3"]
    with running(f"m={models['plain']}", *words) as server, server.client() as client:
        answer = client.post("/v1/completions", json=_LONG)
        assert answer.status_code == 504
        assert answer.json()["error"]["message"]
        _until(lambda: _written(client) == 0, seconds=2)


def test_limits_of_prompts_and_answers(models):
    words = ["--limit", "prompt_tokens=10", "--limit", "output_tokens=20", "--limit",
             "total_output_tokens=50", "--limit", "body_bytes=2000"]  # fmt: skip
    with running(f"m={models['quick']}", *words) as server, server.client() as client:
        for body, status in (
            ({"prompt": "The cat", "max_tokens": 20}, 200),
            ({"prompt": "The cat sat on", "max_tokens": 20}, 400),
            ({"prompt": "The cat", "max_tokens": 21}, 400),
            ({"prompt": "The cat", "max_tokens": 20, "n": 3}, 400),
            ({"prompt": ["The", "cat", "sat"], "max_tokens": 20}, 400),
            ({"prompt": "a" * 2000}, 413),
        ):
            assert client.post("/v1/completions", json=body).status_code == status


def test_too_many_connections_are_closed(models):
    with running(f"m={models['quick']}", "--limit", "connections=5") as server:
        place = urlsplit(server.address)
        open_ones = [
            socket.create_connection((place.hostname, place.port), timeout=10) for _ in range(8)
        ]
        refused = 0
        for connection in open_ones:
            connection.settimeout(0.5)
            with suppress(TimeoutError):
                refused += b"503" in connection.recv(100)
        for connection in open_ones:
            connection.close()
        assert refused == 3
        _until(lambda: _is_answered(server))


def _is_answered(server) -> bool:
    with server.client() as client:
        return client.get("/health").status_code == 200


def test_a_client_that_takes_nothing_is_cut_off(models):
    with running(f"m={models['quick']}", "--limit", "write_seconds=1") as server:
        place = urlsplit(server.address)
        body = json.dumps({
            **_LONG, "stream": True, "n": 16, "logprobs": 20,
        }).encode()  # fmt: skip
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((place.hostname, place.port))
            connection.sendall(
                b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                % len(body) + body
            )  # fmt: skip
            with server.client() as client:
                _until(lambda: _written(client) > 0)
                _until(lambda: _written(client) == 0, seconds=30)


def _batch(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sparrowlm", "serve", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_requests_from_a_file(models, tmp_path):
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    own = sp.load(models["quick"])
    lines = [
        {"custom_id": f"题{number}", "method": "POST", "url": "/v1/completions",
         "body": {"model": "q", "prompt": "The cat", "seed": number, "max_tokens": 9}}
        for number in range(50)
    ]  # fmt: skip
    lines.append({"custom_id": "bad", "url": "/v1/completions", "body": {"prompt": 3}})
    lines.append({"custom_id": "label", "url": "/v1/classify", "body": {"input": "cat"}})
    source.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    words = [
        f"q={models['quick']}",
        f"l={models['labels']}",
        "--batch",
        str(source),
        "-o",
        str(output),
    ]
    assert _batch(*words).returncode == 1  # one was refused
    first = output.read_text("utf-8")
    answers = {
        record["custom_id"]: record["response"] for record in map(json.loads, first.splitlines())
    }
    assert len(answers) == len(lines) and answers["bad"]["status_code"] == 400
    assert answers["label"]["body"]["data"][0]["label"]
    for number in range(50):
        text = answers[f"题{number}"]["body"]["choices"][0]["text"]
        assert text == own.generate("The cat", seed=number, max_tokens=9)[0]
    # Cut off in the middle of a line, it is gone on with; what is there stays as it is.
    kept = first.splitlines(keepends=True)[:20]
    output.write_text("".join(kept) + '{"id": "batch', encoding="utf-8")
    assert _batch(*words).returncode == 1
    again = output.read_text("utf-8").splitlines(keepends=True)
    assert again[:20] == kept and len(again) == len(lines)
    assert _batch(*words).returncode == 1  # nothing left to do
    output.write_text("something else\n", encoding="utf-8")
    refused = _batch(*words)
    assert refused.returncode == 1 and "something" in output.read_text("utf-8")
    source.write_text('{"custom_id": "a"}\n', encoding="utf-8")
    assert "url" in _batch(*words[:3], str(source), "-o", str(tmp_path / "new")).stderr
