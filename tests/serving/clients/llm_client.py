"""llm (the command) against a server: python llm_client.py ADDRESS STORIES VECTORS."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def main(address, stories, _vectors):
    with tempfile.TemporaryDirectory() as folder:
        models = f"- model_id: sparrow\n  model_name: {stories}\n  api_base: {address}/v1\n"
        Path(folder, "extra-openai-models.yaml").write_text(models, encoding="utf-8")
        environment = {**os.environ, "LLM_USER_PATH": folder, "OPENAI_API_KEY": "any"}
        command = [str(Path(sys.executable).with_name("llm")), "-m", "sparrow", "-o",
                   "max_tokens", "8", "-o", "temperature", "0", "The cat"]  # fmt: skip
        texts = [
            subprocess.run(
                [*command, *extra], env=environment, check=True, capture_output=True, text=True
            ).stdout.strip()
            for extra in ([], ["--no-stream"])
        ]
    assert texts[0] and texts[0] == texts[1], texts
    print("ok")


main(*sys.argv[1:])
