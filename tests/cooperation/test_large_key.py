from __future__ import annotations

import json
import logging

import pytest
from fault_proxy import FaultProxy
from large_calls import chat, settings
from large_stand_in import MODEL, StandIn
from loop_thread import LoopThread, read_request, response

from sparrowlm.cooperation.large import (
    Key,
    LargeFailure,
    LargeModel,
    LargeSettings,
    key_from_environment,
    key_from_file,
)
from sparrowlm.foundation.errors import SettingError

SECRET = "sk-very-secret-0123456789"


def test_client_key_is_sent_and_never_shown(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("LARGE_KEY", SECRET)
    (tmp_path / "key").write_text(SECRET + "\n", encoding="utf-8")
    key = key_from_environment("LARGE_KEY")
    assert key == key_from_file(tmp_path / "key")
    caplog.set_level(logging.DEBUG)
    with StandIn(key=SECRET) as server, LargeModel(settings(server, key=key)) as large:
        assert large.ask(chat("私密问题")).text == "You said: 私密问题"
        shown = f"{key} {key!r} {large.settings!r} {large!r}"
    with StandIn(key=SECRET) as server, LargeModel(settings(server, key=Key("x"))) as large:
        with pytest.raises(LargeFailure) as caught:
            large.ask(chat("x"))
        assert caught.value.kind == "unauthorised"
    with StandIn(key="another") as server, LargeModel(settings(server, key=key)) as large:
        server.key = SECRET + "-not"  # the complaint repeats the key
        with pytest.raises(LargeFailure) as caught:
            large.ask(chat("x"))
        shown += f"{caught.value} {caught.value.sentence('zh')} {caught.value.fields}"
    assert SECRET not in shown
    assert SECRET not in caplog.text
    assert "私密问题" not in caplog.text


def test_client_key_does_not_follow_redirects(stand_in):
    with (
        FaultProxy(stand_in, "redirect") as proxy,
        LargeModel(settings(proxy, key=Key(SECRET))) as large,
        pytest.raises(LargeFailure) as caught,
    ):
        large.ask(chat("x"))
    assert caught.value.kind == "redirect"


def test_client_follows_redirects_on_the_same_server(stand_in):
    class Moved(LoopThread):
        async def serve(self, reader, writer):
            while request := await read_request(reader):
                head, _body = request
                if b"/v1/" in head:
                    place = "Location: /v2/chat/completions\r\n"
                    writer.write(response(308, b"", headers=place))
                else:
                    choice = {"message": {"content": "moved"}, "finish_reason": "stop"}
                    writer.write(response(200, json.dumps({"choices": [choice]}).encode()))
                await writer.drain()

    with Moved() as server, LargeModel(settings(server)) as large:
        assert large.ask(chat("x")).text == "moved"


def test_client_ignores_proxies_of_the_system(stand_in, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with LargeModel(settings(stand_in)) as large:
        assert large.ask(chat("x")).text == "You said: x"


@pytest.mark.parametrize("wrong", ["", "two words", "line\nend", "clé"])
def test_client_refuses_keys_that_are_none(wrong):
    with pytest.raises(SettingError):
        Key(wrong)


def test_client_missing_keys_are_named(tmp_path):
    with pytest.raises(SettingError, match="NO_SUCH_KEY"):
        key_from_environment("NO_SUCH_KEY")
    with pytest.raises(SettingError, match="nowhere"):
        key_from_file(tmp_path / "nowhere")
    (tmp_path / "empty").write_text("")
    with pytest.raises(SettingError):
        key_from_file(tmp_path / "empty")


@pytest.mark.parametrize(
    "url", ["", "host", "ftp://host", "http://", "http://user:pass@host/v1", "http://h/v1?key=1",
            "http://h:99999"],
)  # fmt: skip
def test_client_refuses_addresses(url):
    with pytest.raises(SettingError) as caught:
        LargeSettings(url, MODEL)
    assert "pass" not in str(caught.value)
