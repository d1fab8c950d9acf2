"""openai-python, majors 2 and 3, against a server: python openai_python.py ADDRESS STORIES NEWS."""

import sys

import openai
from openai import OpenAI
from pydantic import BaseModel


class Weather(BaseModel):
    place: str
    degrees: int


def main(address, stories, vectors):
    client = OpenAI(base_url=f"{address}/v1", api_key="any", max_retries=0)
    assert stories in [model.id for model in client.models.list()]
    assert client.models.retrieve(stories).id == stories
    messages = [{"role": "user", "content": "The cat"}]
    chat = client.chat.completions.create

    whole = chat(model=stories, messages=messages, max_tokens=12, temperature=0, seed=1)
    assert whole.choices[0].message.content and whole.usage.completion_tokens == 12
    assert whole.choices[0].finish_reason == "length"
    chunks = list(
        chat(
            model=stories, messages=messages, max_tokens=12, temperature=0, stream=True,
            stream_options={"include_usage": True},
        )
    )  # fmt: skip
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == whole.choices[0].message.content, (text, whole)
    assert chunks[-1].usage.completion_tokens == 12 and not chunks[-1].choices

    several = chat(model=stories, messages=messages, max_tokens=6, n=3, seed=5)
    again = chat(model=stories, messages=messages, max_tokens=6, n=3, seed=5)
    texts = [choice.message.content for choice in several.choices]
    assert texts == [choice.message.content for choice in again.choices] and len(set(texts)) > 1

    sure = {"max_tokens": 4, "temperature": 0}
    logs = chat(model=stories, messages=messages, logprobs=True, top_logprobs=3, **sure)
    content = logs.choices[0].logprobs.content
    assert len(content) == 4 and all(len(token.top_logprobs) == 3 for token in content)
    joined = b"".join(bytes(token.bytes) for token in content)
    # A character that the last token left open is no text.
    assert joined.startswith(logs.choices[0].message.content.encode()), (joined, logs)

    parsed = client.chat.completions.parse(
        model=stories, messages=messages, response_format=Weather, max_tokens=200, temperature=2
    )
    assert isinstance(parsed.choices[0].message.parsed, Weather)
    bold = {"model": stories, "messages": messages, "max_tokens": 60, "temperature": 2}
    with client.chat.completions.stream(response_format=Weather, **bold) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        assert stream.get_final_completion().choices[0].message.parsed
        assert Weather.model_validate_json(text)

    legacy = client.completions.create(
        model=stories, prompt=["The cat", "A dog"], max_tokens=3, echo=True, logprobs=2, n=2
    )
    assert [choice.index for choice in legacy.choices] == [0, 1, 2, 3]
    starts = ["The cat"] * 2 + ["A dog"] * 2
    pairs = zip(legacy.choices, starts, strict=True)
    assert all(choice.text.startswith(start) for choice, start in pairs)
    first = legacy.choices[0].logprobs
    assert len(first.tokens) == len(first.token_logprobs) == len(first.text_offset)
    short = {"model": stories, "input": "The cat", "max_output_tokens": 5, "temperature": 0}
    answer = client.responses.create(**short)
    assert answer.output_text and 1 <= answer.usage.output_tokens <= 5
    kinds = [event.type for event in client.responses.create(**short, stream=True)]
    assert kinds[0] == "response.created" and kinds[-1] in (
        "response.completed", "response.incomplete",
    ), kinds  # fmt: skip
    made = client.embeddings.create(model=vectors, input=["one", "two"])
    plain = client.embeddings.create(model=vectors, input=["one"], encoding_format="float")
    close = zip(made.data[0].embedding, plain.data[0].embedding, strict=True)
    assert all(abs(a - b) < 1e-6 for a, b in close)
    errors(client, stories, messages)
    print("ok", openai.__version__)


def errors(client, stories, messages):
    for kind, fields in (
        (openai.NotFoundError, {"model": "none"}),
        (openai.BadRequestError, {"model": stories, "temperature": -1}),
        (openai.BadRequestError, {"model": stories, "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {}}}]}),
    ):  # fmt: skip
        try:
            client.chat.completions.create(messages=messages, **fields)
        except kind as error:
            assert error.body["message"], error
        else:
            raise AssertionError(fields)


main(*sys.argv[1:])
