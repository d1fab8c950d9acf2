"""Signals of every task, and rows of labelled data as questions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_understanding import small_classifier, small_encoder, small_tagger

import sparrowlm as sp
from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.confidence import (
    GENERATION,
    confident_answers,
    log_odds,
    share_signals,
    text_answer,
)
from sparrowlm.cooperation.judged_rows import judged_rows
from sparrowlm.foundation.errors import DataError, ModelError, SettingError


def answers(model, *texts):
    return list(confident_answers(model, [Question(text) for text in texts]))


def test_classifier_signals_are_those_of_its_probabilities(tmp_path):
    model = Model(small_classifier(tmp_path / "model.gguf"))
    found, prediction = answers(model, "The cat 研究生命")[0], model.predict("The cat 研究生命")[0]
    shares = np.array(list(prediction.probabilities.values()))
    assert (found.answer, found.label) == (prediction.label, prediction.label)
    assert found.confidence == pytest.approx(shares[0])
    assert found.signals["log_odds"] == pytest.approx(math.log(shares[0] / (1 - shares[0])))
    assert found.signals["lead"] == pytest.approx(math.log(shares[0] / shares[1]))
    assert found.signals["certainty"] == pytest.approx(float((shares * np.log(shares)).sum()))


def test_tagger_is_as_sure_as_all_its_spans_and_its_intent(tmp_path):
    model = Model(small_tagger(tmp_path / "model.gguf"))
    texts = ["张小凡去北京", "The cat 研究生命", "c 1", "", "你别的"]
    several = 0
    for found, prediction in zip(answers(model, *texts), model.predict(texts), strict=True):
        sure = [span.probability for span in prediction.spans]
        several += len(sure) > 1
        expected = math.prod(sure) * prediction.intent.probability
        assert found.confidence == pytest.approx(expected, rel=1e-5)
        assert found.signals["least"] == pytest.approx(log_odds(min(sure, default=1.0)))
        assert found.answer["spans"] == [
            [one.start, one.end, one.label] for one in prediction.spans
        ]
        assert found.answer["intent"] == found.label == prediction.intent.label
    assert several


def test_pairs_questions_and_generated_texts(tmp_path):
    rows = [("怎么付款", "如何付款", 1), ("怎么退货", "如何付款", 0)] * 30
    lines = "".join(f"{a}{n},{b},{c}\n" for n, (a, b, c) in enumerate(rows))
    (tmp_path / "pairs.csv").write_text("句子1,句子2,是否相似\n" + lines, encoding="utf-8")
    model = sp.train(tmp_path / "pairs.csv", output=tmp_path / "matcher", model="linear")
    match = model.match("怎么付款", "如何退货")
    (found,) = confident_answers(model, [Question("怎么付款", "如何退货")])
    expected = match.probability if match.is_same else 1 - match.probability
    assert (found.answer, found.confidence) == (match.label, pytest.approx(expected))
    with pytest.raises(ModelError):
        list(confident_answers(model, [Question("怎么付款")]))
    judged = judged_rows(model, [tmp_path / "pairs.csv"])
    assert judged[0].question == Question("怎么付款0", "如何付款")
    assert {row.truths for row in judged} == {("1",), ("0",)}


def test_text_is_as_sure_as_its_tokens_whatever_their_number(tmp_path):
    (tmp_path / "texts.txt").write_text("床前明月光，疑是地上霜。\n" * 40, encoding="utf-8")
    model = sp.train(
        tmp_path / "texts.txt", output=tmp_path / "model", model="ngram", tokenizer="character"
    )  # fmt: skip
    (found,) = answers(model, "床前明月")
    logs = [one.log_probability for one in model.tokens("床前明月", **GENERATION)]
    assert found.confidence == pytest.approx(math.exp(np.mean(logs)))
    assert found.signals["least_log"] == pytest.approx(min(logs))
    assert found.answer.startswith("光")
    long = text_answer("x", [-0.5] * 40)
    assert long.confidence == pytest.approx(text_answer("x", [-0.5]).confidence)
    assert long.signals["sum_log"] == pytest.approx(-20)
    assert text_answer("", []).confidence < 1e-8


@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_signals_are_finite_for_any_shares(shares):
    found = share_signals(sorted(shares, reverse=True))
    assert all(math.isfinite(value) for value in found.values())


def test_models_without_answers_and_pairs_without_a_judge_are_refused(tmp_path):
    encoder = Model(small_encoder(tmp_path / "encoder.gguf"))
    with pytest.raises(ModelError, match="vectors"):
        answers(encoder, "a")
    classifier = Model(small_classifier(tmp_path / "model.gguf"))
    with pytest.raises(SettingError, match="pair"):
        list(confident_answers(classifier, [Question("a", "b")]))


def test_rows_of_labelled_data_are_questions_with_their_answers(tmp_path):
    classifier = Model(small_classifier(tmp_path / "model.gguf"))
    data = tmp_path / "data.csv"
    data.write_text("text,label\na cat,cat\na dog,dog\na cat,dog\nx,cat\ny,dog\n", encoding="utf-8")
    rows = judged_rows(classifier, [data])
    assert [row.truths for row in rows] == [("cat",), ("dog",), ("dog",), ("cat",), ("dog",)]
    data.write_text("", encoding="utf-8")
    with pytest.raises(DataError):
        judged_rows(classifier, [data])
