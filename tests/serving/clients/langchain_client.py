"""LangChain against a server: python langchain_client.py ADDRESS STORIES VECTORS."""

import sys

from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


class Weather(BaseModel):
    place: str
    degrees: int


def main(address, stories, vectors):
    shared = {"base_url": f"{address}/v1", "api_key": "any"}
    chat = ChatOpenAI(model=stories, max_tokens=8, temperature=0, **shared)
    whole = chat.invoke("The cat").content
    assert whole and "".join(chunk.content for chunk in chat.stream("The cat")) == whole
    bold = ChatOpenAI(model=stories, max_tokens=200, temperature=2, **shared)
    structured = bold.with_structured_output(Weather, method="json_schema")
    assert isinstance(structured.invoke("The cat"), Weather)
    embed = OpenAIEmbeddings(model=vectors, check_embedding_ctx_length=False, **shared)
    assert len(embed.embed_documents(["one", "two"])) == 2
    print("ok")


main(*sys.argv[1:])
