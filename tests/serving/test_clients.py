"""The programs that people already have, as they are installed by `make test`, against a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from running_server import running

import sparrowlm as sp

_HERE = Path(__file__).parent
_CLIENTS = Path(os.environ.get("SPARROW_CLIENTS", _HERE.parents[1] / ".venv" / "clients"))


def _python(environment: str) -> Path:
    found = _CLIENTS / environment / "bin" / "python"
    if not found.exists():
        pytest.skip(f"{found} is not there: make test installs it")
    return found


def _run(command, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "PYTHONWARNINGS": "", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    ("environment", "script"),
    [
        ("earlier", "openai_python.py"),
        ("current", "openai_python.py"),
        ("current", "langchain_client.py"),
        ("current", "litellm_client.py"),
        ("current", "llm_client.py"),
    ],
)
def test_clients_in_python(server, environment, script):
    script_path = _HERE / "clients" / script
    said = _run([_python(environment), script_path, server.address, "quick", "vectors"])
    assert said.startswith("ok")
    if script == "openai_python.py":
        assert said.split()[1].startswith("2." if environment == "earlier" else "3.")


def test_clients_in_node(server):
    modules = _CLIENTS / "node" / "node_modules"
    if shutil.which("node") is None or not modules.exists():
        pytest.skip("node or its packages are not there: make test installs them with npm")
    said = _run(
        ["node", _HERE / "clients" / "openai_node.mjs", server.address, "quick", "vectors"],
        SPARROW_NODE_MODULES=str(modules),
    )
    assert said.splitlines() == ["openai ok", "ai ok"]


def test_curl(server):
    if shutil.which("curl") is None:
        pytest.skip("curl is not there")
    body = json.dumps({"model": "quick", "prompt": "The cat", "max_tokens": 5, "stream": True})
    said = _run(["curl", "-sS", "-N", f"{server.address}/v1/completions", "-d", body])
    assert said.rstrip().endswith("data: [DONE]")
    assert '"finish_reason"' in said


def test_lm_eval_finds_what_the_model_finds_itself(models, tmp_path):
    contexts = ["The cat sat on the ", "When the cat sat down, the dog ", "你好，我是", "A bird "]
    choices = ["mat", "log.", "人工智能", " sang, and", "dog ran"]
    rows = [
        {"context": context, "choices": choices, "answer": number % len(choices)}
        for number, context in enumerate(contexts * 5)
    ]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "rows.jsonl").write_text(content, encoding="utf-8")
    script = _HERE / "clients" / "lm_eval_client.py"
    python = _python("current")
    with running(f"quick={models['quick']}") as server:  # lm-eval names no model to the tokenizer
        _run([python, script, server.address, "quick", tmp_path])
    model = sp.load(models["quick"])
    samples = json.loads((tmp_path / "samples.json").read_text("utf-8"))
    num_right = 0
    assert len(samples) == len(rows)
    for sample in samples:
        own = [_log_likelihood(model, context, choice) for context, choice in sample["arguments"]]
        np.testing.assert_allclose(sample["logs"], own, atol=1e-4)
        answer = rows[contexts.index(sample["arguments"][0][0])]
        assert answer["choices"] == [choice for _context, choice in sample["arguments"]]
        num_right += sample["acc"]
    results = json.loads((tmp_path / "results.json").read_text("utf-8"))
    right = [
        int(np.argmax([_log_likelihood(model, row["context"], c) for c in choices]))
        == row["answer"]
        for row in rows
    ]
    assert results["sparrow_choice"]["acc,none"] == pytest.approx(np.mean(right))
    assert num_right == sum(right)


def _log_likelihood(model, context: str, choice: str) -> float:
    """Return what the model gives to a choice; spaces belong to what follows, as in lm-eval."""
    before = context.rstrip()
    whole = model.codec.encode(context + choice)
    losses = model.engine.surprisals(np.array([0, *whole]))
    return -float(losses[len(model.codec.encode(before)) :].sum())
