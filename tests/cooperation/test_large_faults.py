from __future__ import annotations

import time

import pytest
from fault_proxy import FAULTS, HARMLESS, FaultProxy
from large_calls import EAGER, QUICK, chat, settings
from large_stand_in import MODEL
from loop_thread import LoopThread, read_request, response

from sparrowlm.cooperation.large import (
    LargeFailure,
    LargeModel,
    LargeSettings,
)


@pytest.mark.parametrize("way", ["ask", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
def test_client_ends_every_fault_in_time(stand_in, fault, way):
    with FaultProxy(stand_in, fault) as proxy, LargeModel(settings(proxy)) as large:
        began = time.perf_counter()
        try:
            request = chat("你好")
            text = large.ask(request).text if way == "ask" else "".join(large.stream(request))
            assert fault in HARMLESS
            assert text == "You said: 你好"
        except LargeFailure as failure:
            assert fault not in HARMLESS
            assert failure.sentence("zh") and failure.sentence("en")
        assert time.perf_counter() - began < 1.1 * QUICK.deadline_s


@pytest.mark.parametrize(
    "fault", sorted(set(FAULTS) - HARMLESS - {"401", "404", "huge", "redirect"})
)
def test_client_tries_again(stand_in, fault):
    with FaultProxy(stand_in, fault, num_left=1) as proxy, LargeModel(settings(proxy)) as large:
        assert large.ask(chat("again")).text == "You said: again"


@pytest.mark.parametrize("fault", ["401", "404"])
def test_client_never_tries_again_what_cannot_help(stand_in, fault):
    with FaultProxy(stand_in, fault) as proxy, LargeModel(settings(proxy)) as large:
        with pytest.raises(LargeFailure):
            large.ask(chat("x"))
        assert proxy.num_requests == 1


def test_client_nobody_listens(stand_in):
    port = stand_in.port
    stand_in._server.close()
    nowhere = LargeSettings(f"http://127.0.0.1:{port}", MODEL, patience=QUICK, persistence=EAGER)
    with LargeModel(nowhere) as large, pytest.raises(LargeFailure) as caught:
        large.ask(chat("x"))
    assert caught.value.kind == "connect"


def test_client_waits_as_long_as_it_is_asked_to(stand_in):
    with FaultProxy(stand_in, "429", num_left=1, retry_after="0.4") as proxy:
        with LargeModel(settings(proxy)) as large:
            began = time.perf_counter()
            large.ask(chat("x"))
            assert 0.4 <= time.perf_counter() - began < 0.9
        proxy.num_left, proxy.retry_after = 1, "30"
        with LargeModel(settings(proxy)) as large:
            began = time.perf_counter()
            with pytest.raises(LargeFailure) as caught:
                large.ask(chat("y"))
            assert caught.value.kind == "rate-limited"
            assert time.perf_counter() - began < 0.5  # no waiting for what comes too late


def test_client_breaker_opens_and_recovers(stand_in):
    with FaultProxy(stand_in, "500") as proxy, LargeModel(settings(proxy)) as large:
        kinds = []
        for number in range(4):
            with pytest.raises(LargeFailure) as caught:
                large.ask(chat(str(number)))
            kinds.append(caught.value.kind)
        assert kinds == ["server", "server", "breaker", "breaker"]
        assert proxy.num_requests == 5
        assert large.breaker_state == "open"
        proxy.fault = "none"
        time.sleep(0.25)
        assert large.ask(chat("back?")).text == "You said: back?"
        assert large.breaker_state == "closed"


def test_client_another_model_can_be_refused(stand_in):
    with FaultProxy(stand_in, "wrong-model") as proxy:
        with LargeModel(settings(proxy)) as large:
            assert large.ask(chat("x")).model == "somebody-else"
        with (
            LargeModel(settings(proxy, is_model_strict=True)) as large,
            pytest.raises(LargeFailure, match="somebody-else"),
        ):
            large.ask(chat("x"))


class Odd(LoopThread):
    """Answers every request with the same bytes."""

    def __init__(self, content):
        self.content = content
        super().__init__()

    async def serve(self, reader, writer):
        while await read_request(reader):
            writer.write(self.content)
            await writer.drain()


@pytest.mark.parametrize(
    "content",
    [
        b"null", b"[]", b"{}", b'{"choices": {}}', b'{"choices": [7]}', b'{"choices": [{}]}',
        b'{"choices": [{"message": 5}]}', b'{"choices": [{"message": {"content": 5}}]}',
        b"[" * 100_000, b"\xff\xfe", b"<html>", b'{"error": "no"}', b"",
    ],
)  # fmt: skip
def test_client_odd_bodies_are_typed_failures(content):
    with Odd(response(200, content)) as server, LargeModel(settings(server)) as large:
        with pytest.raises(LargeFailure) as caught:
            large.ask(chat("x"))
        assert caught.value.kind in ("broken", "empty", "in-stream")


@pytest.mark.parametrize(
    "events",
    [
        b"data: 5\n\n", b'data: {"choices": [5]}\n\n', b'data: {"choices": 5}\n\n',
        b'data: {"choices": [{"delta": {"content": 5}}]}\n\n', b"data: {\n\n", b"\xff\n\n",
        b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n',
    ],
)  # fmt: skip
def test_client_odd_streams_are_typed_failures(events):
    with (
        Odd(response(200, events, "text/event-stream")) as server,
        LargeModel(settings(server)) as large,
        pytest.raises(LargeFailure),
    ):
        list(large.stream(chat("x")))


@pytest.mark.parametrize(
    "text", ["garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_client_what_is_no_http_is_a_typed_failure(text):
    with (
        Odd(text.encode()) as server,
        LargeModel(settings(server)) as large,
        pytest.raises(LargeFailure),
    ):
        large.ask(chat("x"))


def test_client_packed_answers_are_refused():
    packed = response(200, b"x", headers="Content-Encoding: gzip\r\n")
    with (
        Odd(packed) as server,
        LargeModel(settings(server)) as large,
        pytest.raises(LargeFailure, match="gzip"),
    ):
        large.ask(chat("x"))
