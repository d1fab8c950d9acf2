"""The whole process, as a person meets it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

VERBS = ("train", "next", "generate", "score", "evaluate", "info", "doctor", "demo")
HEAVY = ("torch", "pyarrow", "transformers", "tokenizers", "numpy", "rjieba", "opencc", "ftfy")


def test_cli_help_names_every_verb(sparrow):
    done = sparrow("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for verb in VERBS:
        assert f"  {verb} " in done.stdout
    assert "sparrow demo" in done.stdout


def test_cli_without_words_shows_help(sparrow):
    assert sparrow().stdout == sparrow("--help").stdout


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_cli_verb_help_teaches_by_example(sparrow, verb, language):
    done = sparrow(verb, "--help", language=language)
    assert done.returncode == 0
    assert done.stdout.count(f"sparrow {verb}") >= 2  # usage and an example
    assert ("例子" if language == "zh" else "Example") in done.stdout
    assert "--json" in done.stdout


def test_cli_speaks_the_language_of_the_locale(sparrow):
    assert "用法" in sparrow("--help", language="", LC_ALL="zh_CN.UTF-8").stdout
    assert "Usage" in sparrow("--help", language="", LC_ALL="C").stdout


def test_cli_chinese_help_has_no_english_labels(sparrow):
    page = sparrow("train", "--help", language="zh").stdout
    for label in ("Usage", "Parameters", "required", "default", "Commands", "One of"):
        assert label not in page


def test_cli_help_is_quick(sparrow):
    shortest = min(_seconds(lambda: sparrow("--help")) for _attempt in range(7))
    # 0.3 s is the promise; the best of seven tells it from a busy machine.
    assert shortest <= 0.3


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["doctor", "--help"]])
def test_cli_help_imports_nothing_heavy(words):
    program = (
        "import sys\n"
        "from sparrowlm.cli.guard import run_guarded\n"
        f"run_guarded({words!r})\n"
        "sys.stderr.write(' '.join(sys.modules))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", cwd=root, check=True
    )
    assert not set(HEAVY) & set(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian"], "train"),
        (["next"], "MODEL"),
        (["next", "model"], "TEXT"),
        (["next", "model", "text", "--jsn"], "--json"),
        (["next", "model", "text", "more"], "more"),
        (["next", "model", "text", "-k", "many"], "'many'"),
        (["next", "model", "text", "-k", "0"], "-k"),
        (["train", "x"], "--output"),
        (["train", "-o", "d"], "sparrow train"),
        (["train", "x", "-o", "d", "--model", "gpt"], "'gpt'"),
        (["train", "x", "-o", "d", "--steps", "0"], "--steps"),
        (["train", "x", "-o", "d", "--minutes", "5", "--steps", "9"], "--minutes"),
        (["demo", "--num-stories", "0"], "--num-stories"),
        (["demo", "--language", "fr"], "'fr'"),
    ],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_cli_wrong_usage_is_one_sentence_and_exit_code_two(sparrow, words, expected, language):
    done = sparrow(*words, language=language)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert expected in done.stderr
    assert any("一" <= c <= "鿿" for c in done.stderr) == (language == "zh")


def test_cli_output_is_utf8_in_any_locale(sparrow):
    done = sparrow("--help", language="zh", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 0
    assert "小型语言模型" in done.stdout


def test_cli_closed_pipe_is_quiet(tmp_path):
    root = Path(__file__).parents[2]
    program = (
        "import sys\n"
        "from sparrowlm.cli import output\n"
        "from sparrowlm.cli import guard\n"
        "def talk(_arguments):\n"
        "    for _line in range(100000):\n"
        "        output.write_line('word')\n"
        "    return 0\n"
        "guard._run = talk\n"
        "sys.exit(guard.run_guarded(['x']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root
    )
    assert process.stdout.readline() == b"word\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 0


def test_cli_doctor_reports_as_json(sparrow):
    done = sparrow("doctor", "--json")
    findings = json.loads(done.stdout)
    checks = {finding["check"]: finding for finding in findings}
    assert {"python", "torch", "native", "font", "precision", "memory", "disk", "encoding",
            "terminal", "packages"} == set(checks)  # fmt: skip
    has_problem = any(finding["status"] == "problem" for finding in findings)
    assert done.returncode == (1 if has_problem else 0)
    for finding in findings:
        assert finding["what"]
        assert bool(finding["advice"]) == (finding["status"] != "ok")


def test_cli_doctor_speaks_chinese(sparrow):
    assert "内存" in sparrow("doctor", language="zh").stdout


needs_api = pytest.mark.skipif(
    importlib.util.find_spec("sparrowlm.api") is None, reason="sparrowlm.api is not written yet"
)


@needs_api
@pytest.mark.parametrize("verb", ["info", "next", "generate", "score"])
def test_cli_missing_model_is_one_sentence(sparrow, tmp_path, verb):
    text = tmp_path / "text.txt"
    text.write_text("hello", encoding="utf-8")
    words = {"next": ["text"], "score": [str(text)]}.get(verb, [])
    done = sparrow(verb, "no-such-model", *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no-such-model" in done.stderr
    assert "Traceback" not in done.stderr


@needs_api
def test_cli_train_then_use_without_torch(sparrow, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat. the dog sat on the log. " * 60, encoding="utf-8")
    done = sparrow("train", str(text), "-o", "model", "--model", "ngram", "--json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    words = json.loads(sparrow("next", "model", "the cat", "--json").stdout)
    probabilities = [word["probability"] for word in words]
    assert probabilities == sorted(probabilities, reverse=True)
    score = json.loads(sparrow("score", "model", str(text), "--json").stdout)
    assert score["bits_per_character"] > 0
    samples = json.loads(
        sparrow("generate", "model", "--prompt", "the", "--seed", "1", "--json").stdout
    )
    assert samples[0]["prompt"] == "the"
    assert json.loads(sparrow("info", "model", "--json").stdout)


def test_cli_ctrl_c_is_one_sentence(tmp_path):
    root = Path(__file__).parents[2]
    program = (
        "import sys, time\n"
        "from sparrowlm.cli import guard\n"
        "def wait(_arguments):\n"
        "    sys.stdout.write('ready\\n'); sys.stdout.flush()\n"
        "    time.sleep(60)\n"
        "guard._run = wait\n"
        "sys.exit(guard.run_guarded(['x']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root,
        env=os.environ | {"SPARROW_LANG": "en"},
    )  # fmt: skip
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b"Interrupted.\n"


def _seconds(call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
