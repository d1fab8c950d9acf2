"""Search among stored questions: floors as they are defined, order, damage, strange questions."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from tasks.match.matchers import ANSWERS, trained_on_both

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.tasks.match.floors import BM25, LENGTH_SHARE, SATURATION, TF_IDF, floor_index
from sparrowlm.tasks.match.index import AnswerIndex, TextBlob, largest, question_keys
from sparrowlm.tasks.match.noise import QuestionNoise, joined
from sparrowlm.tasks.match.search_training import IndexData
from sparrowlm.tasks.match.self_training import places
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings
from sparrowlm.text.segmentation import WordSegmenter

QUESTIONS = [pair.first for pair in ANSWERS] + ["怎么怎么还还款款", "abc abc 还款"]
FEATURES = NgramFeatures(NgramFeatureSettings(most_characters=2, most_words=1))


def _keys(text: str) -> list[str]:
    return [str(key) for key in FEATURES.occurrences([text]).keys_N]


def _scores(kind: str, question: str) -> np.ndarray:
    index = floor_index(kind, QUESTIONS, QUESTIONS, FEATURES)
    return index.scores(question_keys(index.features, [question])[1])[0]


def test_bm25_equals_its_definition():
    documents = [Counter(_keys(text)) for text in QUESTIONS]
    mean = sum(sum(d.values()) for d in documents) / len(documents)
    question = set(_keys("怎么还款呢"))
    expected = []
    for document in documents:
        length = sum(document.values())
        total = 0.0
        for key in question & set(document):
            holders = sum(key in other for other in documents)
            idf = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
            damping = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * length / mean)
            total += idf * document[key] * (SATURATION + 1) / (document[key] + damping)
        expected.append(total)
    assert _scores(BM25, "怎么还款呢") == pytest.approx(np.array(expected), rel=1e-5)


def test_tf_idf_equals_scikit_learn():
    theirs = TfidfVectorizer(analyzer=_keys, sublinear_tf=True)
    stored = theirs.fit_transform(QUESTIONS)
    asked = theirs.transform(["怎么还款呢"])
    expected = (stored @ asked.T).toarray()[:, 0]
    ours = _scores(TF_IDF, "怎么还款呢")
    # Theirs divides by the length of the question's vector, which is the same for every entry.
    assert ours / np.linalg.norm(ours) == pytest.approx(
        expected / np.linalg.norm(expected), rel=1e-5
    )


def test_every_stored_question_finds_itself_first():
    index = trained_on_both().matcher.index
    found = places(index, [pair.first for pair in ANSWERS], np.arange(len(ANSWERS)))
    assert (found == 0).all()


def test_fewer_answers_are_the_first_of_more():
    index = trained_on_both().matcher.index
    many = index.search("请问怎样还款花呗", 20)
    assert index.search("请问怎样还款花呗", 3) == many[:3]
    assert [hit.score for hit in many] == sorted((hit.score for hit in many), reverse=True)
    assert all(0 <= hit.probability <= 1 for hit in many)
    assert all(hit.probability <= max(many[0].probability, 0.5) for hit in many)


@pytest.mark.parametrize(
    "question", ["", " ", "😀", "\ud800还款", "还款" * 500_000, "\0", "ａｂｃ"]
)
def test_strange_questions_are_answered(question):
    hits = trained_on_both().matcher.index.search(question, 3)
    assert len(hits) == 3
    assert all(math.isfinite(hit.score) and 0 <= hit.probability <= 1 for hit in hits)


def test_an_index_comes_back_from_its_file(tmp_path):
    index = trained_on_both().matcher.index
    path = tmp_path / "answers.bin"
    index.save(path)
    assert path.stat().st_size == index.size_bytes()
    again = AnswerIndex.load(path, WordSegmenter())
    for question in ("怎么还款", "如何修改密码呢", "😀", ""):
        assert again.search(question, 5) == index.search(question, 5)
    assert again.questions.text(3) == ANSWERS[3].first
    assert again.answers.text(3) == ANSWERS[3].second


def test_a_floor_comes_back_from_its_file(tmp_path):
    index = floor_index(BM25, QUESTIONS, QUESTIONS, FEATURES)
    index.save(tmp_path / "floor.bin")
    again = AnswerIndex.load(tmp_path / "floor.bin", WordSegmenter())
    assert [h.entry for h in again.search("怎么还款", 5)] == [
        h.entry for h in index.search("怎么还款", 5)
    ]


def test_a_damaged_index_is_refused(tmp_path):
    path = tmp_path / "answers.bin"
    trained_on_both().matcher.index.save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError):
        AnswerIndex.load(path, WordSegmenter())


def test_largest_keeps_the_order_of_equal_scores():
    scores = np.array([1, 3, 3, 0, 3, 2], dtype=np.float32)
    assert largest(scores, 2).tolist() == [1, 2]
    assert largest(scores, 99).tolist() == [1, 2, 4, 5, 0, 3]


def test_texts_come_back_from_their_bytes():
    texts = ["", "还款", "\ud800", "a😀"]
    blob = TextBlob.of(texts)
    assert [blob.text(number) for number in range(4)] == texts


def test_noise_depends_on_the_seed_alone_and_keeps_something():
    def made(seed: int) -> list[str]:
        noise = QuestionNoise(QUESTIONS, QUESTIONS, WordSegmenter(), seed)
        return [noise.variant(number) for number in range(len(QUESTIONS))]

    assert made(1) == made(1) != made(2)
    assert sum(bool(set(a) & set(b)) for a, b in zip(made(1), QUESTIONS, strict=True)) > 60
    assert QuestionNoise([""], [""], WordSegmenter(), 0).variant(0) == ""
    assert joined(["用", "open", "file", "吗"]) == "用open file吗"


def test_data_of_an_index_are_pairs():
    data = IndexData.of([("q", "a")], NgramFeatureSettings(), (), 0)
    assert (data.questions, data.answers) == (["q"], ["a"])
