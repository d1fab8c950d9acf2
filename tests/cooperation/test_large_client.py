from __future__ import annotations

import pytest
from large_calls import chat, settings
from large_stand_in import MODEL, StandIn
from loop_thread import response

from sparrowlm.cooperation.large import (
    CompletionRequest,
    EmbeddingRequest,
    LargeFailure,
    LargeModel,
)


def test_client_chats(large, stand_in):
    answer = large.ask(chat("你好", temperature=0.5, top_p=0.9, seed=3, stop=("。",), max_tokens=9))
    assert (answer.text, answer.model, answer.finish_reason) == ("You said: 你好", MODEL, "stop")
    assert answer.usage is not None and answer.usage.num_written == 4
    expected = {"temperature": 0.5, "top_p": 0.9, "seed": 3, "stop": ["。"], "max_tokens": 9}
    assert expected.items() <= stand_in.bodies[0].items()


def test_client_completes_with_echo_and_probabilities(large):
    request = CompletionRequest("abc", max_tokens=2, likeliest=1, echo=True)
    answer = large.ask(request)
    assert answer.text == "abc and o"[:3] + " and s"
    assert answer.tokens[0].log_probability is None
    assert answer.tokens[1].log_probability == -0.1
    assert answer.tokens[1].likeliest == {"b": -0.1}
    assert "".join(token.token for token in answer.tokens) == answer.text


def test_client_chat_has_probabilities(large):
    tokens = large.ask(chat("x", likeliest=2)).tokens
    assert "".join(token.token for token in tokens) == "You said: x"
    assert tokens[0].likeliest == {"Y": -0.1, "?": -2.5}


def test_client_embeds_in_order(large):
    vectors = large.embed(EmbeddingRequest(("一", "二")))
    assert len(vectors.rows) == 2 and vectors.rows[0] != vectors.rows[1]
    assert large.embed(EmbeddingRequest(("二",))).rows[0] == vectors.rows[1]


def test_client_lists_models(large):
    assert large.models() == (MODEL, "other")


@pytest.mark.parametrize("request_", [chat("流式，慢慢来"), CompletionRequest("abc")])
def test_client_streams_what_it_would_have_said_at_once(large, request_):
    pieces = list(large.stream(request_))
    assert len(pieces) > 1
    assert "".join(pieces) == large.ask(request_).text


def test_client_stream_can_be_left_early(large):
    pieces = large.stream(chat("a long story"))
    assert next(pieces) == "You"
    pieces.close()
    assert large.ask(chat("still there?")).text.endswith("still there?")


SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["好", "坏"]}},
    "required": ["label"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "said",
    ['{"label": "好"}', 'Of course: ```json\n{"label": "好"}\n```'],
)
def test_client_gives_values_of_a_schema(said):
    with StandIn(answer=lambda body: said) as server, LargeModel(settings(server)) as large:
        assert large.ask(chat("x", json_schema=SCHEMA)).value == {"label": "好"}
        assert server.bodies[0]["response_format"]["json_schema"]["schema"] == SCHEMA
        assert len(server.bodies) == 1


def test_client_asks_in_words_where_a_schema_is_ignored():
    def answer(body):
        return "Hm." if "response_format" in body else '{"label": "坏"}'

    with StandIn(answer=answer) as server, LargeModel(settings(server)) as large:
        assert large.ask(chat("x", json_schema=SCHEMA)).value == {"label": "坏"}
        assert len(server.bodies) == 2


def test_client_says_so_where_no_answer_fits():
    with (
        StandIn(answer=lambda body: '{"label": "?"}') as server,
        LargeModel(settings(server)) as large,
        pytest.raises(LargeFailure) as caught,
    ):
        large.ask(chat("x", json_schema=SCHEMA))
    assert caught.value.kind == "schema"


def test_client_asks_in_words_where_a_schema_is_refused():
    class Old(StandIn):
        async def _respond(self, reader, writer, head, content):
            if b"response_format" in content:
                writer.write(response(400, b'{"error": {"message": "unknown field"}}'))
            else:
                await super()._respond(reader, writer, head, content)

    with (
        Old(answer=lambda body: '{"label": "好"}') as server,
        LargeModel(settings(server)) as large,
    ):
        assert large.ask(chat("x", json_schema=SCHEMA)).value == {"label": "好"}
