from __future__ import annotations

import asyncio
import json

import pytest
from large_calls import chat, settings
from large_stand_in import StandIn
from personal_lines import personal_lines

from sparrowlm.cooperation.large import (
    AsyncLargeModel,
    AsyncMaskedLarge,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    LargeModel,
    MaskedLarge,
    Message,
)
from sparrowlm.foundation.errors import SettingError

LINES = personal_lines(300, seed=31)


def raw_in(server, items):
    """Items that stand in the bytes a server received, as text or escaped as JSON does."""
    received = bytes(server.received)
    sent = received.decode("utf-8", "replace")
    return [i for i in items if i in sent or json.dumps(i)[1:-1].encode() in received]


def test_masked_nothing_leaves_and_everything_comes_back(stand_in, large):
    for number, (line, _kind, _start, _end) in enumerate(LINES):
        masked = MaskedLarge(large, explains=number % 2 == 0)
        request = chat(line)
        text = masked.ask(request).text if number % 3 else "".join(masked.stream(request))
        assert text == "You said: " + line
    assert raw_in(stand_in, [line[start:end] for line, _kind, start, end in LINES]) == []


def test_masked_conversations_stay_consistent():
    with StandIn(answer=lambda body: "。".join(m["content"] for m in body["messages"])) as server:
        with LargeModel(settings(server)) as large:
            masked = MaskedLarge(large, explains=False)
            turns = ("我的QQ是12345678", "好的，12345678", "再说一遍？")
            messages = tuple(
                Message("assistant" if i % 2 else "user", text) for i, text in enumerate(turns)
            )
            assert masked.ask(ChatRequest(messages)).text == "。".join(turns)
        assert raw_in(server, ["12345678"]) == []


def test_masked_completions_vectors_and_schemas(stand_in, large):
    masked = MaskedLarge(large)
    answer = masked.ask(CompletionRequest("打13812345678", echo=True, max_tokens=2))
    assert answer.text.startswith("打13812345678")
    masked.embed(EmbeddingRequest(("13912345678",)))
    assert raw_in(stand_in, ["13812345678", "13912345678"]) == []
    number = {"const": "13612345678"}
    with pytest.raises(SettingError, match="json_schema"):
        masked.ask(chat("x", json_schema={"type": "object", "properties": {"a": number}}))


def test_masked_values_of_schemas_come_back():
    def answer(body):
        return json.dumps({"call": body["messages"][-1]["content"][-9:]}, ensure_ascii=False)

    with StandIn(answer=answer) as server, LargeModel(settings(server)) as large:
        schema = {"type": "object", "properties": {"call": {"type": "string"}}}
        found = MaskedLarge(large).ask(chat("打13812345678", json_schema=schema))
        assert found.value == {"call": "13812345678"}
        assert raw_in(server, ["13812345678"]) == []


def test_masked_tells_what_placeholders_are_only_where_there_are_any(stand_in, large):
    masked = MaskedLarge(large)
    masked.ask(chat("没有个人信息"))
    masked.ask(chat("打13812345678"))
    first, second = (body["messages"] for body in stand_in.bodies)
    assert len(first) == 1
    assert second[0]["role"] == "system" and "⟦PHONE_1⟧" in second[0]["content"]


def test_masked_has_the_same_for_asyncio(stand_in):
    async def both():
        async with AsyncLargeModel(settings(stand_in)) as large:
            masked = AsyncMaskedLarge(large)
            text = (await masked.ask(chat("打13812345678"))).text
            pieces = [piece async for piece in masked.stream(chat("打13912345678"))]
            await masked.embed(EmbeddingRequest(("13712345678",)))
            return text, "".join(pieces)

    assert asyncio.run(both()) == ("You said: 打13812345678", "You said: 打13912345678")
    assert raw_in(stand_in, ["13812345678", "13912345678", "13712345678"]) == []
