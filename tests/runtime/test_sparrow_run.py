"""sparrow-run, the program without Python: what it writes is what the house writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from gguf_models import (
    bytes_alone,
    gguf_mixture,
    gguf_model,
    gguf_ngram,
    gguf_recurrent,
    gguf_recurrent_mixture,
)
from small_models import small_codec, small_model
from sparrow_programs import PROGRAM, needs_program, run

from sparrowlm.export.gguf_model import export_gguf
from sparrowlm.export.gguf_tokens import token_settings
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.native_engine import kernel_names
from sparrowlm.runtime.sampling import SamplingSettings

pytestmark = needs_program


OTHERS = {
    "bytes alone": lambda path: gguf_model(path, codec=bytes_alone()),
    "mixture": gguf_mixture,
    "rnn": lambda path: gguf_recurrent(path, "rnn", "int4", "bpe"),
    "lstm": lambda path: gguf_recurrent(path, "lstm"),
    "lstm mixture": gguf_recurrent_mixture,
    "ngram": gguf_ngram,
    "ngram of words": lambda path: gguf_ngram(path, "word"),
}


@pytest.fixture(scope="module", params=["character", "bpe", "word", *OTHERS])
def model(request, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("run") / "模型.gguf"
    if request.param in OTHERS:
        return OTHERS[request.param](path)
    return gguf_model(path, codec=small_codec(request.param))


def as_the_house(path: Path, prompt: str, count: int, stop: tuple[str, ...] = (), **wishes) -> str:
    loaded = open_model(path)
    settings = DecodingSettings(sampling=SamplingSettings(**wishes), max_tokens=count, stop=stop)
    return "".join(Decoder(loaded.engine, loaded.codec).stream(prompt, settings))


def test_it_is_small_and_helps():
    assert Path(str(PROGRAM)).stat().st_size < 500_000
    assert "--max-tokens" in run("--help")
    assert "最多生成" in run("--help", SPARROW_LANG="zh")


@pytest.mark.parametrize("prompt", ["-n", "--help", "-", "--"])
def test_what_follows_two_dashes_is_text(model, prompt):
    expected = as_the_house(model, prompt, 10, seed=3, temperature=0.8)
    words = ("-n", "10", "-s", "3", "-t", "0.8")
    assert run(str(model), *words, "--", prompt) == expected + "\n"
    assert run(*words, "--", str(model), prompt) == expected + "\n"


@pytest.mark.parametrize("prompt", ["The cat", "人工", "", "the do"])
def test_it_continues_as_the_house_does(model, prompt):
    for seed in range(4):
        expected = as_the_house(model, prompt, 40, seed=seed, temperature=0.8)
        assert run(str(model), prompt, "-n", "40", "-s", str(seed), "-t", "0.8") == expected + "\n"
    wishes = {"top_k": 20, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.3}
    words = ["--top-k", "20", "--top-p", "0.9", "--min-p", "0.02", "--repetition-penalty", "1.3"]
    expected = as_the_house(model, prompt, 40, seed=9, temperature=1.0, **wishes)
    assert run(str(model), prompt, "-n", "40", "-s", "9", "-t", "1", *words) == expected + "\n"
    expected = as_the_house(model, prompt, 40, temperature=0)
    assert run(str(model), prompt, "-n", "40", "-t", "0") == expected + "\n"


def test_every_instruction_set_and_thread_count_writes_the_same(model):
    texts = {
        run(str(model), "The", "-n", "60", "-s", "1", "--kernels", name, "--threads", threads)
        for name in kernel_names()
        for threads in ("1", "2")
    }
    assert len(texts) == 1


def test_it_stops_before_a_stop_string(model):
    whole = as_the_house(model, "The", 60, seed=2, temperature=1.0)
    stop = whole[20:23]
    expected = as_the_house(model, "The", 60, stop=(stop,), seed=2, temperature=1.0)
    words = ["-n", "60", "-s", "2", "-t", "1", "--stop", stop, "--stop", "never to be seen"]
    assert run(str(model), "The", *words) == expected + "\n"
    assert stop not in expected


def test_the_prompt_may_come_from_standard_input(model):
    words = ["-n", "20", "-s", "3"]
    assert run(str(model), *words, given="猫 The") == run(str(model), "猫 The", *words)
    assert run(str(model), "-", *words, given="猫 The") == run(str(model), "猫 The", *words)


def test_a_long_prompt_rolls_through_the_window(model):
    prompt = "The cat sat on the mat. " * 40
    expected = as_the_house(model, prompt, 20, temperature=0)
    assert run(str(model), prompt, "-n", "20", "-t", "0") == expected + "\n"


def test_it_shows_ids_and_speed(model):
    ids = open_model(model).codec.encode("The cat，猫")
    assert run(str(model), "The cat，猫", "--ids").split() == list(map(str, ids))
    done = subprocess.run(
        [str(PROGRAM), str(model), "The", "-n", "5", "--speed"], capture_output=True, check=True
    )
    assert b"tokens written" in done.stderr


def test_the_self_test_finds_one_wrong_bit(tmp_path):
    # No filling in its tiles, so that every bit counts.
    model = gguf_model(tmp_path / "m.gguf", width=64, feed_forward_width=96)
    for name in kernel_names():
        assert "same" in run(str(model), "--self-test", "--kernels", name)
    content = bytearray(model.read_bytes())
    content[-5] ^= 1
    path = tmp_path / "wrong.gguf"
    path.write_bytes(content)
    assert "other numbers" in run(str(path), "--self-test", code=1)
    # Nobody has to ask for it: whatever opens the file finds it.
    assert "other numbers" in run(str(path), "x", code=1)
    with pytest.raises(DamagedFileError, match="other numbers"):
        open_model(path)


def test_the_self_test_is_there_for_every_kind(model):
    for name in kernel_names():
        assert "same" in run(str(model), "--self-test", "--kernels", name)


def test_kinds_that_run_in_python_only_are_named(tmp_path):
    path = tmp_path / "m.gguf"
    export_gguf(model_files(small_model(tmp_path / "m", "vectors")), path)
    assert "Python" in run(str(path), "The", code=1)


@pytest.mark.parametrize(
    "words",
    [[], ["m", "-n"], ["m", "-n", "x"], ["m", "--top-p", "2"], ["m", "--wrong", "1"],
     ["m", "a", "b"], ["m", "-s", "-1"], ["m", "a", "--kernels", "abacus"]],
)  # fmt: skip
def test_wrong_words_are_refused(words):
    assert run(*words, code=2)


def test_files_that_cannot_be_used_are_named(tmp_path):
    assert "nowhere" in run(str(tmp_path / "nowhere.gguf"), "x", code=1)
    (tmp_path / "odd.gguf").write_bytes(b"GGUF" + bytes(100))
    assert "version" in run(str(tmp_path / "odd.gguf"), "x", code=1)
    (tmp_path / "empty.gguf").write_bytes(b"")
    assert run(str(tmp_path / "empty.gguf"), "x", code=1)
    assert run(str(tmp_path), "x", code=1)
    assert "没有这个文件" in run("nowhere.gguf", "x", code=1, SPARROW_LANG="zh")


def test_files_that_list_no_merges_open(tmp_path, monkeypatch):
    """Older ones of byte pairs without any."""
    described = token_settings(bytes_alone())._replace(merges=[])
    monkeypatch.setattr("sparrowlm.export.gguf_file.token_settings", lambda _codec: described)
    path = gguf_model(tmp_path / "m.gguf", codec=bytes_alone())
    assert "tokenizer.ggml.merges" not in model_files(path).file.settings
    ids = open_model(path).codec.encode("the 猫")
    assert run(str(path), "the 猫", "--ids") == " ".join(map(str, ids)) + "\n"
