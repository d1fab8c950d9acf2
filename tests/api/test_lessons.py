"""A larger model teaches a smaller one; a model goes on and does not forget."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.foundation.errors import DataError, ModelError, SettingError

WORDS = {
    "好评": ("干净", "舒服", "满意", "热情", "实惠", "漂亮", "值得", "喜欢"),
    "差评": ("脏乱", "吵闹", "失望", "冷淡", "昂贵", "破旧", "后悔", "讨厌"),
}
NEW_WORDS = {"好评": ("好吃", "新鲜", "美味", "正宗"), "差评": ("难吃", "发霉", "太咸", "夹生")}
THINGS = ("房间", "酒店", "早餐", "前台", "电视", "床单", "位置", "服务")


def reviews(count, seed=0, words=WORDS):
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = list(words)[number % len(words)]
        things = random.choice(THINGS, 2)
        text = (
            f"{things[0]}很{random.choice(words[label])}，{things[1]}{random.integers(999)}天一样"
        )
        rows.append((text, label))
    return rows


def write_lines(path, rows, **more):
    lines = [json.dumps({"text": text, "label": label} | more) for text, label in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_texts(path, rows):
    path.write_text("\n".join(text for text, _label in rows), encoding="utf-8")
    return path


def facts(directory):
    return json.loads((directory / "sparrow.json").read_text("utf-8"))


def accuracy(model, path):
    return model.evaluate([path])["accuracy"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lessons")
    write_lines(folder / "old.jsonl", reviews(400))
    write_lines(folder / "test.jsonl", reviews(200, seed=7))
    write_lines(folder / "few.jsonl", reviews(12, seed=1))
    write_texts(folder / "more.txt", reviews(300, seed=2))
    write_lines(folder / "new.jsonl", reviews(200, 3, NEW_WORDS))
    write_lines(folder / "new-test.jsonl", reviews(200, 4, NEW_WORDS))
    sp.train(folder / "old.jsonl", output=folder / "teacher", model="linear")
    return folder


def test_a_teacher_makes_up_for_missing_labels(home, tmp_path):
    alone = sp.train(home / "few.jsonl", output=tmp_path / "alone", model="linear")
    taught = sp.train(
        home / "few.jsonl", output=tmp_path / "taught", model="linear", teacher=home / "teacher",
        unlabelled=home / "more.txt",
    )  # fmt: skip
    assert accuracy(taught, home / "test.jsonl") > accuracy(alone, home / "test.jsonl") + 0.05
    assert taught.labels == ("好评", "差评")
    measured = facts(tmp_path / "taught")["measured"]
    assert measured["held_out"]["model"]["num_texts"] == 12  # true labels only
    assert measured["teacher"]["answered"] == 312
    assert measured["teacher"]["name"] == "teacher"
    assert "teacher" in (tmp_path / "taught" / "README.md").read_text("utf-8")


def test_the_network_learns_from_a_teacher_too(home, tmp_path):
    model = sp.train(
        home / "few.jsonl", output=tmp_path / "m", model="encoder", steps=30,
        teacher=home / "teacher", unlabelled=home / "more.txt", held_out=home / "test.jsonl",
    )  # fmt: skip
    assert accuracy(model, home / "test.jsonl") > 0.8


def test_texts_without_any_labels_are_enough(home, tmp_path):
    taught = sp.train(
        home / "more.txt", output=tmp_path / "m", model="linear", teacher=home / "teacher",
        held_out=home / "test.jsonl",
    )  # fmt: skip
    assert accuracy(taught, home / "test.jsonl") > 0.95
    measured = facts(tmp_path / "m")["measured"]
    assert measured["held_out"]["model"]["num_texts"] == 200
    assert "judges" not in measured["teacher"]
    alone = sp.train(
        home / "more.txt", output=tmp_path / "n", model="linear", teacher=home / "teacher"
    )
    assert accuracy(alone, home / "test.jsonl") > 0.95
    assert facts(tmp_path / "n")["measured"]["teacher"]["judges"]
    assert "agree" in (tmp_path / "n" / "README.md").read_text("utf-8")


def test_rows_without_a_label_are_answered_by_the_teacher(home, tmp_path):
    rows = [*reviews(12, 1), *((text, "") for text, _label in reviews(200, 2))]
    path = write_lines(tmp_path / "some.jsonl", rows)
    sp.train(path, output=tmp_path / "m", model="linear", teacher=home / "teacher")
    measured = facts(tmp_path / "m")["measured"]
    assert measured["teacher"]["unlabelled"] == 200
    assert measured["held_out"]["model"]["num_texts"] == 12


def test_lists_of_texts_can_be_taught(home, tmp_path):
    texts = [text for text, _label in reviews(200, 2)]
    taught = sp.train(texts, output=tmp_path / "m", model="linear", teacher=home / "teacher")
    assert accuracy(taught, home / "test.jsonl") > 0.9


def test_soft_labels_of_a_file_are_learnt(home, tmp_path):
    """A file of probabilities is as good as the teacher that wrote it; rows without are left."""
    teacher = sp.load(home / "teacher")
    texts = [text for text, _label in reviews(300, seed=2)]
    lines = [
        {"text": text, "probabilities": answer.probabilities}
        for text, answer in zip(texts, teacher.predict(texts), strict=True)
    ]
    lines += [{"text": "房间一般", "probabilities": {}}, {"text": "早餐一般"}]
    path = tmp_path / "soft.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    model = sp.train(path, output=tmp_path / "m", model="linear")
    assert accuracy(model, home / "test.jsonl") > 0.95
    assert facts(tmp_path / "m")["measured"]["held_out"]["model"]["num_texts"] == 300


def test_labels_that_a_teacher_does_not_know_are_refused(home, tmp_path):
    path = write_lines(tmp_path / "x.jsonl", [*reviews(20), ("一般般", "中评"), ("还行", "中评")])
    with pytest.raises(SettingError, match="中评"):
        sp.train(path, output=tmp_path / "m", model="linear", teacher=home / "teacher")


def test_several_labels_a_text_need_a_teacher_of_that_kind(home, tmp_path):
    lines = [f"__label__好评 __label__差评 {text}" for text, _label in reviews(30)]
    path = tmp_path / "several.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(SettingError) as found:
        sp.train(path, output=tmp_path / "m", model="linear", teacher=home / "teacher")
    assert found.value.code == "api.lessons-several"


def test_only_classifiers_teach_and_are_taught(home, tmp_path):
    writer = tmp_path / "writer"
    sp.train(["我喜欢学习新技术。" * 20], output=writer, model="ngram")
    with pytest.raises(ModelError, match="ngram"):
        sp.train(home / "few.jsonl", output=tmp_path / "m", model="linear", teacher=writer)
    with pytest.raises(SettingError, match="--teacher"):
        sp.train(home / "more.txt", output=tmp_path / "m", task="complete", teacher=writer)


def going_on(home, output, **dials):
    return sp.train(
        home / "new.jsonl", output=output, model="linear", start_from=home / "teacher", **dials
    )


def test_replay_keeps_what_was_known(home, tmp_path):
    naive = sp.train(home / "new.jsonl", output=tmp_path / "naive", model="linear")
    kept = going_on(home, tmp_path / "kept", replay=home / "old.jsonl")
    assert accuracy(naive, home / "test.jsonl") < 0.8
    assert accuracy(kept, home / "test.jsonl") > 0.95
    assert accuracy(kept, home / "new-test.jsonl") > 0.95
    both = facts(tmp_path / "kept")["measured"]["both_ways"]
    assert both["old"]["before"]["model"]["accuracy"] > 0.95
    assert both["new"]["before"]["model"]["accuracy"] < 0.8
    assert both["old"]["after"]["model"]["accuracy"] > 0.95
    assert both["new"]["after"]["model"]["accuracy"] > 0.95
    assert both["old"]["after"]["floor"]["num_texts"] == 400
    page = (tmp_path / "kept" / "report.html").read_text("utf-8")
    assert "旧数据，之后" in page
    assert "old data, after" in (tmp_path / "kept" / "README.md").read_text("utf-8")


def test_a_share_is_learnt_again_and_the_rest_measures(home, tmp_path):
    some = going_on(home, tmp_path / "some", replay=home / "old.jsonl", replay_share=0.2)
    assert accuracy(some, home / "test.jsonl") > 0.9
    none = going_on(home, tmp_path / "none", replay=home / "old.jsonl", replay_share=0.0)
    both = facts(tmp_path / "none")["measured"]["both_ways"]
    assert both["old"]["after"]["model"]["num_texts"] == 80
    assert both["old"]["after"]["model"]["accuracy"] < 0.8
    # What only measures is not learnt by the model that ships either.
    assert accuracy(none, home / "test.jsonl") < 0.8


def test_answers_of_the_old_model_stand_for_its_data(home, tmp_path):
    forgotten = going_on(home, tmp_path / "n", replay=home / "old.jsonl", replay_share=0.0)
    kept = going_on(home, tmp_path / "k", keep_answers=True, unlabelled=home / "more.txt")
    assert accuracy(kept, home / "test.jsonl") > accuracy(forgotten, home / "test.jsonl") + 0.1
    assert "old" not in facts(tmp_path / "k")["measured"]["both_ways"]


def test_new_labels_join_the_old_ones(home, tmp_path):
    path = write_lines(tmp_path / "new.jsonl", reviews(60, 5, {"中评": ("一般", "凑合", "还行")}))
    model = sp.train(
        path, output=tmp_path / "m", model="linear", start_from=home / "teacher",
        replay=home / "old.jsonl",
    )  # fmt: skip
    assert model.labels == ("中评", "好评", "差评")
    assert model.predict("早餐很凑合")[0].label == "中评"
    assert accuracy(model, home / "test.jsonl") > 0.95
    both = facts(tmp_path / "m")["measured"]["both_ways"]
    assert both["new"]["before"]["model"]["accuracy"] == 0.0


def test_a_network_goes_on_with_the_head_of_the_labels_it_knows(home, tmp_path):
    from sparrowlm.api.encoder_start import encoder_start

    model = sp.train(home / "old.jsonl", output=tmp_path / "e", model="encoder", steps=3)
    assert model.labels == ("好评", "差评")
    head = encoder_start(tmp_path / "e", ("差评", "新", "好评")).tensors["head.weight"]
    same = encoder_start(tmp_path / "e", model.labels).tensors["head.weight"]
    assert np.array_equal(head[[2, 0]], same)
    assert not head[1].any()
    assert "head.weight" not in encoder_start(tmp_path / "e").tensors
    going = sp.train(
        home / "new.jsonl", output=tmp_path / "f", model="encoder", steps=3,
        start_from=tmp_path / "e", replay=home / "old.jsonl", replay_share=0.5,
    )  # fmt: skip
    assert 0 <= accuracy(going, home / "test.jsonl") <= 1


def test_a_network_that_read_short_texts_goes_on_with_long_ones(home, tmp_path):
    sp.train(home / "old.jsonl", output=tmp_path / "short", model="encoder", steps=1)
    rows = [
        {"text": f"第{number}条：" + "房间。" * 60 + word, "label": word}
        for number in range(30)
        for word in ("干净", "脏乱")
    ]
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "long.jsonl").write_text(lines, encoding="utf-8")
    sp.train(
        tmp_path / "long.jsonl", output=tmp_path / "long", model="encoder", steps=1,
        start_from=tmp_path / "short",
    )  # fmt: skip
    contexts = [
        json.loads((tmp_path / name / "config.json").read_bytes())["max_position_embeddings"]
        for name in ("short", "long")
    ]
    assert contexts == [128, 256]


@pytest.mark.parametrize(
    ("dials", "word"),
    [
        ({"replay": "old.jsonl"}, "--from"),
        ({"keep_answers": True}, "--from"),
        ({"replay_share": 0.5}, "--replay"),
        ({"replay_share": 1.5, "replay": "x"}, "1.5"),
    ],
)
def test_dials_that_make_no_sense_are_refused(home, tmp_path, dials, word):
    with pytest.raises(SettingError, match=word):
        sp.train(home / "few.jsonl", output=tmp_path / "m", model="linear", **dials)


def test_old_data_that_are_not_there_are_refused(home, tmp_path):
    with pytest.raises(DataError):
        going_on(home, tmp_path / "m", replay=home / "missing.jsonl")


@pytest.mark.parametrize("is_given", [False, True])
def test_texts_drawn_for_measuring_are_learnt_in_the_end_and_given_ones_never(
    home, tmp_path, monkeypatch, is_given
):
    from sparrowlm.tasks.classify import training
    from sparrowlm.tasks.classify.encoder_training import EncoderTraining

    learnt = []

    def watched(self, model, rows, seconds, place, guesses=None):
        learnt.append(rows)
        return real(self, model, rows, seconds, place, guesses)

    real = EncoderTraining.learn_the_rest
    monkeypatch.setattr(EncoderTraining, "learn_the_rest", watched)
    monkeypatch.setattr(training, "_MOST_TEXTS_IN_FOLDS", 10)
    given = {"held_out": home / "test.jsonl"} if is_given else {}
    sp.train(home / "old.jsonl", output=tmp_path / "m", model="encoder", steps=8, **given)
    stages = facts(tmp_path / "m")["curve"]
    assert ("rest" in stages) == (not is_given)
    if is_given:
        assert not learnt
    else:
        num_texts = len((home / "old.jsonl").read_text("utf-8").splitlines())
        (rows,) = learnt
        assert rows.tolist() == list(range(num_texts))
