"""Requests that nobody should send: each is refused in OpenAI's form, and the server goes on."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

_CHAT = "/v1/chat/completions"
_BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"model": "\\udfff", "messages": [{"role": "user", "content": "a"}]}',
    b'{"messages": [{"role": "user", "content": "\xed\xa0\x80"}]}',
    b'{"temperature": NaN, "messages": [{"role": "user", "content": "a"}]}',
    b'{"temperature": 1e999, "messages": [{"role": "user", "content": "a"}]}',
    b'{"max_tokens": "5", "messages": [{"role": "user", "content": "a"}]}',
    b'{"max_tokens": 1000000000000, "messages": [{"role": "user", "content": "a"}]}',
    b'{"max_tokens": -1, "messages": [{"role": "user", "content": "a"}]}',
    b'{"max_tokens": 5.5, "messages": [{"role": "user", "content": "a"}]}',
    b'{"max_tokens": 2000000, "messages": [{"role": "user", "content": "a"}]}',
    b'{"n": 0, "messages": [{"role": "user", "content": "a"}]}',
    b'{"messages": []}',
    b'{"messages": "a"}',
    b'{"messages": [{"role": "king", "content": "a"}]}',
    b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
    b'{"messages": [{"content": "a"}]}',
    b'{"stop": [' + b'"a",' * 50 + b'"a"], "messages": [{"role": "user", "content": "a"}]}',
    b'{"logit_bias": {"-1": 3}, "messages": [{"role": "user", "content": "a"}]}',
    b'{"logit_bias": {"1": 3000}, "messages": [{"role": "user", "content": "a"}]}',
    b'{"response_format": {"type": "regex"}, "messages": [{"role": "user", "content": "a"}]}',
    b'{"response_format": {"type": "regex", "pattern": "("}, "messages": '
    b'[{"role": "user", "content": "a"}]}',
    b'{"response_format": {"type": "regex", "pattern": "(((a{1,99}){1,99}){1,99}){1,99}"}, '
    b'"messages": [{"role": "user", "content": "a"}]}',
    b'{"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}, '
    b'"messages": [{"role": "user", "content": "a"}]}',
    b'{"messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"response_format": {"type": "json_schema", "json_schema": {"schema": '
    + b'{"properties": {"a": ' * 300 + b"{}" + b"}}" * 300
    + b'}}, "messages": [{"role": "user", "content": "a"}]}',
]  # fmt: skip


@pytest.mark.parametrize("body", _BODIES, ids=range(len(_BODIES)))
def test_a_bad_body_is_refused_in_openais_form(server, body):
    with server.client() as client:
        answer = client.post(f"{_CHAT}?x=1", content=_with_model(body))
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["message"] and error["type"] == "invalid_request_error" and error["code"]


def _with_model(body: bytes) -> bytes:
    if body.startswith(b"{") and b'"model"' not in body and len(body) > 1:
        return b'{"model": "quick", ' + body[1:]
    return body


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip
_FIELDS = [
    "messages", "prompt", "max_tokens", "n", "stop", "temperature", "top_p", "logprobs", "echo",
    "stream", "stream_options", "response_format", "logit_bias", "seed", "input", "model", "tokens",
    "k", "pairs", "tools", "top_logprobs", "first", "second", "encoding_format", "suffix",
]  # fmt: skip
_PATHS = [
    _CHAT, "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/classify", "/v1/tag",
    "/v1/match", "/v1/next", "/tokenize", "/detokenize",
]  # fmt: skip


@settings(max_examples=250)
@given(
    path=st.sampled_from(_PATHS),
    model=st.sampled_from(["quick", "plain", "labels", "vectors", ""]),
    fields=st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=5),
)  # fmt: skip
def test_whatever_is_sent_is_answered_or_refused(server, path, model, fields):
    body = {"model": model, "max_tokens": 3, **fields}
    with server.client() as client:
        answer = client.post(path, content=json.dumps(body).encode())
    assert answer.status_code in (200, 400, 404), (answer.text, body)
    if answer.status_code != 200:
        assert answer.json()["error"]["message"]


def test_paths_and_methods(server):
    with server.client() as client:
        assert client.get("/nothing").status_code == 404
        assert client.get("/%ff%00").status_code == 404
        refused = client.get(_CHAT)
        assert refused.status_code == 405 and refused.headers["allow"] == "POST"
        assert client.post("/v1/models").status_code == 405
        assert client.head("/health").content == b""


def test_a_body_without_end_is_cut_off(server):
    before = _resident_bytes(server)
    with server.client() as client:
        declared = client.post(_CHAT, content=b" " * (64 * 1024 * 1024))
        assert declared.status_code == 413

        def pieces():
            for _piece in range(2000):
                yield b" " * 100_000

        undeclared = client.post(_CHAT, content=pieces())
        assert undeclared.status_code == 413
    assert _resident_bytes(server) - before < 50_000_000
    _assert_answers(server)


def test_a_refusal_is_heard_by_a_client_that_is_still_sending(server):
    with server.client() as client:
        for path, status in (("/nothing", 404), ("/v1/models", 405), (_CHAT, 400)):
            for _time in range(10):
                assert client.post(path, content=b"a" * 1_000_000).status_code == status


def test_headers_without_end_are_cut_off(server):
    with _connected(server) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        got = b""
        try:
            for number in range(10_000):
                connection.sendall(b"X-%d: %s\r\n" % (number, b"a" * 1000))
        except OSError:
            pass
        else:
            raise AssertionError("ten megabytes of headers were taken")
        try:
            got = connection.recv(1000)
        except OSError:
            got = b"HTTP/1.1 431"  # closed before it could be read
    assert b"431" in got or got == b""
    _assert_answers(server)


def test_what_is_no_http_is_refused(server):
    for content in (b"\x16\x03\x01" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 99,
                    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
                    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"):  # fmt: skip
        with _connected(server) as connection:
            connection.sendall(content)
            connection.shutdown(socket.SHUT_WR)
            got = connection.recv(1000)
            assert b"HTTP/1.1 200" not in got
    _assert_answers(server)


def test_slow_clients_do_not_stop_the_others(server):
    connections = [_connected(server) for _client in range(60)]
    for number, connection in enumerate(connections):
        head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        connection.sendall(head[: 20 + number] if number % 2 else head + b"\r\n{")
    began = time.monotonic()
    _assert_answers(server)
    assert time.monotonic() - began < 1
    # Whoever has not sent all headers in time is told so.
    connections[1].settimeout(20)
    assert b"408" in connections[1].recv(100)
    for connection in connections:
        connection.close()


def test_the_log_holds_nothing_of_what_was_asked(server):
    secret = "my secret 13812345678"
    with server.client() as client:
        client.post(
            _CHAT, json={"model": "quick", "messages": [{"role": "user", "content": secret}]}
        )
        client.post(_CHAT, json={"model": secret, "messages": [{"role": "user", "content": "a"}]})
    assert secret not in "".join(server.complaints)
    assert "Traceback" not in "".join(server.complaints), server.complaints


def _connected(server) -> socket.socket:
    place = urlsplit(server.address)
    return socket.create_connection((place.hostname, place.port), timeout=30)


def _assert_answers(server) -> None:
    answer = server.ask("/v1/completions", model="quick", prompt="The", max_tokens=2)
    assert answer["choices"][0]["finish_reason"]


def _resident_bytes(server) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


def test_texts_that_take_too_long_are_refused(server):
    with server.client() as client:
        for path, body in (
            ("/v1/classify", {"input": "a b " * 1000, "explain": True}),
            ("/v1/next", {"model": "quick", "input": "The cat " * 10_000}),
            ("/v1/completions", {"model": "quick", "prompt": "The cat " * 10_000}),
            ("/v1/completions", {"model": "quick", "prompt": [5] * 20_000}),
        ):
            began = time.monotonic()
            answer = client.post(path, json=body)
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"]["param"]
            assert time.monotonic() - began < 2
        long = client.post("/tokenize", json={"model": "quick", "prompt": "The cat " * 100_000})
        assert long.json()["count"] > 700_000
