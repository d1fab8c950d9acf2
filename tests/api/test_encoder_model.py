"""An encoder from a person's own text: it fills gaps, makes vectors, loads in transformers."""

from __future__ import annotations

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.api import compressing
from sparrowlm.api.compressing import compress
from sparrowlm.foundation.errors import DataError, ModelError, SettingError
from sparrowlm.foundation.native_part import native_part

VERSES = ("床前明月光，疑是地上霜。", "举头望明月，低头思故乡。", "春眠不觉晓，处处闻啼鸟。")
# Every line another one: copies would be dropped.
LINES = [f"{VERSES[i % 3]}{i}{VERSES[i * i % 3]}" for i in range(180)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    (folder / "poems.txt").write_text("\n\n".join(LINES), encoding="utf-8")
    sp.train(folder / "poems.txt", output=folder / "model", model="encoder", steps=120)
    return folder


@pytest.fixture
def model(home):
    return sp.load(home / "model")


def test_it_fills_gaps(model):
    assert model.kind == "encoder"
    (gap,) = model.fill("床前明[MASK]光", k=3)
    assert gap[0].piece == "月"
    assert len(gap) == 3
    assert 0 < sum(filling.probability for filling in gap) <= 1.0001
    assert [gap[0].piece for gap in model.fill("举头望[MASK][MASK]，低头")] == ["明", "月"]


def test_it_makes_vectors(model):
    vectors = model.embed(["床前明月光", "床前明月光", "春眠不觉晓", "", "🙂\ud800"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] == pytest.approx(1, abs=1e-5)
    assert vectors[0] @ vectors[2] < 0.999
    assert model.embed("床").shape == (1, vectors.shape[1])
    assert model.embed([]).shape == (0, vectors.shape[1])


def test_mistakes_get_one_sentence(model):
    with pytest.raises(DataError, match="MASK"):
        model.fill("床前明月光")
    with pytest.raises(DataError, match="128"):
        model.fill("月" * 500 + "[MASK]")
    with pytest.raises(SettingError):
        model.fill("[MASK]", k=0)
    with pytest.raises(ModelError, match="encoder"):
        model.predict("床")
    with pytest.raises(ModelError, match="encoder"):
        model.next("床")


def test_models_without_an_encoder_say_so(tmp_path):
    writer = sp.train(["床前明月光。" * 20], output=tmp_path / "m", model="ngram")
    for call in (writer.fill, writer.embed):
        with pytest.raises(ModelError, match="ngram"):
            call("床[MASK]")


def test_its_directory(home, model):
    directory = home / "model"
    facts = model.info()
    assert facts["neural"] == "encoder"
    assert facts["measured"]["steps"] == 120
    card = (directory / "README.md").read_text("utf-8")
    assert "fill" in card
    assert "编码器" in card


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
def test_it_becomes_small_and_fills_the_same_gaps(home, model, tmp_path, monkeypatch):
    monkeypatch.setattr(compressing, "bench_apart", lambda path: {"texts_per_second": 1.0})
    facts = compress(home / "model", tmp_path / "s.gguf", max_loss="5%", on=[home / "poems.txt"])
    assert facts["bytes"] < facts["bytes_before"] / 2
    assert facts["loss_share"] <= 0.05
    before, after = (facts[when]["bits_per_gap"] for when in ("before", "after"))
    assert after / before - 1 == pytest.approx(facts["loss_share"])
    small = sp.load(tmp_path / "s.gguf")
    for verse in VERSES:
        gap = verse[:2] + "[MASK]" + verse[3:]
        assert small.fill(gap, k=1)[0][0].piece == model.fill(gap, k=1)[0][0].piece
    whole, other = (one.embed(VERSES) for one in (model, small))
    assert (whole * other).sum(axis=1).min() > 0.98
    with pytest.raises(DataError, match="--on"):
        compress(home / "model", tmp_path / "s.gguf")
