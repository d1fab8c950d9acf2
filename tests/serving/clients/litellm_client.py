"""LiteLLM against a server: python litellm_client.py ADDRESS STORIES VECTORS."""

import os
import sys

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm


def main(address, stories, vectors):
    shared = {
        "model": f"openai/{stories}", "api_base": f"{address}/v1", "api_key": "any",
        "messages": [{"role": "user", "content": "The cat"}], "max_tokens": 8, "temperature": 0,
    }  # fmt: skip
    whole = litellm.completion(**shared)
    assert whole.usage.completion_tokens == 8
    chunks = litellm.completion(**shared, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content
    made = litellm.embedding(
        model=f"openai/{vectors}", input=["one"], api_base=f"{address}/v1", api_key="any"
    )
    assert made.data[0]["embedding"]
    broken = {"model_name": "m", "litellm_params": {
        "model": "openai/x", "api_base": "http://127.0.0.1:9/v1", "api_key": "any"}}  # fmt: skip
    sound = {"model_name": "sound", "litellm_params": {
        "model": shared["model"], "api_base": shared["api_base"], "api_key": "any"}}  # fmt: skip
    router = litellm.Router([broken, sound], fallbacks=[{"m": ["sound"]}], num_retries=0)
    answer = router.completion(model="m", messages=shared["messages"], max_tokens=3, temperature=0)
    assert answer.choices[0].message.content
    print("ok")


main(*sys.argv[1:])
