"""A classifier as a person gets it: from a spreadsheet to answers, figures and a page."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from interrupting import InterruptedProgress

import sparrowlm as sp
from sparrowlm.foundation.errors import DamagedFileError, DataError, ModelError, SettingError
from sparrowlm.foundation.interrupts import StoppedBySignal

ROOT = Path(__file__).parents[2]
GOOD = ("干净", "舒服", "满意", "热情", "实惠", "漂亮", "值得", "喜欢")
BAD = ("脏乱", "吵闹", "失望", "冷淡", "昂贵", "破旧", "后悔", "讨厌")
THINGS = ("房间", "酒店", "早餐", "前台", "电视", "床单", "位置", "服务")


def reviews(count, seed=0):
    """Sentences whose verdict is one word among many."""
    random = np.random.default_rng(seed)
    rows = []
    for _row in range(count):
        is_good = bool(random.random() < 0.5)
        verdict = random.choice(GOOD if is_good else BAD)
        things = random.choice(THINGS, 3)
        text = f"{things[0]}很{verdict}，{things[1]}和{things[2]}{random.integers(1, 999)}天都一样"
        rows.append((text, "好评" if is_good else "差评"))
    return rows


def write_sheet(path, rows, encoding="gbk"):
    with path.open("w", encoding=encoding, newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["编号", "评论内容", "情感"])
        writer.writerows([(number, *row) for number, row in enumerate(rows)])
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    write_sheet(folder / "评论.csv", reviews(400))
    write_sheet(folder / "新的.csv", reviews(200, seed=9), "utf-8-sig")
    sp.train(folder / "评论.csv", output=folder / "model", steps=4)
    return folder


@pytest.fixture
def model(home):
    return sp.load(home / "model")


def test_a_spreadsheet_in_gbk_becomes_a_classifier(model):
    assert model.kind == "classify"
    assert model.labels == ("好评", "差评")
    good, bad = model.predict(["前台很热情，早餐很实惠", "床单脏乱，让人失望"])
    assert (good.label, bad.label) == ("好评", "差评")
    assert good.probability == pytest.approx(sum(good.probabilities.values()) - bad_of(good))
    assert good.labels == ("好评",)
    assert model.predict("前台很热情")[0].label == "好评"


def bad_of(prediction):
    return prediction.probabilities["差评"]


def test_it_is_measured_beside_its_floor(home, model):
    table = model.evaluate([home / "新的.csv"])
    assert table["num_texts"] == 200
    assert table["accuracy"] > 0.95
    assert table["macro_f1"] > 0.95
    assert table["calibration_error"] < 0.1
    assert {score["label"] for score in table["per_label"]} == {"好评", "差评"}
    assert np.array(table["confusion"]).sum() == 200
    parts = [name for name in ("floor", "encoder") if name in table]
    assert all(0 <= table[part]["accuracy"] <= 1 for part in parts)
    json.dumps(table)


def test_its_directory_tells_everything(home, model):
    directory = home / "model"
    facts = model.info()
    json.dumps(facts)
    assert facts["task"]["labels"] == ["好评", "差评"]
    assert facts["bytes"] <= 5_000_000
    assert "情感" in facts["data"]["evidence"]
    held_out = json.loads((directory / "sparrow.json").read_text("utf-8"))["measured"]["held_out"]
    assert held_out["floor"]["num_texts"] > 300
    page = (directory / "report.html").read_text("utf-8")
    assert all(word in page for word in ("混淆表", "Confusions", "好评", "<svg"))
    assert "http" not in page.replace("http://www.w3.org", "")
    card = (directory / "README.md").read_text("utf-8")
    assert card.startswith("---\n")
    assert "好评" in card


def test_words_that_speak_for_the_answer_come_first(model):
    text = "房间很脏乱，位置和电视3天都一样"
    reasons = model.explain(text)
    assert "脏乱" in reasons[0].text or reasons[0].text in "脏乱"
    assert all(text[r.start : r.end] == r.text for r in reasons)
    against = model.explain(text, "好评")
    assert against[-1].weight < 0
    with pytest.raises(SettingError, match="中评"):
        model.explain(text, "中评")


@pytest.mark.parametrize(
    "text", ["", " ", "🙂🙃", "\ud800", "𠮷" * 300, "很脏乱" * 300_000, "\x00\x01", "ＡＢＣ"]
)
def test_any_text_gets_an_answer(model, text):
    (prediction,) = model.predict([text])
    assert 0 <= prediction.probability <= 1
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_a_stream_of_texts_gives_the_same_answers(model):
    texts = [text for text, _label in reviews(2100, seed=3)]
    streamed = [p.label for p in model.predict_stream(iter(texts))]
    assert streamed == [p.label for p in model.predict(texts)]
    assert model.predict([]) == []


def test_torch_is_not_needed_to_answer(home):
    code = (
        "import sys, sparrowlm as sp\n"
        f"print(sp.load({str(home / 'model')!r}).predict('前台很热情')[0].label)\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment,
        cwd=ROOT, check=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.strip() == "好评"


def test_a_damaged_file_is_refused(home, tmp_path):
    directory = tmp_path / "model"
    shutil.copytree(home / "model", directory)
    names = [name for name in ("linear.bin", "encoder.bin") if (directory / name).exists()]
    data = bytearray((directory / names[0]).read_bytes())
    data[-9] ^= 1
    (directory / names[0]).write_bytes(data)
    with pytest.raises(DamagedFileError):
        sp.load(directory)


def test_a_classifier_says_that_it_does_not_write_texts(model):
    for call in (model.next, model.generate, model.score):
        with pytest.raises(ModelError, match="classify"):
            call("房间")


def test_a_model_that_writes_texts_says_that_it_does_not_classify(tmp_path):
    writer = sp.train(["我喜欢学习新技术。" * 20], output=tmp_path / "m", model="ngram")
    with pytest.raises(ModelError, match="ngram"):
        writer.predict("好")


def test_the_same_seed_gives_the_same_model(home, tmp_path):
    files = []
    for name in ("one", "two"):
        sp.train(home / "评论.csv", output=tmp_path / name, steps=3, model="encoder")
        files.append((tmp_path / name / "encoder.bin").read_bytes())
    assert files[0] == files[1]


def test_transformers_gives_the_same_states(home, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    from sparrowlm.export.hugging_face import write_network
    from sparrowlm.runtime.directory import ModelDirectory
    from sparrowlm.runtime.encoder_files import encoder_tensors, load_encoder

    directory = tmp_path / "model"
    model = sp.train(home / "评论.csv", output=directory, steps=3, model="encoder")
    assert model.info()["neural"] == "encoder"
    engine = load_encoder(ModelDirectory(directory)).engine
    engine.run_in_numpy()  # the compiled part rounds what enters a matrix to 8 bits
    tokenizer = AutoTokenizer.from_pretrained(directory)
    assert not (directory / "model.safetensors").exists()  # its weights are in 8 bits
    body = {
        name: tensor
        for name, tensor in encoder_tensors(ModelDirectory(directory)).items()
        if name.startswith("model.")
    }
    write_network(tmp_path / "plain", engine.shape, body)
    network = AutoModel.from_pretrained(tmp_path / "plain").float().eval()
    ids_BT = np.array([[0, *tokenizer("前台很热情", add_special_tokens=False)["input_ids"]]])
    lengths_B = np.array([ids_BT.shape[1]])
    import torch

    with torch.no_grad():
        inputs = torch.from_numpy(engine.input_embeddings(ids_BT, lengths_B))
        wanted = network(inputs_embeds=inputs).last_hidden_state.numpy()
    np.testing.assert_allclose(engine.states(ids_BT, lengths_B), wanted, atol=1e-4)


def test_several_labels_a_text(tmp_path):
    path = tmp_path / "train.txt"
    random = np.random.default_rng(0)
    words = {"sport": "goal match team", "money": "bank price tax", "china": "beijing yuan"}
    lines = []
    for _line in range(300):
        chosen = [label for label in words if random.random() < 0.5]
        text = " ".join(random.choice(words[label].split()) for label in chosen) or "nothing"
        lines.append(" ".join([*(f"__label__{label}" for label in chosen), text + " today"]))
    path.write_text("\n".join(line for line in lines if "__label__" in line), encoding="utf-8")
    model = sp.train(path, output=tmp_path / "model", model="linear")
    (both,) = model.predict(["the team went to the bank"])
    assert set(both.labels) == {"sport", "money"}
    assert model.predict(["yuan"])[0].labels == ("china",)
    assert model.evaluate([path])["micro_f1"] > 0.95


def test_files_named_train_dev_and_test_are_kept_apart(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, seed in (("train", 0), ("dev", 1), ("test", 2)):
        write_sheet(folder / f"{name}.csv", reviews(120, seed), "utf-8")
    sp.train(folder, output=tmp_path / "model", model="linear")
    measured = json.loads((tmp_path / "model" / "sparrow.json").read_text("utf-8"))["measured"]
    assert measured["held_out"]["model"]["num_texts"] == 120
    assert measured["test"]["model"]["num_texts"] == 120


def test_what_was_given_to_measure_on_is_never_learnt(home, tmp_path):
    """A verdict that only the held-out file knows says nothing to the model."""
    strange = [(f"{thing}绝绝子", "好评") for thing in THINGS * 4]
    held_out = write_sheet(tmp_path / "dev.csv", [*reviews(60, seed=7), *strange])
    model = sp.train(
        home / "评论.csv", output=tmp_path / "model", model="linear", held_out=held_out
    )
    linear = model._predictor.linear
    rows = linear.model.vocabulary.rows(*linear.features.counts(["绝绝子"]))
    np.testing.assert_array_equal(linear.model.scores(rows)[0], linear.model.bias_C)


def test_one_label_alone_cannot_be_learnt(tmp_path):
    path = write_sheet(tmp_path / "one.csv", [(text, "好") for text, _label in reviews(50)])
    with pytest.raises(DataError):
        sp.train(path, output=tmp_path / "model")
    assert not (tmp_path / "model" / "sparrow.json").exists()


def test_a_label_for_every_row_is_the_wrong_column(tmp_path):
    rows = [(text, f"编号{number}") for number, (text, _label) in enumerate(reviews(60))]
    path = write_sheet(tmp_path / "ids.csv", rows)
    with pytest.raises(DataError):
        sp.train(path, output=tmp_path / "model", task="classify", label_field="情感")


def test_labels_that_the_model_does_not_know_are_wrong_and_counted(tmp_path, model):
    path = write_sheet(tmp_path / "new.csv", [*reviews(20), ("房间很一般", "中评")], "utf-8")
    table = model.evaluate([path])
    assert table["num_unknown"] == 1
    assert table["num_texts"] == 21


def test_plain_text_needs_no_labels_and_gets_none(tmp_path):
    path = tmp_path / "novel.txt"
    path.write_text("从前有座山，山里有座庙。\n" * 50, encoding="utf-8")
    with pytest.raises(SettingError, match="linear"):
        sp.train(path, output=tmp_path / "model", model="linear")


def test_a_table_may_be_read_as_text_all_the_same(home, tmp_path):
    model = sp.train(home / "评论.csv", output=tmp_path / "model", task="complete", model="ngram")
    assert model.kind == "ngram"


@pytest.mark.parametrize("count", [4, 12])
def test_a_handful_of_examples_is_enough_to_answer(tmp_path, count):
    rows = [(f"很{word}", "好") for word in GOOD] + [(f"很{word}", "坏") for word in BAD]
    path = write_sheet(tmp_path / "few.csv", rows[: count // 2] + rows[8 : 8 + count // 2])
    model = sp.train(path, output=tmp_path / "model", steps=5)
    assert model.predict(f"真{GOOD[0]}")[0].label in ("好", "坏")


def test_where_a_network_has_no_room_the_linear_model_stands_alone(home, tmp_path):
    small = sp.train(home / "评论.csv", output=tmp_path / "model", size="100kB", steps=5)
    assert small.info()["bytes"] <= 100_000
    assert set(small.info()["task"]["blend"]["weights"]) == {"linear"}
    assert small.predict("房间很干净")[0].label == "好评"


@pytest.mark.parametrize(("size", "kind"), [("100kB", "encoder"), ("20kB", "linear")])
def test_too_small_a_size_is_refused_with_what_is_needed(home, tmp_path, size, kind):
    with pytest.raises(SettingError, match=size.removesuffix("kB")):
        sp.train(home / "评论.csv", output=tmp_path / "model", size=size, model=kind, steps=5)


def test_a_linear_model_goes_on_with_the_words_it_knew(home, tmp_path):
    """A word that no new text has keeps what was learnt of it; new words are learnt."""
    rows = [(f"{thing}很{word}", label)
            for thing in THINGS
            for word, label in (("给力", "好评"), ("坑人", "差评"))]  # fmt: skip
    new = write_sheet(tmp_path / "new.csv", rows)
    sp.train(home / "评论.csv", output=tmp_path / "old", model="linear")
    known = sp.train(new, output=tmp_path / "a", model="linear", start_from=tmp_path / "old")
    for words, label in ((GOOD, "好评"), (BAD, "差评")):
        right = [known.predict(word)[0].label == label for word in words]
        assert np.mean(right) > 0.8
    assert [known.predict(word)[0].label for word in ("给力", "坑人")] == ["好评", "差评"]


def test_an_encoder_that_has_read_is_a_start(home, tmp_path):
    from sparrowlm.runtime.directory import ModelDirectory
    from sparrowlm.runtime.encoder_files import encoder_tensors

    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(text for text, _label in reviews(300, seed=5)), encoding="utf-8")
    encoder = sp.train(path, output=tmp_path / "encoder", model="encoder", steps=20)
    model = sp.train(
        home / "评论.csv", output=tmp_path / "model", model="encoder", steps=1,
        start_from=tmp_path / "encoder",
    )  # fmt: skip
    before, after = (
        encoder_tensors(ModelDirectory(tmp_path / name)) for name in ("encoder", "model")
    )
    name = "model.layers.0.self_attn.q_proj.weight"
    assert np.corrcoef(before[name].ravel(), after[name].ravel())[0, 1] > 0.8
    assert model.embed("房间").shape == encoder.embed("房间").shape


@pytest.mark.parametrize("after", [2, 9])
def test_ctrl_c_saves_and_resume_ends_with_the_same_bytes(home, tmp_path, after):
    settings = {"model": "encoder", "steps": 6}
    sp.train(home / "评论.csv", output=tmp_path / "whole", **settings)
    with pytest.raises(StoppedBySignal):
        sp.train(
            home / "评论.csv", output=tmp_path / "cut", progress=InterruptedProgress(after),
            **settings,
        )  # fmt: skip
    assert not (tmp_path / "cut" / "sparrow.json").exists()
    sp.train(home / "评论.csv", output=tmp_path / "cut", resume=True, **settings)
    cut, whole = (tmp_path / name / "encoder.bin" for name in ("cut", "whole"))
    assert cut.read_bytes() == whole.read_bytes()
    before = (tmp_path / "cut" / "sparrow.json").stat().st_mtime_ns
    sp.train(home / "评论.csv", output=tmp_path / "cut", resume=True, **settings)
    assert (tmp_path / "cut" / "sparrow.json").stat().st_mtime_ns == before


def test_a_word_of_the_user_is_explained_whole(home, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("房间很干净\n", encoding="utf-8")
    model = sp.train(
        home / "评论.csv", output=tmp_path / "model", model="linear", user_dictionary=path
    )
    assert "房间很干净" in [reason.text for reason in model.explain("这里房间很干净")]


@pytest.mark.parametrize("transfer", ["frozen", "adapters", "gradual"])
def test_what_learns_can_be_chosen(home, tmp_path, transfer):
    from sparrowlm.runtime.directory import ModelDirectory
    from sparrowlm.runtime.encoder_files import encoder_tensors

    path = tmp_path / "text.txt"
    path.write_text("\n\n".join(text for text, _label in reviews(100, seed=5)), encoding="utf-8")
    sp.train(path, output=tmp_path / "encoder", model="encoder", steps=3)
    settings = {"model": "encoder", "steps": 3, "start_from": tmp_path / "encoder"}
    model = sp.train(
        home / "评论.csv", output=tmp_path / "model", transfer=transfer, **settings
    )  # fmt: skip
    assert model.predict("前台很热情")[0].label in model.labels
    tensors = encoder_tensors(ModelDirectory(tmp_path / "model"))
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())
    with pytest.raises(SettingError, match="melted"):
        sp.train(home / "评论.csv", output=tmp_path / "x", transfer="melted", **settings)


def test_hundreds_of_labels_stay_inside_the_size_that_was_asked_for(tmp_path):
    rows = [
        json.dumps({"text": f"第{number}类的问题，{word}。", "label": f"类别{number}"})
        for number in range(205)
        for word in ("怎么办", "在哪里")
    ]
    (tmp_path / "many.jsonl").write_text("\n".join(rows), encoding="utf-8")
    model = sp.train(
        tmp_path / "many.jsonl", output=tmp_path / "m", model="linear", size="600kB",
        task="classify",
    )  # fmt: skip
    assert len(model.labels) == 205
    assert sum(path.stat().st_size for path in (tmp_path / "m").iterdir()) <= 600_000
    facts = json.loads((tmp_path / "m" / "sparrow.json").read_bytes())
    held_out = facts["measured"]["held_out"]["model"]
    assert held_out["confusion"] == []
    assert len(held_out["per_label"]) == 205
