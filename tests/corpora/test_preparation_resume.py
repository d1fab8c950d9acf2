"""A preparation killed at any moment is finished by the next one, to the same bytes."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys, time
from pathlib import Path
from sparrowlm.corpora.preparation import prepare_corpus
from sparrowlm.corpora.settings import PreparationSettings
import rensa, tokenizers, rjieba
data, directory, tokenizer = sys.argv[1:]
print("ready", flush=True)
began = time.monotonic()
settings = PreparationSettings(tokenizer=tokenizer, memory_limit_documents=1000)
prepare_corpus([Path(data)], Path(directory), settings)
print(time.monotonic() - began, flush=True)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    words = [f"{a}{b}" for a in "春夏秋冬abcdefgh" for b in "山水风月uvwxyz"]
    for name in ("a.txt", "b.txt", "c.jsonl"):
        lines = (" ".join(generator.choice(words, size=20)) for _ in range(3_000))
        pattern = '{{"text": "{}"}}\n' if name.endswith("jsonl") else "{}\n"
        (directory / name).write_text("".join(map(pattern.format, lines)), "utf-8")
    return directory


def start(data, directory, tokenizer):
    command = [sys.executable, "-c", PROGRAM, str(data), str(directory), tokenizer]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(data, directory, tokenizer):
    with start(data, directory, tokenizer) as process:
        rest = process.stdout.read()
    assert process.returncode == 0
    return float(rest)


def digests(directory):
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(("tokenizer", "num_kills"), [("character", 7), ("bpe", 5)])
def test_preparation_killed_at_random_moments_ends_in_the_same_bytes(
    data, tmp_path, tokenizer, num_kills
):
    whole_seconds = finish(data, tmp_path / "whole", tokenizer)
    chance = random.Random(tokenizer)
    for _ in range(num_kills):
        with start(data, tmp_path / "killed", tokenizer) as process:
            time.sleep(chance.uniform(0, whole_seconds))
            process.kill()
    finish(data, tmp_path / "killed", tokenizer)
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")


def test_preparation_ctrl_c_ends_it_and_leaves_no_process(data, tmp_path):
    with start(data, tmp_path / "c", "character") as process:
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.wait(timeout=20)
    assert process.returncode != 0
    assert time.monotonic() - began < 5
