"""Training as a person does it: from text to a model that answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.foundation.errors import DataError, ModelError, SettingError

ROOT = Path(__file__).parents[2]
ARTICLE = ["你好，我是人工智能模型。", "我喜欢学习新技术。", "人工智能将改变世界。"]
ENGLISH = "the cat sat on the mat. the dog sat on the log. a bird sang in the tree. " * 80


@pytest.mark.parametrize("kind", ["ngram", "rnn", "lstm", "transformer", "mixture", "auto"])
def test_train_the_articles_sample_in_one_line(tmp_path, kind):
    model = sp.train(ARTICLE, output=tmp_path / "model", model=kind, steps=300)
    best = model.next("我是", k=3)[0]
    assert best.word == "人工智能"
    assert best.probability > 0.5
    again = sp.load(tmp_path / "model").next("我是", k=3)[0]
    assert again.probability == pytest.approx(best.probability)


@pytest.mark.parametrize("kind", ["ngram", "lstm", "transformer", "auto"])
def test_train_then_generate_score_evaluate(tmp_path, kind):
    text = tmp_path / "text.txt"
    text.write_text(ENGLISH, encoding="utf-8")
    model = sp.train(text, output=tmp_path / "model", model=kind, steps=150)
    assert model.generate("the cat", seed=1) == model.generate("the cat", seed=1)
    known = model.score("the dog sat on the mat.").bits_per_character
    assert known < model.score("zq xv jk qqz wvx.").bits_per_character
    assert (
        "".join(model.stream("the", seed=3, max_tokens=30))
        == model.generate("the", seed=3, max_tokens=30)[0]
    )
    figures = model.evaluate([text])
    assert all(part["bits_per_character"] > 0 for part in figures.values())
    facts = model.info()
    json.dumps(facts)
    assert facts["kind"] in ("ngram", "lstm", "transformer", "mixture")


def test_train_writes_plan_card_and_report(tmp_path):
    model_path = tmp_path / "model"
    sp.train([ENGLISH], output=model_path, steps=60)
    manifest = json.loads((model_path / "sparrow.json").read_text(encoding="utf-8"))
    assert manifest["plan"]["num_parameters"] > 0
    assert manifest["measured"]["bits_per_character"]["ngram"] > 0
    assert manifest["curve"]
    assert "<svg" in (model_path / "report.html").read_text(encoding="utf-8")
    assert (model_path / "README.md").read_text(encoding="utf-8").startswith("---\n")
    assert not (model_path / ".training").exists()


def test_train_keeps_the_size(tmp_path):
    text = "".join(chr(0x4E00 + i % 900) + ("，" if i % 7 == 0 else "") for i in range(60_000))
    model_path = tmp_path / "model"
    sp.train([text], output=model_path, steps=5, size="600kB", model="mixture")
    manifest = json.loads((model_path / "sparrow.json").read_text(encoding="utf-8"))
    assert sum(entry["bytes"] for entry in manifest["files"].values()) <= 600_000


def test_train_same_seed_same_files(tmp_path):
    sums = []
    for name in ("one", "two"):
        sp.train([ENGLISH], output=tmp_path / name, steps=30, seed=5)
        manifest = json.loads((tmp_path / name / "sparrow.json").read_text(encoding="utf-8"))
        sums.append(manifest["files"])
    assert sums[0] == sums[1]


def test_train_resume_of_a_finished_model_changes_nothing(tmp_path):
    sp.train([ENGLISH], output=tmp_path / "m", steps=20, resume=True)
    before = (tmp_path / "m" / "sparrow.json").read_bytes()
    sp.train([ENGLISH], output=tmp_path / "m", steps=20, resume=True)
    assert (tmp_path / "m" / "sparrow.json").read_bytes() == before


def test_train_from_an_earlier_model(tmp_path):
    sp.train([ENGLISH], output=tmp_path / "first", steps=60, model="transformer")
    other = ENGLISH.replace("cat", "cow")
    model = sp.train(
        [other], output=tmp_path / "second", steps=20, model="transformer",
        start_from=tmp_path / "first",
    )  # fmt: skip
    fresh = sp.train([other], output=tmp_path / "third", steps=20, model="transformer")
    assert model.score(other).bits_per_character < fresh.score(other).bits_per_character
    with pytest.raises(ModelError):
        sp.train([other], output=tmp_path / "x", steps=5, start_from=tmp_path / "nothing")


def test_train_own_held_out_text(tmp_path):
    held_out = tmp_path / "held.txt"
    held_out.write_text("the dog sang on the log in the mat. " * 20, encoding="utf-8")
    model = sp.train([ENGLISH], output=tmp_path / "m", steps=20, held_out=held_out)
    assert model.info()["measured"]["bits_per_character"]


@pytest.mark.parametrize(
    "text",
    ["x", "好", "one line without an end", "a\n" * 3, "\n".join(["the same line"] * 500), "🦜"],
    ids=["letter", "han", "line", "letters", "duplicates", "emoji"],
)
def test_train_tiny_texts_just_work(tmp_path, text):
    path = tmp_path / "tiny.txt"
    path.write_text(text, encoding="utf-8")
    model = sp.train(path, output=tmp_path / "model", steps=10)
    assert model.score(text).bits_per_character >= 0
    assert isinstance(model.generate("", max_tokens=5, seed=0)[0], str)
    model.next(text[:1], k=2)


@pytest.mark.parametrize(
    "content", [b"", b"   \n\n", bytes(range(256)) * 40, b"\x89PNG\r\n\x1a\n" + bytes(500)],
    ids=["empty", "blank", "binary", "png"],
)  # fmt: skip
def test_train_what_is_no_text_is_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / "data.txt"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        sp.train(path, output=tmp_path / "model", steps=5)
    for language in ("en", "zh"):
        assert "\n" not in caught.value.sentence(language)
    assert not (tmp_path / "model" / "sparrow.json").exists()


@pytest.mark.parametrize(
    "dials",
    [
        {"model": "gpt"}, {"tokenizer": "x"}, {"minutes": -1.0}, {"minutes": 1.0, "steps": 1},
        {"steps": 0}, {"size": "4"}, {"size": "1kB", "steps": 2}, {"seed": -1, "steps": 2},
    ],
)  # fmt: skip
def test_train_wrong_dials_are_refused(tmp_path, dials):
    with pytest.raises(SettingError):
        sp.train([ENGLISH], output=tmp_path / "model", **dials)


def test_train_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError):
        sp.train(tmp_path / "nothing.txt", output=tmp_path / "model", steps=1)


def start(model_path: Path, text: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sparrowlm", "train", str(text), "-o", str(model_path)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SPARROW_LANG": "en"}
    return subprocess.Popen(
        [*command, "--resume", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        cwd=ROOT, env=environment,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mixture", "lstm"])
def test_train_killed_at_random_moments_ends_with_the_same_bytes(tmp_path, kind):
    text = tmp_path / "text.txt"
    text.write_text(ENGLISH * 3, encoding="utf-8")
    words = ("--model", kind, "--steps", "120", "--seed", "3")
    whole = start(tmp_path / "whole", text, *words)
    assert whole.wait(timeout=200) == 0, whole.stderr.read()
    whole.communicate()
    random = np.random.default_rng(4)
    for _kill in range(4):
        process = start(tmp_path / "killed", text, *words)
        time.sleep(float(random.uniform(0.5, 6.0)))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = start(tmp_path / "killed", text, *words)
    assert last.wait(timeout=200) == 0, last.stderr.read()
    last.communicate()
    files = [
        json.loads((tmp_path / name / "sparrow.json").read_text(encoding="utf-8"))["files"]
        for name in ("whole", "killed")
    ]
    assert files[0] == files[1]


@pytest.mark.slow
def test_train_ctrl_c_saves_and_says_how_to_go_on(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(ENGLISH * 3, encoding="utf-8")
    process = start(tmp_path / "m", text, "--model", "transformer", "--steps", "100000")
    deadline = time.monotonic() + 100
    while not list((tmp_path / "m").glob(".training/plan.json")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in errors.decode("utf-8")
    assert list((tmp_path / "m").glob(".training/network/*.checkpoint"))


@pytest.mark.slow
def test_train_keeps_the_minutes(tmp_path):
    began = time.monotonic()
    sp.train([ENGLISH * 20], output=tmp_path / "m", minutes=0.4)
    assert time.monotonic() - began < 40


def test_recent_text_gain_sees_names_that_come_again():
    from sparrowlm.api.mixture_stage import recent_text_gain
    from sparrowlm.models.ngram import train_ngram

    chance = np.random.default_rng(0)
    ngram = train_ngram(chance.integers(1, 200, 20_000), 200, order=2)
    again_T = np.concatenate([[0], np.tile(chance.integers(1, 200, 300), 20)])
    never_T = np.concatenate([[0], chance.integers(1, 200, 6_000)])
    assert recent_text_gain(ngram, again_T) > 0.5
    assert 0 <= recent_text_gain(ngram, never_T) < 0.02
