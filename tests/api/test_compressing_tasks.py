"""Models with labels made small: the answers stay, the figures are said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_taggers import requests, save, trained_in

import sparrowlm as sp
from sparrowlm.api import compressing
from sparrowlm.api.compressing import compress
from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.foundation.native_part import native_part

pytestmark = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
WORDS = {"好": ("干净", "舒服", "满意", "热情"), "坏": ("脏乱", "吵闹", "失望", "冷淡")}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(compressing, "bench_apart", lambda path: {"texts_per_second": 1.0})


def review_file(path, count, seed):
    random, rows = np.random.default_rng(seed), []
    for number in range(count):
        label = str(random.choice(list(WORDS)))
        text = f"房间{random.choice(WORDS[label])}，早餐{random.choice(WORDS[label])}{number}天"
        rows.append(json.dumps({"text": text, "label": label}, ensure_ascii=False))
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def pair_file(path, count, seed):
    random, rows = np.random.default_rng(seed), []
    acts = ("付款", "退货", "开户", "转账")
    for _ in range(count):
        first, second = random.choice(acts, 2)
        pair = {"text1": f"怎么{first}", "text2": f"如何{second}", "label": int(first == second)}
        rows.append(json.dumps(pair, ensure_ascii=False))
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["linear", "encoder"])
def test_a_classifier_keeps_its_answers(tmp_path, kind):
    data = review_file(tmp_path / "train.jsonl", 300, 0)
    new = review_file(tmp_path / "new.jsonl", 120, 1)
    whole = sp.train(data, output=tmp_path / "m", model=kind, steps=6)
    rest = 8_000 if kind == "linear" else 60_000
    size = rest + sum(p.stat().st_size for p in (tmp_path / "m").glob("*.bin")) * 55 // 100
    facts = compress(tmp_path / "m", tmp_path / "s.gguf", to=size, on=[new])
    assert facts["bytes"] == (tmp_path / "s.gguf").stat().st_size <= size
    small = sp.load(tmp_path / "s.gguf")
    found = small.evaluate([new])["accuracy"]
    assert found == pytest.approx(facts["after"]["accuracy"])
    assert facts["before"]["accuracy"] == pytest.approx(whole.evaluate([new])["accuracy"])
    assert facts["loss_share"] < 0.03
    assert facts["forms"]["linear_percent" if kind == "linear" else "int4"]
    assert ("dictionary_bytes" in facts) == (kind == "linear")
    assert small.predict("房间脏乱")[0].label == whole.predict("房间脏乱")[0].label


def test_a_tagger_keeps_its_spans(tmp_path):
    save(trained_in(tmp_path / "work"), tmp_path / "m")
    rows = [
        {"text": one.text, "intent": one.intent, "entities": [s._asdict() for s in one.spans]}
        for one in requests(3, 60)
    ]
    new = tmp_path / "new.jsonl"
    new.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    facts = compress(tmp_path / "m", tmp_path / "s.gguf", max_loss="1%", on=[new])
    assert facts["loss_share"] <= 0.01
    assert facts["bytes"] < facts["bytes_before"]
    assert "crf_percent" in facts["forms"]
    assert "dictionary_bytes" not in facts
    whole, small = sp.load(tmp_path / "m"), sp.load(tmp_path / "s.gguf")
    for text in ("please play Queen now", "weather in Kyoto now"):
        (before,), (after,) = whole.predict(text), small.predict(text)
        assert [span[:3] for span in before.spans] == [span[:3] for span in after.spans]
        assert before.intent.label == after.intent.label


def test_a_matcher_keeps_its_verdicts(tmp_path):
    data = pair_file(tmp_path / "pairs.jsonl", 300, 0)
    whole = sp.train(data, output=tmp_path / "m", model="linear")
    # Nothing is chosen about a matcher without a network: it is written as it is.
    facts = compress(tmp_path / "m", tmp_path / "s.gguf", max_loss="2%", on=[data])
    assert facts["loss_share"] == 0.0
    small = sp.load(tmp_path / "s.gguf")
    before, after = (one.match("怎么付款", "如何付款").probability for one in (whole, small))
    assert after == pytest.approx(before, abs=0.1)


def test_data_are_needed_and_a_size_below_the_least_is_refused(tmp_path):
    data = review_file(tmp_path / "train.jsonl", 200, 0)
    sp.train(data, output=tmp_path / "m", model="linear", steps=4)
    with pytest.raises(DataError, match="--on"):
        compress(tmp_path / "m", tmp_path / "s.gguf", to="1MB")
    with pytest.raises(SettingError, match="needs"):
        compress(tmp_path / "m", tmp_path / "s.gguf", to="4kB", on=[data])
    assert not (tmp_path / "s.gguf").exists()
