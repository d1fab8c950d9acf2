"""`sparrow cooperate`: from two models and labelled rows to a promise, a policy and a page."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from large_stand_in import StandIn

import sparrowlm as sp
from sparrowlm.api.model import Model
from sparrowlm.cooperation.cascade import Cascade
from sparrowlm.cooperation.policy import load_policy

WORDS = {"好评": ("干净", "满意", "喜欢", "温馨"), "差评": ("脏乱", "失望", "讨厌", "吵闹")}


def rows(count, seed, noise=0.02):
    """Short reviews; a few have the other label, and some say nothing."""
    drawn = random.Random(seed)
    found = []
    for number in range(count):
        label = drawn.choice(["好评", "差评"])
        word = drawn.choice(WORDS[label]) if drawn.random() < 0.8 else "一般"
        if drawn.random() < noise:
            label = "差评" if label == "好评" else "好评"
        found.append((f"房间{seed}{number}很{word}", label))
    return found


def write(path, several):
    lines = ["评论,情感", *(f"{text},{label}" for text, label in several)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    write(folder / "train.csv", rows(400, 1))
    sp.train(folder / "train.csv", output=folder / "model", model="linear")
    return folder / "model"


@pytest.fixture
def trained(model_path, tmp_path):
    """Return an empty directory with the model, its training data and fresh rows."""
    shutil.copytree(model_path, tmp_path / "model")
    write(tmp_path / "train.csv", rows(400, 1))
    write(tmp_path / "fresh.csv", rows(1200, 2))
    return tmp_path


def test_cooperate_from_rows_to_a_policy_that_answers(sparrow, trained):
    done = sparrow(
        "cooperate", "model", "--calibrate", "fresh.csv", "--max-error", "8%", "--large", "model",
        "-o", "policy.json", "--report", "page.html", "--json", "--cost-per-call", "0.5",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    promise = facts["promise"]
    assert promise["num_rows"] == 1000
    assert promise["bound"] <= 0.08
    assert 0.6 < promise["coverage"] < 0.95  # a fifth of the reviews says nothing
    assert facts["trade_off"]["average_gap_recovered"] is None  # the same model twice
    assert facts["trade_off"]["cost_per_1000_without"] == 500
    page = (trained / "page.html").read_text(encoding="utf-8")
    assert "独自回答" in page
    assert "by itself" in page
    assert page.count("<svg") >= 1
    assert "http://" not in page.replace("http://www.w3.org", "")
    model, policy = Model(trained / "model"), load_policy(trained / "policy.json")
    cascade = Cascade(model, policy)
    given = [(cascade.answer(text), label) for text, label in rows(600, 3, noise=0.0)]
    sure = [(found.answer == label) for found, label in given if found.is_sure]
    assert len(sure) > 300
    assert sum(sure) / len(sure) > 0.92
    assert not cascade.answer("房间很一般").is_sure


def test_cooperate_and_a_cascade_need_no_torch(sparrow, trained):
    done = sparrow(
        "cooperate", "model", "--calibrate", "fresh.csv", "--max-error", "8%", "-o", "policy.json",
        "--large", "model",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    code = """
import sys
from pathlib import Path
sys.modules["torch"] = None  # whoever imports it fails
from sparrowlm import cli
from sparrowlm.api.model import Model
from sparrowlm.cooperation.cascade import Cascade
from sparrowlm.cooperation.policy import load_policy
print(Cascade(Model(Path("model")), load_policy(Path("policy.json"))).answer("很满意").answer)
sys.argv = ["sparrow", "cooperate", "model", "--calibrate", "fresh.csv", "--max-error", "8%"]
cli.main()
"""
    run = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, encoding="utf-8",
        cwd=trained, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("好评\n")


def test_cooperate_in_plain_words(sparrow, trained):
    done = sparrow(
        "cooperate", "model", "--calibrate", "fresh.csv", "--max-error", "8%", "--per-label",
        language="zh",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "小模型独自回答" in lines[0]
    assert "8 %" in lines[0]
    assert "每个标签" in lines[0]
    assert any(line.strip().startswith("好评：回答") for line in lines)
    done = sparrow("cooperate", "model", "--calibrate", "fresh.csv", "--max-error", "0.08")
    assert "With 90 % confidence, at most 8 % of the answers it gives are wrong" in done.stdout


def test_cooperate_says_what_is_wrong(sparrow, trained):
    def failed(*arguments, code=1):
        done = sparrow("cooperate", "model", *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert not (trained / "policy.json").exists()
        return done.stderr

    write(trained / "few.csv", rows(40, 5))
    fresh = ("--calibrate", "fresh.csv")
    assert "at least 65 rows" in failed("--calibrate", "few.csv", "-o", "policy.json")
    assert "rows" in failed(*fresh, "--max-error", "0.1%", "-o", "policy.json")
    assert "--max-error" in failed(*fresh, "--max-error", "5", code=2)
    assert "--confidence" in failed(*fresh, "--confidence", "high", code=2)
    assert "--calibrate" in failed(code=2)
    assert "--large" in failed(*fresh, "--whole", code=2)
    both = ("--whole", "--per-label", "--large", "model")
    assert "--per-label" in failed(*fresh, *both, code=2)
    assert "127.0.0.1:9" in failed(*fresh, "--large", "http://127.0.0.1:9/v1")
    assert "none.csv" in failed("--calibrate", "none.csv")


def test_cooperate_tells_of_rows_that_were_trained_on(sparrow, trained):
    write(trained / "mixed.csv", rows(400, 1) + rows(800, 2))
    done = sparrow(
        "cooperate", "model", "--calibrate", "mixed.csv", "--trained-on", "train.csv",
        "--max-error", "8%", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "400 rows also stand in the training data" in done.stderr
    assert json.loads(done.stdout)["num_rows"] == 800
    done = sparrow("cooperate", "model", "--calibrate", "train.csv", "--max-error", "30%")
    assert "same name" in done.stderr


def test_cooperate_asks_an_address(sparrow, trained):
    def knows_the_words(body):
        text = body["messages"][-1]["content"]
        found = [label for label, words in WORDS.items() if any(word in text for word in words)]
        return json.dumps({"label": (found or ["好评"])[0]}, ensure_ascii=False)

    write(trained / "few.csv", rows(300, 4))
    with StandIn(answer=knows_the_words) as server:
        done = sparrow(
            "cooperate", "model", "--calibrate", "few.csv", "--max-error", "10%", "--json",
            "--large", server.url, "--cost-per-call", "0.01",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(server.bodies) == 1 + 300  # its models, then every row once
    trade = json.loads(done.stdout)["trade_off"]
    assert trade["large_accuracy"] > 0.85
    assert trade["cost_per_1000_without"] == pytest.approx(10)


def test_cooperate_keeps_within_caps_and_pays_no_answer_twice(sparrow, trained):
    def first_label(body):
        schema = body["response_format"]["json_schema"]["schema"]
        return json.dumps({"label": schema["properties"]["label"]["enum"][0]}, ensure_ascii=False)

    write(trained / "few.csv", rows(100, 4))
    dials = ("--calibrate", "few.csv", "--max-error", "20%", "--json", "--cache", "kept.sqlite")
    prices = ("--price-in", "2", "--price-out", "10")
    with StandIn(answer=first_label) as server:
        asked = ("cooperate", "model", *dials, *prices, "--large", server.url)
        poor = sparrow(*asked, "--max-calls", "60")
        assert poor.returncode == 1
        assert "60" in poor.stderr
        num_asked = len(server.bodies)
        done = sparrow(*asked, "--max-cost", "1")
        assert done.returncode == 0, done.stderr
        assert (num_asked, len(server.bodies)) == (1 + 60, 1 + 60 + 1 + 40)
        trade = json.loads(done.stdout)["trade_off"]
        assert 0.1 < trade["cost_per_1000_without"] < 10  # of the tokens that were counted
    alone = sparrow("cooperate", "model", "--calibrate", "few.csv", "--max-calls", "5")
    assert alone.returncode == 2
    assert "--large" in alone.stderr
    local = sparrow(
        "cooperate", "model", "--calibrate", "few.csv", "--large", "model", "--max-calls", "5"
    )
    assert local.returncode == 2
    assert "costs nothing" in local.stderr
