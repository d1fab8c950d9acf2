"""Each verb against a stand-in for the API: what is passed on, what is printed."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import sparrowlm
from sparrowlm.cli.guard import run_guarded
from sparrowlm.cli.help_page import aligned_rows, wrap_cells
from sparrowlm.corpora.story_world import generate_stories
from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.interrupts import StoppedBySignal


@dataclass
class Next:
    word: str
    probability: float


class Model:
    """Answers like the real one, and remembers what it was asked."""

    kind = "mixture"

    def __init__(self):
        self.asked = {}

    def next(self, text, k=5):
        self.asked = {"text": text, "k": k}
        return [Next("人工智能", 0.5), Next("\n", 0.25), Next(" ", 0.1)][:k]

    def generate(self, prompt="", *, num_samples=1, **sampling):
        self.asked = {"prompt": prompt, "num_samples": num_samples, **sampling}
        return [f" 第{number}段" for number in range(num_samples)]

    def stream(self, prompt="", **sampling):
        self.asked = {"prompt": prompt, **sampling}
        yield from ("，", "明")

    def tokens(self, prompt="", likeliest=0, **sampling):
        self.asked = {"prompt": prompt, "likeliest": likeliest, **sampling}
        yield SimpleNamespace(record=lambda: {"id": 5, "text": "明"})

    def scored_tokens(self, text):
        yield SimpleNamespace(record=lambda: {"id": 6, "text": text})

    def score(self, text):
        self.asked = {"text": text}
        return SimpleNamespace(
            bits_per_character=2.0, nats_per_character=1.386, num_characters=len(text),
            num_tokens=3, perplexity_per_token=4.0,
        )  # fmt: skip

    def evaluate(self, paths, encoding=None):
        self.asked = {"paths": paths}
        return {"ngram": {"bits_per_character": 2.5}, "mixture": {"bits_per_character": 2.0}}

    def info(self):
        return {"kind": "mixture", "parameters": 1000, "data": {"characters": 5}}


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def api(model, monkeypatch):
    monkeypatch.setenv("SPARROW_LANG", "en")
    module = ModuleType("sparrowlm.api")
    module.loaded, module.trained = [], []
    module.Model = Model

    def load(directory):
        module.loaded.append(directory)
        return model

    def train(data, **settings):
        module.trained.append((data, settings))
        return model

    module.load, module.train = load, train
    monkeypatch.setitem(sys.modules, "sparrowlm.api", module)
    monkeypatch.setattr(sparrowlm, "api", module, raising=False)
    return module


def test_cli_next_prints_words_with_probabilities(api, model, capsys):
    assert run_guarded(["next", "my-model", "我是", "-k", "3"]) == 0
    assert capsys.readouterr().out == "  0.5000  人工智能\n  0.2500  \\n\n  0.1000  ␣\n"
    assert api.loaded == [Path("my-model")]
    assert model.asked == {"text": "我是", "k": 3}


def test_cli_next_as_json_is_a_list_best_first(api, capsys):
    assert run_guarded(["next", "my-model", "-我是", "--json"]) == 0
    output = capsys.readouterr().out
    assert "人工智能" in output
    assert json.loads(output)[:2] == [
        {"word": "人工智能", "probability": 0.5},
        {"word": "\n", "probability": 0.25},
    ]


def test_cli_generate_passes_every_setting_on(api, model, capsys, tmp_path):
    (tmp_path / "g.lark").write_bytes('start: "月"\r\n'.encode())
    words = [
        "generate", "m", "--prompt", "床前", "--max-tokens", "9", "--temperature", "0.5",
        "--top-k", "4", "--top-p", "0.9", "--min-p", "0.1", "--repetition-penalty", "1.2",
        "--stop", "。", "--stop", "！", "--seed", "7", "--num-samples", "2",
        "--choices", "月", "光", "--pattern", "月?", "--json-schema", '{"type": "null"}',
        "--grammar", str(tmp_path / "g.lark"),
    ]  # fmt: skip
    assert run_guarded(words) == 0
    assert capsys.readouterr().out == "床前 第0段\n\n床前 第1段\n"
    assert model.asked == {
        "prompt": "床前", "max_tokens": 9, "temperature": 0.5, "top_k": 4, "top_p": 0.9,
        "min_p": 0.1, "repetition_penalty": 1.2, "stop": ("。", "！"), "seed": 7, "num_samples": 2,
        "choices": ("月", "光"), "pattern": "月?", "json_schema": {"type": "null"},
        "grammar": 'start: "月"\n',
    }  # fmt: skip


def test_cli_generate_streams_when_asked(api, model, capsys):
    assert run_guarded(["generate", "m", "--prompt", "床前", "--stream"]) == 0
    assert capsys.readouterr().out == "床前，明\n"


def test_cli_generate_as_json(api, capsys):
    assert run_guarded(["generate", "m", "--prompt", "床前", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"prompt": "床前", "text": " 第0段"}]


def test_cli_generate_with_log_probabilities(api, model, capsys):
    for number, expected in (([], 0), (["0"], 0), (["1"], 1), (["5"], 5)):
        words = ["generate", "m", "--prompt", "床前", "--log-probabilities", *number]
        assert run_guarded([*words, "--seed", "3"]) == 0
        assert json.loads(capsys.readouterr().out) == {"id": 5, "text": "明"}
        assert (model.asked["likeliest"], model.asked["seed"]) == (expected, 3)
    assert run_guarded([*words, "--num-samples", "2"]) == 2
    assert "num_samples" in capsys.readouterr().err


def test_cli_score_with_log_probabilities(api, capsys, tmp_path):
    (tmp_path / "t.txt").write_text("猫", encoding="utf-8")
    words = ["score", "m", str(tmp_path / "t.txt"), "--json", "--log-probabilities"]
    assert run_guarded(words) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"id": 6, "text": "猫"}
    assert json.loads(second)["num_characters"] == 1


def test_cli_score_reads_the_file_exactly(api, model, capsys, tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes("，“好”\r\n\U00020000".encode())
    assert run_guarded(["score", "m", str(path), "--json"]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert {"bits_per_character", "nats_per_character"} <= set(fields)
    assert model.asked["text"] == "，“好”\r\n\U00020000"


@pytest.mark.parametrize("data", [None, b"\xff\xfe\x00"])
def test_cli_score_unreadable_file_is_one_sentence(api, capsys, tmp_path, data):
    path = tmp_path / "text.txt"
    if data is not None:
        path.write_bytes(data)
    assert run_guarded(["score", "m", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert str(path) in captured.err


def test_cli_evaluate_and_info_print_tables(api, model, capsys):
    assert run_guarded(["evaluate", "m", "a.txt", "b.txt"]) == 0
    assert "ngram:\n  bits_per_character: 2.5000\n" in capsys.readouterr().out
    assert model.asked == {"paths": [Path("a.txt"), Path("b.txt")]}
    assert run_guarded(["info", "m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "mixture"


def test_cli_train_passes_every_setting_on(api, capsys):
    words = [
        "train", "a.txt", "folder", "-", "-o", "out", "--size", "4MB", "--minutes", "90s",
        "--model", "lstm", "--tokenizer", "word", "--seed", "3", "--resume", "--from", "old",
        "--held-out", "h.txt", "--user-dictionary", "d.txt", "--encoding", "gbk", "--teacher",
        "big", "--replay", "old.csv", "--replay-share", "0.3", "--keep-answers", "--json",
    ]  # fmt: skip
    assert run_guarded(words) == 0
    ((data, settings),) = api.trained
    assert data == [Path("a.txt"), Path("folder"), Path("-")]
    progress = settings.pop("progress")
    assert hasattr(progress, "advance")
    assert settings == {
        "output": Path("out"), "size": "4MB", "minutes": 1.5, "steps": None, "model": "lstm",
        "tokenizer": "word", "seed": 3, "resume": True, "start_from": Path("old"),
        "held_out": Path("h.txt"), "user_dictionary": Path("d.txt"),
        "task": "auto", "text_field": None, "label_field": None, "unlabelled": None,
        "transfer": "full", "encoding": "gbk", "teacher": Path("big"), "replay": Path("old.csv"),
        "replay_share": 0.3, "keep_answers": True,
    }  # fmt: skip
    assert json.loads(capsys.readouterr().out)["directory"] == "out"


@pytest.mark.parametrize(
    ("raised", "exit_code", "word"),
    [
        (ModelError("foundation.file-missing", path="m", directory="d"), 1, "does not exist"),
        (StoppedBySignal(15, saved_to=Path("out")), 143, "--resume"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (MemoryError(), 1, "memory"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 1, "pip install torch"),
    ],
)
def test_cli_errors_become_one_sentence(api, monkeypatch, capsys, raised, exit_code, word):
    def fail(_directory):
        raise raised

    monkeypatch.setattr(api, "load", fail)
    assert run_guarded(["info", "m"]) == exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert word in captured.err


def test_cli_unexpected_error_goes_to_a_file(api, monkeypatch, capsys, tmp_path):
    def fail(_directory):
        raise ZeroDivisionError

    monkeypatch.setattr(api, "load", fail)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_guarded(["info", "m"]) == 1
    sentence = capsys.readouterr().err
    assert "Traceback" not in sentence
    (log,) = tmp_path.glob("sparrow-*.log")
    assert str(log) in sentence
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")
    monkeypatch.setenv("SPARROW_DEBUG", "1")
    assert run_guarded(["info", "m"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_cli_demo_trains_both_and_judges_them(api, model, monkeypatch, capsys, tmp_path):
    stories = generate_stories(8, "zh", 77)

    def generate(_prompt="", *, seed=0, num_samples=1, **_sampling):
        return [stories[(seed + number) % 8] for number in range(num_samples)]

    monkeypatch.setattr(model, "generate", generate)
    words = ["demo", "-o", str(tmp_path), "--num-stories", "40", "--num-samples", "6", "--json"]
    assert run_guarded(words) == 0
    reports = json.loads(capsys.readouterr().out)
    assert set(reports) == {"model", "ngram"}
    assert reports["model"]["valid_sentence_share"] == 1.0
    assert reports["model"]["valid_story_share"] == 1.0
    assert reports["model"]["copied_story_share"] == 0.0
    kinds = [settings.get("model", "auto") for _data, settings in api.trained]
    assert kinds == ["ngram", "auto"]
    assert len(api.trained[0][0]) == 40
    assert run_guarded(words[:-1]) == 0
    shown = capsys.readouterr().out
    assert "valid sentences" in shown
    assert "100.0%" in shown
    assert stories[0] in shown


def test_cli_columns_are_aligned_in_both_languages():
    from rich.cells import cell_len

    rows = [("train", "a b"), ("下一个", "中文" * 30), ("x" * 40, "long label")]
    lines = aligned_rows(rows, 62)  # 16 wide characters fit, so that lines begin with 中
    assert all(cell_len(line) <= 62 for line in lines)
    words = ("a b", "中文", "long")
    starts = {cell_len(x[: x.index(word)]) for x in lines for word in words if word in x}
    assert starts == {30}
    assert "".join(lines).replace(" ", "").count("中文") == 30


def test_cli_wrapping_keeps_punctuation_with_its_word():
    lines = wrap_cells("一二三四五，六七八九十。", 10)
    assert lines[0] == "一二三四"
    assert all(line[0] not in "，。" for line in lines)
    assert wrap_cells("", 10) == []
    assert wrap_cells("one two three", 7) == ["one two", "three"]
