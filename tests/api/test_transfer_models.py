"""Taggers and matchers that go on from another model, read more text, and know a dictionary."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from interrupting import InterruptedProgress

import sparrowlm as sp
from sparrowlm.foundation.errors import DataError, ModelError, SettingError
from sparrowlm.foundation.interrupts import StoppedBySignal
from sparrowlm.runtime.directory import ENCODER_FILE, ModelDirectory
from sparrowlm.runtime.encoder_files import as_stored, encoder_tensors
from sparrowlm.text.tokenizers import load_tokenizer

NAMES, CITIES = ("张伟", "王芳", "李娜", "刘洋"), ("北京", "上海", "广州", "深圳")
ACTS = ("付款", "退货", "开户", "转账", "还款", "注销")
WAYS = ("怎么{}", "如何{}", "请问在哪里{}", "{}怎么操作")


def tagged_file(path, count=60):
    """Write sentences about people and cities, a token and its label a line."""
    random = np.random.default_rng(0)
    blocks = []
    for _row in range(count):
        parts = [(random.choice(NAMES), "人名"), ("去了", None), (random.choice(CITIES), "地名")]
        blocks.append("\n".join(
            f"{sign}\t{'O' if label is None else ('I-' if place else 'B-') + label}"
            for text, label in parts for place, sign in enumerate(text)
        ))  # fmt: skip
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    return path


def pair_file(path, count, seed):
    random = np.random.default_rng(seed)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("句子1", "句子2", "是否相似"))
        for _row in range(count):
            first, second = random.choice(ACTS, 2)
            texts = [str(random.choice(WAYS)).format(act) for act in (first, second)]
            writer.writerow((*texts, int(first == second)))
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer")
    tagged_file(folder / "names.conll")
    pair_file(folder / "pairs.csv", 220, 1)
    pair_file(folder / "more.csv", 60, 2)
    texts = [
        f"{name}去了{city}，{act}怎么操作。" for name in NAMES for city in CITIES for act in ACTS
    ]
    (folder / "text.txt").write_text("\n\n".join(texts), encoding="utf-8")
    (folder / "further.txt").write_text(
        "凤凰飞过麒麟山。\n麒麟山上有凤凰。\n" * 9, encoding="utf-8"
    )
    sp.train(
        folder / "text.txt", output=folder / "encoder", model="encoder", steps=2,
        tokenizer="character",
    )  # fmt: skip
    tagger(folder, "tagger")
    return folder


def tagger(home, name, **options):
    chosen = {"model": "encoder", "steps": 2, **options}
    return sp.train(home / "names.conll", output=home / name, task="tag", **chosen)


def matcher(home, name, **options):
    chosen = {"model": "encoder", "steps": 2, "held_out": home / "more.csv", **options}
    return sp.train(home / "pairs.csv", output=home / name, task="match", **chosen)


def body(path):
    return encoder_tensors(ModelDirectory(path))


def is_same_body(first, second):
    """Compare a model with what would be stored of the one it began with: 8 bits a weight."""
    before, after = as_stored(body(first)), body(second)
    assert before.keys() == after.keys()
    return all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("learn", [tagger, matcher])
@pytest.mark.parametrize("transfer", ["frozen", "adapters", "gradual", "full"])
def test_an_encoder_becomes_a_tagger_or_a_matcher(home, tmp_path, learn, transfer):
    start = home / "encoder"
    learn(home, tmp_path / "model", start_from=start, transfer=transfer)
    assert is_same_body(start, tmp_path / "model") == (transfer == "frozen")
    assert all(np.isfinite(tensor).all() for tensor in body(tmp_path / "model").values())
    texts = ["张伟去了北京", "麒麟"]
    codecs = [load_tokenizer(place) for place in (start, tmp_path / "model")]
    assert codecs[0].encode_batch(texts)[0].tolist() == codecs[1].encode_batch(texts)[0].tolist()


def test_a_tagger_is_a_start_of_taggers_and_matchers(home, tmp_path):
    start = home / "tagger"
    tagger(home, tmp_path / "tagger", start_from=start, transfer="frozen")
    matcher(home, tmp_path / "matcher", start_from=start, transfer="frozen")
    assert is_same_body(start, tmp_path / "tagger")
    recipe = sp.load(tmp_path / "tagger").info()["recipe"]
    assert (recipe["from"], recipe["transfer"]) == (str(start), "frozen")
    assert is_same_body(start, tmp_path / "matcher")
    assert sp.load(tmp_path / "matcher").match("怎么付款", "如何付款").probability <= 1


def test_only_low_rank_numbers_move_where_adapters_learn(home, tmp_path):
    tagger(home, tmp_path / "model", start_from=home / "encoder", transfer="adapters", steps=40)
    before, after = as_stored(body(home / "encoder")), body(tmp_path / "model")
    name = "model.layers.0.mlp.down_proj.weight"
    change = (after[name] - before[name]).astype(np.float64)
    sizes = np.linalg.svd(change, compute_uv=False)
    print(sizes[:12])
    # Rounding to 8 bits leaves a little everywhere.
    assert sizes[8] < 0.1 * sizes[0]
    assert np.array_equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])


@pytest.mark.parametrize("learn", [tagger, matcher])
def test_further_text_is_read_before_labels_are_learnt(home, tmp_path, learn):
    learn(home, tmp_path / "model", unlabelled=home / "further.txt")
    codec = load_tokenizer(tmp_path / "model")
    assert all(len(codec.encode(sign)) == 1 for sign in "凤凰麒麟")
    learn(
        home, tmp_path / "frozen", start_from=home / "encoder", transfer="frozen",
        unlabelled=home / "further.txt",
    )  # fmt: skip
    assert not is_same_body(home / "encoder", tmp_path / "frozen")


def test_what_does_not_fit_is_refused(home, tmp_path):
    words = tmp_path / "words"
    sp.train(["the cat sat on the mat and read. " * 30] * 9, output=words, model="encoder", steps=1)
    with pytest.raises(ModelError, match="character"):
        tagger(home, tmp_path / "a", start_from=words)
    tagger(home, "bare", model="linear")
    for learn in (tagger, matcher):
        with pytest.raises(ModelError, match="no network to go on from"):
            learn(home, tmp_path / "b", start_from=home / "bare")
    with pytest.raises(SettingError, match="bpe"):
        tagger(home, tmp_path / "c", start_from=home / "encoder", tokenizer="bpe")


def test_a_dictionary_given_to_the_training_outranks_the_model_for_good(home, tmp_path):
    entries = tmp_path / "words.txt"
    entries.write_text("去了\t动作\n# 注释\n", encoding="utf-8")
    tagger(home, tmp_path / "model", user_dictionary=entries)
    (answer,) = sp.load(tmp_path / "model").predict("张伟去了北京")
    assert ("去了", "动作") in [(span.text, span.label) for span in answer.spans]
    (tmp_path / "other.txt").write_text("张伟\t猫\n", encoding="utf-8")
    model = sp.load(tmp_path / "model")
    (answer,) = model.predict("张伟去了北京", user_dictionary=tmp_path / "other.txt")
    found = [(span.text, span.label) for span in answer.spans]
    assert ("张伟", "猫") in found and ("去了", "动作") not in found
    entries.write_text("去了\n", encoding="utf-8")
    with pytest.raises(DataError, match="去了"):
        tagger(home, tmp_path / "refused", user_dictionary=entries)


def test_words_of_a_segmenter_need_no_label(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("我们 喜欢 学习 新 技术\n他们 学习 历史\n" * 40, encoding="utf-8")
    (tmp_path / "own.txt").write_text("喜欢学习\n", encoding="utf-8")
    options = {"task": "segment", "model": "linear", "user_dictionary": tmp_path / "own.txt"}
    model = sp.train(path, output=tmp_path / "model", **options)
    assert model.words("他们喜欢学习历史") == ["他们", "喜欢学习", "历史"]


@pytest.mark.parametrize("learn", [tagger, matcher])
def test_a_stopped_training_that_began_elsewhere_ends_with_the_same_bytes(home, tmp_path, learn):
    options = {
        "start_from": home / "encoder", "unlabelled": home / "further.txt",
        "transfer": "gradual", "steps": 4,
    }  # fmt: skip
    learn(home, tmp_path / "whole", **options)
    # One step into reading, one into the head, one into everything.
    for after in (3, 4, 4):
        try:
            learn(
                home, tmp_path / "cut", resume=True, progress=InterruptedProgress(after), **options
            )
        except StoppedBySignal:
            continue
    learn(home, tmp_path / "cut", resume=True, **options)
    cut, whole = (tmp_path / name / ENCODER_FILE for name in ("cut", "whole"))
    assert cut.read_bytes() == whole.read_bytes()
