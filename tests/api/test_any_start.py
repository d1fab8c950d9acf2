"""`--from` any model: what an encoder takes from an encoder, a language model, word vectors."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.api.encoder_start import as_wide_as, encoder_start
from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.runtime.directory import VECTORS_FILE, ModelDirectory
from sparrowlm.runtime.encoder_files import as_stored, encoder_tensors
from sparrowlm.text.tokenizers import load_tokenizer

WORDS = {"好评": ("干净", "满意", "喜欢"), "差评": ("脏乱", "失望", "讨厌")}
KINDS = ("transformer", "mixture", "lstm", "rnn", "vectors", "ngram")


class Notes(SilentProgress):
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("starts")
    rows = [
        {"text": f"第{number}间房{word}得很", "label": label}
        for number in range(20)
        for label, words in WORDS.items()
        for word in words
    ]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (folder / "labelled.jsonl").write_text(lines, encoding="utf-8")
    (folder / "text.txt").write_text("\n\n".join(row["text"] for row in rows), encoding="utf-8")
    options = {"tokenizer": "character"}
    for kind in (*KINDS, "encoder"):
        steps = {} if kind == "ngram" else {"steps": 2}
        sp.train(folder / "text.txt", output=folder / kind, model=kind, **steps, **options)
    return folder


def classifier(home, output, start, notes=None):
    return sp.train(
        home / "labelled.jsonl", output=output, model="encoder", steps=1,
        start_from=home / start, progress=notes,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_begins_with_any_model(home, tmp_path, kind):
    notes = Notes()
    model = classifier(home, tmp_path / "m", kind, notes)
    assert set(model.predict(["房间干净"])[0].probabilities) == {"好评", "差评"}
    theirs, ours = load_tokenizer(home / kind), load_tokenizer(tmp_path / "m")
    assert theirs.encode("第3间房") == ours.encode("第3间房")
    said = [line for line in notes.lines if str(home / kind) in line]
    if kind in ("transformer", "mixture"):
        assert not said
    else:
        assert ("word vectors" in said[0]) == (kind != "ngram")


@pytest.mark.parametrize("kind", ["transformer", "mixture"])
def test_an_encoder_has_the_weights_of_the_decoder_it_began_with(home, tmp_path, kind):
    start = encoder_start(home / kind)
    config = json.loads((home / kind / "config.json").read_bytes())
    shape = start.size.shape(config["vocab_size"])
    assert (shape.width, shape.num_layers) == (config["hidden_size"], config["num_hidden_layers"])
    assert not shape.is_causal
    model = sp.train(
        home / "text.txt", output=tmp_path / "e", model="encoder", steps=1, start_from=home / kind
    )
    assert model.fill("第3间[MASK]", k=1)
    ours = encoder_tensors(ModelDirectory(tmp_path / "e"))
    for name, tensor in start.tensors.items():
        # One step at the least rate: nearly the same, and nothing like a new one.
        assert np.abs(ours[name] - tensor).max() < 0.02, name
    assert any(name.startswith("ngrams.") for name in ours)
    assert not any(name.startswith("ngrams.") for name in start.tensors)


def test_an_encoder_goes_on_reading(home, tmp_path):
    for options in ({"model": "encoder"}, {}):
        sp.train(
            home / "text.txt", output=tmp_path / "e", steps=1, task="complete",
            start_from=home / "encoder", **options,
        )  # fmt: skip
        assert sp.load(tmp_path / "e").kind == "encoder"
        before = encoder_tensors(ModelDirectory(home / "encoder"))
        after = encoder_tensors(ModelDirectory(tmp_path / "e"))
        far = {name: float(np.abs(after[name] - before[name]).max()) for name in before}
        assert 0 < max(far.values()) < 0.02
        facts = sp.load(tmp_path / "e").info()
        assert facts["recipe"]["from"] == str(home / "encoder")


@pytest.mark.parametrize("is_of_a_task", [False, True])
def test_a_decoder_begins_with_an_encoder(home, tmp_path, is_of_a_task):
    if is_of_a_task:
        classifier(home, tmp_path / "c", "encoder")
    model = sp.train(
        home / "text.txt", output=tmp_path / "d", steps=1, model="transformer",
        start_from=tmp_path / "c" if is_of_a_task else home / "encoder",
    )  # fmt: skip
    assert model.kind == "transformer"
    assert json.loads((tmp_path / "d" / "config.json").read_bytes()).get("is_causal", True)
    assert model.generate("第", max_tokens=4, seed=0)[0]


@pytest.mark.parametrize("width", [3, 8, 20])
def test_vectors_of_another_width_keep_their_products(width):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(30, 4)).astype(np.float32) @ random.normal(size=(4, width))
    vectors = vectors.astype(np.float32)
    fitted = as_wide_as(vectors, 8)
    assert fitted.shape == (30, 8)
    assert float(np.sqrt(np.mean(fitted**2))) == pytest.approx(0.2, abs=1e-5)
    ours, theirs = fitted @ fitted.T, vectors @ vectors.T
    scale = np.abs(theirs).max() / np.abs(ours).max()
    np.testing.assert_allclose(ours * scale, theirs, atol=1e-3 * np.abs(theirs).max())


def test_word_vectors_of_words_stay_alike(home):
    start = encoder_start(home / "vectors")
    own = WordVectors.load(home / "vectors" / VECTORS_FILE).vectors_VD
    (embedding,) = start.tensors.values()
    assert len(embedding) == len(own)
    assert not as_wide_as(np.zeros((3, 5), dtype=np.float32), 8).any()


def test_a_task_without_a_network_has_nothing_to_begin_with(home, tmp_path):
    sp.train(home / "labelled.jsonl", output=tmp_path / "linear", model="linear")
    with pytest.raises(ModelError, match="no network to go on from"):
        encoder_start(tmp_path / "linear")
    for kind in ("auto", "encoder"):
        with pytest.raises(ModelError, match="no network to go on from"):
            sp.train(
                home / "text.txt", output=tmp_path / "t", model=kind, task="complete",
                start_from=tmp_path / "linear", steps=1,
            )  # fmt: skip
    # Its n-gram model is gone on from, beside a network that begins anew.
    assert classifier(home, tmp_path / "m", tmp_path / "linear").kind == "classify"
    assert as_stored(encoder_tensors(ModelDirectory(tmp_path / "m")))


@pytest.mark.parametrize("further", [{}, {"teacher": "encoder"}])
def test_only_a_model_of_the_task_can_have_learnt_old_data(home, tmp_path, further):
    dials = {name: home / path for name, path in further.items()}
    with pytest.raises(ModelError, match="encoder"):
        sp.train(
            home / "labelled.jsonl", output=tmp_path / "m", task="classify", steps=1,
            start_from=home / "encoder", replay=home / "labelled.jsonl", **dials,
        )  # fmt: skip
    assert not (tmp_path / "m" / "sparrow.json").exists()
