"""Training and the finished matcher: what it promises, files, strange texts, refusals."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tasks.match.matchers import ANSWERS, labelled_pairs, place, train, trained_on_both, write

from sparrowlm.api.compressing_tasks import TaskCompression
from sparrowlm.compression.choices import best_choices, least_bytes
from sparrowlm.corpora.labelled import TextPair
from sparrowlm.foundation.errors import DamagedFileError, DataError, ModelError, SettingError
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.runtime.directory import LINEAR_FILE, PAIRS_FILE, ModelDirectory
from sparrowlm.tasks.match.model import ENCODER, load_matcher
from sparrowlm.tasks.match.settings import MatcherTrainingSettings
from sparrowlm.tasks.match.training import train_matcher
from sparrowlm.text.tokenizers.training import train_tokenizer
from sparrowlm.training.encoder_stage import EncoderSize

STRANGE = ["", " ", "😀", "\ud800", "怎么还款", "a" * 3000, "\0", "ＡＢＣ１２３"]


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=20), st.text(max_size=20))
def test_a_score_is_a_probability_and_symmetric(a, b):
    matcher = trained_on_both().matcher
    score = matcher.score(a, b)
    assert 0 <= score <= 1
    assert matcher.score(b, a) == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("first", STRANGE)
@pytest.mark.parametrize("second", ["", "怎么还款", "\udfff😀"])
def test_strange_texts_have_scores(first, second):
    assert 0 <= trained_on_both().matcher.score(first, second) <= 1


def test_a_megabyte_has_a_score():
    text = "怎么还款，花呗账单。" * 35_000
    assert 0 <= trained_on_both().matcher.score(text, "怎么还款") <= 1


def test_the_matcher_learns_what_means_the_same():
    trained = trained_on_both()
    assert trained.pair_figures["blend"].f1 > 0.9
    assert trained.pair_figures["blend"].f1 >= trained.pair_figures["cosine"].f1
    matcher = trained.matcher
    assert matcher.score("怎么还款花呗", "如何还款花呗") > matcher.score(
        "怎么还款花呗", "如何借款花呗"
    )


def test_streaming_gives_what_one_by_one_gives():
    matcher = trained_on_both().matcher
    pairs = [(p.first, p.second) for p in labelled_pairs(700)]
    streamed = list(matcher.match(iter(pairs)))
    assert len(streamed) == 700
    for row in (0, 511, 512, 699):
        assert streamed[row].probability == pytest.approx(matcher.score(*pairs[row]), abs=1e-6)
        assert streamed[row].label == ("1" if streamed[row].is_same else "0")
    assert list(matcher.match([])) == []


def test_streaming_holds_only_some_pairs():
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield ("怎么还款", "如何还款")

    next(iter(trained_on_both().matcher.match(endless())))
    assert taken <= 512


def test_search_answers_and_refuses():
    matcher = trained_on_both().matcher
    found = matcher.search("请问修改密码要怎么弄", 2)
    assert found.answers[0].answer == "请在密码的页面点修改。"
    assert found.is_known
    assert not matcher.search("Where is the nearest zoo?").is_known
    with pytest.raises(SettingError):
        matcher.search("怎么还款", 0)


def test_pairs_alone_have_no_answers(tmp_path):
    matcher = train(labelled_pairs(60), tmp_path).matcher
    with pytest.raises(ModelError) as caught:
        matcher.search("怎么还款")
    assert caught.value.code == "tasks.match-no-answers"


def test_answers_alone_also_judge_pairs(tmp_path):
    trained = train(ANSWERS, tmp_path)
    assert trained.matcher.score("怎么还款花呗", "怎么还款花呗") > 0.5
    assert trained.search in trained.search_figures


@pytest.mark.parametrize("words", [(), ("余额宝",)])
def test_a_matcher_comes_back_from_its_files(tmp_path, words):
    pairs = [*labelled_pairs(80), *ANSWERS]
    trained = train(pairs, tmp_path / "work", MatcherTrainingSettings(words=words))
    again = load_matcher(write(trained, tmp_path / "model"), None)
    assert again.settings == trained.matcher.settings
    for pair in pairs[:40]:
        score = trained.matcher.score(pair.first, pair.second)
        assert again.score(pair.first, pair.second) == score
    assert again.search("怎样还款花呗", 5) == trained.matcher.search("怎样还款花呗", 5)


@pytest.mark.parametrize("name", [LINEAR_FILE, PAIRS_FILE])
def test_damaged_files_are_refused(tmp_path, name):
    directory = write(trained_on_both(), tmp_path / "model")
    path = directory.path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedFileError):
        load_matcher(directory, None)


def test_equal_seeds_give_equal_matchers(tmp_path):
    first, second = (train(labelled_pairs(80), tmp_path / str(n)).matcher for n in range(2))
    assert first.settings == second.settings
    assert first.score("怎么还款", "如何还钱") == second.score("怎么还款", "如何还钱")


def test_nothing_and_one_label_are_refused(tmp_path):
    with pytest.raises(DataError) as caught:
        train([], tmp_path)
    assert caught.value.code == "tasks.match-nothing"
    with pytest.raises(DataError) as caught:
        train([TextPair("a", "b", "1")], tmp_path)
    assert caught.value.code == "tasks.match-labels"


@pytest.mark.parametrize("pairs", [[TextPair("怎么还款", "点还款")], [TextPair("", "")]])
def test_one_answer_is_enough(tmp_path, pairs):
    matcher = train(pairs, tmp_path).matcher
    found = matcher.search("怎么还款")
    assert [answer.answer for answer in found.answers] == [pairs[0].second]
    assert 0 <= matcher.score("怎么还款", "") <= 1


def test_one_pair_of_either_label_is_enough(tmp_path):
    pairs = [TextPair("怎么还款", "如何还款", "1"), TextPair("怎么还款", "天气", "0")]
    matcher = train(pairs, tmp_path).matcher
    assert 0 <= matcher.score("怎么还款", "如何还款") <= 1


def test_a_size_is_kept_or_refused(tmp_path):
    pairs = labelled_pairs(300)
    whole = train(pairs, tmp_path / "whole").matcher
    features = whole.comparison.features.size_bytes()
    most = features + whole.comparison.model.size_bytes() // 2 + 55_000
    small = train(pairs, tmp_path / "small", MatcherTrainingSettings(most_bytes=most)).matcher
    assert features + small.comparison.model.size_bytes() <= most
    with pytest.raises(SettingError) as caught:
        train(pairs, tmp_path / "tiny", MatcherTrainingSettings(most_bytes=1000))
    assert caught.value.code == "tasks.match-size"


@pytest.mark.slow
def test_a_network_learns_is_written_and_gives_equal_scores(tmp_path):
    pairs, held_out = labelled_pairs(400), labelled_pairs(460)[400:]
    texts = [text for pair in pairs for text in (pair.first, pair.second)]
    codec = train_tokenizer("character", lambda: iter(texts), sum(map(len, texts)))
    size = EncoderSize(
        width=64, num_layers=1, tables=NgramTableShape(num_buckets=256, width=16), context_tokens=32
    )
    options = MatcherTrainingSettings(
        parts="encoder", size=size, pretraining_epochs=1.0, pairing_epochs=4.0
    )
    trained = train_matcher(pairs, held_out, codec, options, place(tmp_path / "work"))
    assert set(trained.matcher.settings.blend.weights) == {ENCODER}
    assert set(trained.stages) == {"pretraining", "pairs"}
    again = load_matcher(write(trained, tmp_path / "model", codec), codec)
    for pair in held_out[:20]:
        score = trained.matcher.score(pair.first, pair.second)
        assert again.score(pair.first, pair.second) == pytest.approx(score, abs=1e-5)
        assert again.score(pair.second, pair.first) == pytest.approx(score, abs=1e-5)
    answers_of_a_compressed_network(tmp_path / "model", held_out)


def answers_of_a_compressed_network(model, pairs):
    """Half of the bits, nearly the same verdicts: measured, written, opened."""
    path = model.parent / "pairs.jsonl"
    rows = [{"text1": p.first, "text2": p.second, "label": p.label} for p in pairs]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    compression = TaskCompression(ModelDirectory(model), [path], None, SilentProgress())
    least = best_choices(compression.choices, least_bytes(compression.choices))
    assert {choice.way for choice in least.values()} == {3}
    assert all(
        ways[0].cost == 0 < max(way.cost for way in ways) for ways in compression.choices.values()
    )
    middle = {
        name: next(w for w in ways if w.way == 5) for name, ways in compression.choices.items()
    }
    compression.write(model.parent / "small.gguf", middle, {})
    before, after = compression.losses(), compression.losses(model.parent / "small.gguf")
    assert after.loss_share(before) < 0.05


@pytest.mark.parametrize("is_given", [False, True])
def test_pairs_drawn_for_measuring_are_learnt_in_the_end(tmp_path, monkeypatch, is_given):
    from sparrowlm.tasks.match import training
    from sparrowlm.tasks.match.encoder_training import EncoderTraining

    learnt, real = [], EncoderTraining.learn_the_rest

    def watched(self, rows, seconds, place):
        learnt.append(len(rows))
        return real(self, rows, seconds, place)

    monkeypatch.setattr(EncoderTraining, "learn_the_rest", watched)
    monkeypatch.setattr(training, "_MOST_PAIRS_IN_FOLDS", 50)
    pairs = labelled_pairs(150)
    held_out = labelled_pairs(200)[150:] if is_given else None
    texts = [text for pair in pairs for text in (pair.first, pair.second)]
    codec = train_tokenizer("character", lambda: iter(texts), sum(map(len, texts)))
    size = EncoderSize(
        width=64, num_layers=1, tables=NgramTableShape(num_buckets=64, width=8), context_tokens=32
    )
    options = MatcherTrainingSettings(parts="encoder", size=size, pretraining_epochs=0.0, steps=16)
    trained = train_matcher(pairs, held_out, codec, options, place(tmp_path))
    assert learnt == ([] if is_given else [150])
    assert ("rest" in trained.stages) == (not is_given)


def test_what_answers_never_imports_torch():
    modules = "model index metric comparison blending"
    lines = "; ".join(f"import sparrowlm.tasks.match.{name}" for name in modules.split())
    code = (
        f"{lines}; import sys; assert 'torch' not in sys.modules and 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
