"""Evaluation on unseen texts: parts, figures, intervals, what can be read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from small_models import small_codec, small_model

from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.runtime.loading import open_model
from sparrowlm.tasks.complete.metric import BLOCK_TOKENS, BitsPerCharacter
from sparrowlm.tasks.complete.model import Completer
from sparrowlm.tasks.complete.task import CompleteTask, character_counts


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    return open_model(small_model(tmp_path_factory.mktemp("models") / "mixture", "mixture"))


@pytest.mark.parametrize(
    ("kind", "parts"),
    [("mixture", {"ngram", "neural", "mixture"}), ("ngram", {"ngram"}), ("lstm", {"neural"}),
     ("transformer", {"neural"}), ("vectors", {"vectors"})],
)  # fmt: skip
def test_complete_evaluates_every_part(tmp_path, kind, parts):
    path = tmp_path / "unseen.txt"
    path.write_text("The dog saw the bird. 我喜欢人工智能。\n", encoding="utf-8")
    model = open_model(small_model(tmp_path / "model", kind))
    table = CompleteTask(model).evaluate([path])
    assert set(table) == parts
    for figures in table.values():
        assert figures["num_characters"] == len(path.read_text("utf-8"))
        assert figures["num_documents"] == 1
        assert figures["interval_low"] <= figures["bits_per_character"] <= figures["interval_high"]


def test_complete_scores_as_it_evaluates(mixture, tmp_path):
    text = "The cat sat on the log, and 我是人工智能模型。"
    path = tmp_path / "unseen.txt"
    path.write_text(text, encoding="utf-8")
    score = Completer(mixture).score(text)
    figures = CompleteTask(mixture).evaluate([path])["mixture"]
    assert figures["bits_per_character"] == pytest.approx(score.bits_per_character, rel=1e-9)
    assert score.num_characters == len(text)
    assert score.nats_per_character == pytest.approx(score.bits_per_character * math.log(2))
    assert score.perplexity_per_token == pytest.approx(
        math.exp(score.total_nats / score.num_tokens)
    )


def test_complete_reads_folders_and_formats(mixture, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_bytes("我是人工智能。".encode("gb18030"))
    (folder / "b.jsonl").write_text('{"text": "The cat."}\n{"text": "The dog."}\n')
    (folder / "c.html").write_text("<html><body><p>The bird sang on the log.</p></body></html>")
    table = CompleteTask(mixture).evaluate([folder])
    assert table["mixture"]["num_documents"] == 4


def test_complete_refuses_what_holds_no_text(mixture, tmp_path):
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.txt"):
        CompleteTask(mixture).evaluate([tmp_path / "empty.txt"])
    with pytest.raises(DataError):
        CompleteTask(mixture).evaluate([tmp_path / "missing.txt"])
    with pytest.raises(DataError) as refused:
        Completer(mixture).score("")
    assert refused.value.code == "runtime.nothing-to-score"
    with pytest.raises(SettingError):
        Completer(mixture).next_words("The", 0)


def test_metric_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    covered = 0
    for _trial in range(300):
        metric = BitsPerCharacter()
        for _document in range(3):
            level = np.repeat(rng.normal(2.0, 0.3, 12), BLOCK_TOKENS)  # blocks differ
            metric.add(level + rng.exponential(0.1, len(level)) - 0.1, np.ones(len(level)))
        figures = metric.result()
        covered += figures["interval_low"] <= 2.0 / math.log(2) <= figures["interval_high"]
    assert 0.90 <= covered / 300 <= 0.99


def test_metric_of_one_block_claims_no_interval():
    metric = BitsPerCharacter()
    metric.add(np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    figures = metric.result()
    assert figures["nats_per_character"] == 1.0
    assert figures["interval_low"] == figures["interval_high"] == figures["bits_per_character"]


@pytest.mark.parametrize("tokenizer", ["character", "bpe", "word"])
def test_metric_counts_characters_as_python_does(tokenizer):
    codec = small_codec(tokenizer)
    counts_V = character_counts(codec)
    for text in ("The cat", "我是人工智能", "\U0001f600é\n", "ü漢𠀀"):
        assert counts_V[codec.encode(text)].sum() == len(text)
