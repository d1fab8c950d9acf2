"""How surprising a text is, and what else was likely: sparrow-run says what the house says."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from gguf_models import (
    gguf_mixture,
    gguf_model,
    gguf_ngram,
    gguf_recurrent,
    gguf_recurrent_mixture,
)
from small_models import small_codec
from small_understanding import small_classifier
from sparrow_programs import needs_program, run

import sparrowlm as sp
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.scoring import document_ids

pytestmark = needs_program
MAKERS = {
    "character": gguf_model,
    "bpe": lambda path: gguf_model(path, codec=small_codec("bpe")),
    "word": lambda path: gguf_model(path, codec=small_codec("word")),
    "odd context": lambda path: gguf_model(path, "float32", context_tokens=7),
    "mixture": gguf_mixture,
    "rnn": lambda path: gguf_recurrent(path, "rnn", "float32", "bpe"),
    "lstm": lambda path: gguf_recurrent(path, "lstm"),
    "lstm mixture": gguf_recurrent_mixture,
    "ngram": gguf_ngram,
    "ngram of words": lambda path: gguf_ngram(path, "word"),
}
# Characters of one to four bytes, known and unknown; one token; longer than every window, and
# than what the recent text remembers.
TEXTS = [
    "The cat sat.",
    "我喜欢猫。人工智能",
    "😀𠮷\t\n\x01 ",
    "a",
    "the cat and the dog。猫" * 650,
]


@pytest.fixture(scope="module", params=MAKERS)
def model(request, tmp_path_factory) -> Path:
    return MAKERS[request.param](tmp_path_factory.mktemp("scored") / "m.gguf")


@pytest.fixture(scope="module")
def one_model(tmp_path_factory) -> Path:
    return gguf_model(tmp_path_factory.mktemp("scored") / "m.gguf")


@cache
def loaded(path: Path) -> sp.Model:
    return sp.load(path)


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_figures_as_in_the_house(model, text):
    expected = loaded(model).score(text)
    found = json.loads(run(str(model), "--score", given=text.encode()))
    assert found["num_characters"] == len(text) == expected.num_characters
    assert found["num_tokens"] == expected.num_tokens
    for name in ("bits_per_character", "nats_per_character", "perplexity_per_token"):
        assert found[name] == pytest.approx(getattr(expected, name), rel=2e-6), name
    if len(text) < 100:
        assert json.loads(run(str(model), text, "--score")) == found


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_surprisal_of_every_token(model, text):
    lines = run(str(model), "--score", "--log-probabilities", given=text.encode()).splitlines()
    opened = open_model(model)
    ids_T = document_ids(opened.codec, text)
    tokens = [json.loads(line) for line in lines[:-1]]
    assert [token["id"] for token in tokens] == ids_T[1:].tolist()
    found = [-token["log_probability"] for token in tokens]
    assert found == pytest.approx(opened.engine.surprisals(ids_T).tolist(), abs=2e-5)
    house = [token.record() for token in loaded(model).scored_tokens(text)]
    assert [(token["id"], token["text"]) for token in house] == [
        (token["id"], token["text"]) for token in tokens
    ]
    assert json.loads(lines[-1])["num_tokens"] == len(tokens)


def test_the_verb_prints_the_same(one_model, tmp_path):
    text = tmp_path / "t.txt"
    text.write_bytes("\ufeff我喜欢 the cat\n".encode())
    command = [sys.executable, "-m", "sparrowlm", "score", str(one_model), str(text), "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found = json.loads(run(str(one_model), "-", "--score", given=text.read_bytes()))
    assert list(found) == list(said)
    assert found == pytest.approx(said, rel=2e-6)


def test_what_cannot_be_scored(one_model, tmp_path):
    assert "the text is empty" in run(str(one_model), "", "--score", code=1)
    assert "the text is empty" in run(str(one_model), "--score", given=b"", code=1)
    assert "无法评分" in run(str(one_model), "", "--score", code=1, SPARROW_LANG="zh")
    words = [str(one_model), "The", "--score", "--log-probabilities", "5"]
    assert "alone" in run(*words, code=2)
    task = small_classifier(tmp_path / "c.gguf")
    assert "does not complete texts" in run(str(task), "a text", "--score", code=1)


def test_bytes_that_are_no_text_count_for_themselves(model):
    given = b"the \xff\xe7\x8c cat"
    found = json.loads(run(str(model), "--score", given=given))
    assert found["num_characters"] == 11
    opened = open_model(model)
    if opened.codec.kind != "character":
        return
    codec = opened.codec
    by_piece = {codec.token_bytes(i): i for i in range(codec.vocab_size)}
    broken = [by_piece[bytes([byte])] for byte in b"\xff\xe7\x8c"]
    ids = [0, *codec.encode("the "), *broken, *codec.encode(" cat")]
    expected = float(opened.engine.surprisals(np.array(ids, dtype=np.int32)).sum())
    assert found["nats_per_character"] * 11 == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("form", [{}, {"pattern": "[a-c猫]{5,30}"}, {"stop": ["a"]}])
def test_the_likeliest_tokens_before_controls(model, form):
    house = list(
        loaded(model).tokens(
            "The c", likeliest=5, seed=4, temperature=0.7, top_k=3, max_tokens=12, **form
        )
    )
    words = ["The c", "-n", "12", "-s", "4", "-t", "0.7", "--top-k", "3"]
    for name, value in form.items():
        words += [f"--{name}", value if isinstance(value, str) else value[0]]
    lines = run(str(model), *words, "--log-probabilities", "5").splitlines()
    found = [json.loads(line) for line in lines]
    assert len(found) == len(house) > 0
    for line, token in zip(found, house, strict=True):
        same(line, token.record())
    alone = run(str(model), *words, "--log-probabilities").splitlines()
    assert [json.loads(line) for line in alone] == [
        {name: value for name, value in line.items() if name != "likeliest"} for line in found
    ]


def same(found: dict, expected: dict) -> None:
    """Compare two records; what is equally likely but for rounding may change places."""
    assert list(found) == list(expected)
    assert found.get("id") == expected.get("id") and found["text"] == expected["text"]
    if "id" in found:
        assert found["log_probability"] == pytest.approx(expected["log_probability"], abs=2e-5)
    for one, other in zip(found.get("likeliest", []), expected.get("likeliest", []), strict=True):
        assert one["log_probability"] == pytest.approx(other["log_probability"], abs=2e-5)
        is_tie = one["log_probability"] == pytest.approx(other["log_probability"], abs=2e-6)
        assert is_tie or (one["id"], one["text"]) == (other["id"], other["text"])


def test_only_a_number_belongs_to_the_option(one_model):
    words = [str(one_model), "-n", "1", "-t", "0", "--log-probabilities"]
    with_two = json.loads(run(*words, "2", "The"))
    assert len(with_two["likeliest"]) == 2
    assert with_two == json.loads(run(*words, "2", given=b"The"))
    assert "likeliest" not in json.loads(run(*words, "2 cats"))
    assert "not understood" in run(*words, "400000", "The", code=2)
