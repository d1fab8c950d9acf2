"""The tagger learns, ships floor and network as one, returns from its files, fails on no text."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_taggers import (
    codec_of,
    loaded,
    place,
    requests,
    save,
    small_settings,
    trained_in,
)

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.foundation.errors import DamagedFileError, ModelError
from sparrowlm.runtime.directory import CRF_FILE, ENCODER_FILE, ModelDirectory
from sparrowlm.tasks.tag.blend_training import fitted_odds
from sparrowlm.tasks.tag.blending import TagBlend
from sparrowlm.tasks.tag.decoding import blocks
from sparrowlm.tasks.tag.dictionary import UserDictionary
from sparrowlm.tasks.tag.files import start_tensors
from sparrowlm.tasks.tag.model import Tagger, TaggerSettings
from sparrowlm.tasks.tag.network_training import Names, NetworkTraining
from sparrowlm.tasks.tag.task import evaluate_parts, known_words_of
from sparrowlm.tasks.tag.training import TaggerTraining, TrainedTagger
from sparrowlm.tasks.tag.units import units_of
from sparrowlm.training.tagging import tagger_scores

ODD_TEXTS = [
    "", " ", "\n", "😀👨‍👩‍👧 play 🎵", "\ud800 weather in Paris \udfff", "weather\x00in",
    "巴黎的天气 now", "a" * 3000, "play songs by Björk now" * 40,
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> TrainedTagger:
    return trained_in(tmp_path_factory.mktemp("tagger"))


@pytest.fixture(scope="module")
def saved(trained, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("models") / "tagger"
    save(trained, directory)
    return directory


def test_it_learns_spans_and_intents(trained):
    tagger = trained.tagger
    assert set(tagger.settings.blend.weights) == {"floor", "network"}
    (one,) = tagger.predict_all(["play songs by Miles Davis now"])
    (span,) = one.spans
    assert span[:4] == (14, 25, "artist", "Miles Davis")
    assert 0.5 < span.probability < 1.0
    assert one.intent is not None and one.intent.label == "play"
    assert sum(one.intent.probabilities.values()) == pytest.approx(1.0)
    figures = evaluate_parts(trained, requests(3, 30))
    assert set(figures) == {"model", "floor", "network"}
    assert figures["model"].f1 > 0.95
    assert figures["model"].intent_accuracy == pytest.approx(1.0)
    assert figures["floor"].intent_accuracy is None
    assert figures["model"].as_json()["by_label"]["artist"]["num_gold"] > 0


def test_torch_and_numpy_say_the_same(trained, monkeypatch):
    train = requests(1, 120)
    tagger = trained.tagger
    assert tagger.network is not None
    names = Names(tagger.labels, tagger.settings.intents, tagger.floor.joins_runs)
    network = NetworkTraining(tagger.network.inputs, names, small_settings(), torch.float32)
    tensors = {n: torch.from_numpy(np.array(a)) for n, a in trained.model_arrays.items()}
    network.model.load_tensors(tensors, "test")
    prepared = network.prepared(train, is_training=False)
    with torch.no_grad():
        theirs = tagger_scores(network.model, prepared.sequences)
    compiled = tagger.network.scores(prepared.units)
    monkeypatch.setattr(tagger.network.encoder.engine, "_native", None)
    mine = tagger.network.scores(prepared.units)
    np.testing.assert_allclose(mine.labels_NL, theirs.labels_NL, atol=2e-3)
    np.testing.assert_allclose(mine.intents_SK, theirs.intents_SK, atol=2e-3)
    assert (mine.labels_NL.argmax(1) == theirs.labels_NL.argmax(1)).all()
    # The compiled part rounds what enters a matrix to 8 bits.
    np.testing.assert_allclose(compiled.labels_NL, mine.labels_NL, atol=0.05)


def test_the_files_give_the_same_answers(trained, saved):
    texts = [*(one.text for one in requests(4, 30)), *ODD_TEXTS]
    assert loaded(saved).predict_all(texts) == trained.tagger.predict_all(texts)


@pytest.mark.parametrize("name", [CRF_FILE, ENCODER_FILE])
def test_a_damaged_file_is_refused(trained, tmp_path, name):
    save(trained, tmp_path)
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DamagedFileError):
        loaded(tmp_path)


def test_heads_of_another_model_are_refused(trained, tmp_path):
    settings = replace(trained.tagger.settings, intents=("play",))
    other = replace(trained, tagger=Tagger(settings, trained.tagger.floor, trained.tagger.network))
    save(other, tmp_path)
    with pytest.raises(DamagedFileError):
        loaded(tmp_path)


def test_the_dictionary_outranks_the_blend(trained):
    tagger = trained.tagger
    text = "play songs by Miles Davis now"
    own = UserDictionary({"Miles": "city", "songs by": "genre"})
    (found,) = tagger.predict([text], own)
    assert [(s.text, s.label, s.probability) for s in found if s.text != "Davis"] == [
        ("songs by", "genre", 1.0), ("Miles", "city", 1.0),
    ]  # fmt: skip
    kept = Tagger(tagger.settings, tagger.floor, tagger.network, own)
    assert kept.predict([text]) == [found]
    assert [s.text for s in kept.predict([text], UserDictionary({}))[0]] == ["Miles Davis"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_every_labelling_is_legal(trained, texts):
    tagger = trained.tagger
    rules = tagger.labels.constraints()
    for units, answer in tagger._answers(texts, None, None, with_confidence=True):
        bounds = units.chains.tolist()
        for first, stop in pairwise(bounds):
            assert rules.allows(answer.labels_N[first:stop].tolist())
    for text, spans in zip(texts, tagger.predict(texts), strict=True):
        assert all(text[s.start : s.end] == s.text and 0 < s.probability <= 1 for s in spans)
        assert all(a.end <= b.start for a, b in pairwise(spans))


def test_no_text_is_too_odd(trained):
    tagger = trained.tagger
    found = tagger.predict_all(ODD_TEXTS)
    assert len(found) == len(ODD_TEXTS)
    assert found[0].spans == [] and found[0].intent is not None
    alone = [tagger.predict([text])[0] for text in ODD_TEXTS]
    assert [[s[:3] for s in one.spans] for one in found] == [[s[:3] for s in one] for one in alone]
    assert list(tagger.stream(iter(ODD_TEXTS))) == found
    assert tagger.predict([]) == [] and tagger.tag([]) == []


@pytest.mark.slow
def test_a_megabyte_in_one_line(trained):
    text = "play songs by Björk now, weather in New York " * 23_000
    (found,) = trained.tagger.tag([text[:1_000_000]])
    assert len(found) > 40_000


def test_another_model_can_be_the_start(trained, saved, tmp_path):
    train, held_out = requests(1, 120), requests(2, 40)
    codec = codec_of(train)
    start = start_tensors(ModelDirectory(saved))
    chosen = small_settings(start=start, transfer="frozen", steps=10)
    frozen = TaggerTraining(train, held_out, codec, chosen, place(tmp_path)).run()
    assert "pretraining" not in frozen.stages
    for name, array in frozen.model_arrays.items():
        is_body = name.startswith(("model.", "ngrams.", "columns."))
        assert np.array_equal(array, trained.model_arrays[name]) == is_body, name
    fewer = {n: a for n, a in trained.model_arrays.items() if n != "model.norm.weight"}
    with pytest.raises(ModelError, match=r"model\.norm"):
        TaggerTraining(
            train, held_out, codec, small_settings(start=fewer), place(tmp_path / "b")
        ).run()


def test_words_are_cut(tmp_path):
    words = ["我", "喜欢", "北京", "人工智能", "的", "天气", "模型"]
    generator = random.Random(1)
    examples = []
    for _ in range(150):
        chosen = generator.choices(words, k=6)
        ends = np.cumsum([len(word) for word in chosen]).tolist()
        spans = tuple(Span(e - len(w), e, "word") for w, e in zip(chosen, ends, strict=True))
        examples.append(TaggedText("".join(chosen), spans))
    codec = codec_of(examples, "character")
    done = TaggerTraining(examples, None, codec, small_settings(), place(tmp_path)).run()
    assert done.tagger.is_segmenter
    assert done.tagger.words(["我喜欢北京的天气", "", "人工智能 模型"]) == [
        ["我", "喜欢", "北京", "的", "天气"], [], ["人工智能", "模型"],
    ]  # fmt: skip
    figures = evaluate_parts(done, examples[:20], known_words_of(examples[:10]))
    assert figures["model"].words is not None and figures["model"].f1 > 0.95


def test_the_blend_comes_back_from_json():
    blend = TagBlend({"floor": 0.5, "network": 0.25}, 0.5, 0.9, 0.1, 1.5)
    assert TagBlend.from_json(blend.as_json()) == blend
    assert TaggerSettings(blend=blend).as_json()["intents"] == []


def test_confidence_of_a_model_that_is_much_too_sure_is_set_right():
    odds = np.repeat([2.0, 6.0, 13.8], 100)
    shares = np.repeat([0.5, 0.6, 0.7], 100)
    slope, offset = fitted_odds(odds, shares)
    assert 0 < slope < 0.2
    np.testing.assert_allclose(1 / (1 + np.exp(-slope * odds - offset)), shares, atol=0.04)


def test_units_of_blocks_are_those_of_texts():
    texts = ["我爱iPhone 15", "", "ok?"]
    (block,) = blocks(texts, None, None, joins_runs=True)
    assert len(block[0]) == len(units_of(texts))


def test_answering_needs_no_torch(saved):
    code = (
        "import sys; from pathlib import Path;"
        "from sparrowlm.runtime.directory import ModelDirectory;"
        "from sparrowlm.tasks.tag.model import load_tagger;"
        "from sparrowlm.tasks.tag import evaluation, files, task;"
        "from sparrowlm.text.tokenizers.files import load_tokenizer;"
        "path = Path(sys.argv[1]);"
        "tagger = load_tagger(ModelDirectory(path), load_tokenizer(path));"
        "print([s.text for s in tagger.predict(['weather in Kyoto now'])[0]]);"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(saved)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Kyoto" in done.stdout
