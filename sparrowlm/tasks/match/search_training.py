"""Training of the index: which n-grams identify a question, learnt from noise on the questions.

    weight of an n-gram = one number per (order, how many entries hold it), shared  minus  unshared
    learnt so that, of a question changed by noise, the question it came from wins against its
    nearest rivals: cross-entropy over them, pulled a little towards zero

and how much a best hit is to be believed, from questions whose entry was taken away half the time.

Shape letters: N entries, F n-grams, P holdings, B changed questions, G groups of n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.tasks.match.blending import logistic_regression
from sparrowlm.tasks.match.index import (
    NUM_RIVALS,
    AnswerIndex,
    Confidence,
    Postings,
    TextBlob,
    answer_keys,
    evidence,
    largest,
    question_keys,
)
from sparrowlm.tasks.match.noise import QuestionNoise
from sparrowlm.tasks.match.rivals import Holdings, Rivals, softmax_regression
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings
from sparrowlm.text.segmentation import WordSegmenter
from sparrowlm.training.linear import needs_scikit_learn

NUM_BINS = 12  # of the base-2 logarithm of how many entries hold an n-gram
_NUM_ROUNDS, _NUM_PASSES = 3, 2
_MOST_ENTRIES, _CHUNK = 3000, 500
_NUM_CONFIDENCE = 2000
_ANSWERS = NgramFeatureSettings(most_characters=0, most_words=1)

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class IndexData:
    """What an index is made of.

    Attributes:
        questions: stored questions.
        answers: as many.
        features: n-grams of questions, and of answers.
        segmenter: cuts words.
        seed: of the noise.
    """

    questions: Sequence[str]
    answers: Sequence[str]
    features: tuple[NgramFeatures, NgramFeatures]
    segmenter: WordSegmenter
    seed: int

    @staticmethod
    def of(
        pairs: Sequence[tuple[str, str]],
        settings: NgramFeatureSettings,
        words: Sequence[str],
        seed: int,
    ) -> IndexData:
        """Take pairs of question and answer."""
        segmenter = WordSegmenter(words)
        features = NgramFeatures(settings, segmenter), NgramFeatures(_ANSWERS, segmenter)
        questions, answers = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        return IndexData(questions, answers, features, segmenter, seed)


def train_index(data: IndexData) -> AnswerIndex:
    """Learn weights and confidence.

    Args:
        data: at least one entry.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    needs_scikit_learn()
    holdings = _holdings(data)
    shared_G, unshared_G = _learnt_weights(data, holdings)
    index = AnswerIndex(
        _postings(data, holdings, shared_G, unshared_G),
        TextBlob.of(data.questions),
        TextBlob.of(data.answers),
        None,
        data.features,
    )
    index.confidence = learnt_confidence(index, data)
    return index


def _holdings(data: IndexData) -> Holdings:
    of_questions = data.features[0].counts(data.questions)
    of_answers = data.features[1].counts(data.answers)
    keys_P = np.concatenate([of_questions.keys_N, answer_keys(of_answers.keys_N)])
    rows_P = np.concatenate([of_questions.rows_N, of_answers.rows_N])
    from_answer_P = np.arange(len(keys_P)) >= len(of_questions.keys_N)
    both_P = np.unique((keys_P.astype(np.uint64) << np.uint64(32)) | rows_P.astype(np.uint64))
    keys_F, columns_P = np.unique((both_P >> np.uint64(32)).astype(np.uint32), return_inverse=True)
    is_answer_F = np.isin(keys_F, keys_P[from_answer_P])
    kinds = _orders(data, keys_F)
    kinds[is_answer_F] = kinds.max(initial=0) + 1
    num_holders_F = np.bincount(columns_P, minlength=len(keys_F))
    bins_F = np.minimum(np.log2(np.maximum(num_holders_F, 1)).astype(np.int64), NUM_BINS - 1)
    num_groups = (int(kinds.max(initial=0)) + 1) * NUM_BINS
    return Holdings(
        keys_F, both_P.astype(np.uint32).astype(np.int64), columns_P,
        kinds * NUM_BINS + bins_F, is_answer_F, num_groups,
    )  # fmt: skip


def _orders(data: IndexData, keys_F: Any) -> Numbers:  # noqa: ANN401
    """Return a number for the length of every n-gram, words apart from characters."""
    settings = data.features[0].settings
    kinds_F = np.zeros(len(keys_F), dtype=np.int64)
    most_characters, most_words = settings.most_characters, settings.most_words
    smaller = [(length, 0) for length in range(1, most_characters)]
    smaller += [(most_characters, length) for length in range(most_words)]
    for characters, words in smaller:
        one = NgramFeatureSettings(most_characters=characters, most_words=words)
        found = NgramFeatures(one, data.segmenter).counts(data.questions).keys_N
        kinds_F += ~np.isin(keys_F, found)
    return kinds_F


def _postings(
    data: IndexData, holdings: Holdings, shared_G: Matrix, unshared_G: Matrix
) -> Postings:
    num_entries = len(data.questions)
    starts_F1 = np.searchsorted(holdings.columns_P, np.arange(len(holdings.keys_F) + 1))
    unshared_F = np.where(holdings.is_answer_F, 0.0, unshared_G[holdings.groups_F])
    bias_N = np.bincount(holdings.rows_P, unshared_F[holdings.columns_P], num_entries)
    weights_F = shared_G[holdings.groups_F] - unshared_F
    first: dict[str, int] = {}
    twins = [first.setdefault(text.strip(), n) for n, text in enumerate(data.questions)]
    dtype = np.uint16 if num_entries <= 1 << 16 else np.uint32
    rare_F = np.flatnonzero((holdings.groups_F % NUM_BINS == 0) & ~holdings.is_answer_F)
    # As the file will hold them.
    stored_F, stored_N = _as_stored(weights_F), _as_stored(bias_N)
    return Postings(
        holdings.keys_F,
        stored_F,
        starts_F1,
        holdings.rows_P.astype(dtype),
        np.array(twins, dtype=np.uint32),
        stored_N,
        float(stored_F[rare_F].mean()) if len(rare_F) else 1.0,
    )


def _learnt_weights(data: IndexData, holdings: Holdings) -> tuple[Matrix, Matrix]:
    """Return what a shared and an unshared n-gram of every group is worth."""
    from scipy.sparse import csr_matrix, vstack

    num_entries, num_features = len(data.questions), len(holdings.keys_F)
    held = csr_matrix(
        (np.ones(len(holdings.rows_P), np.float32), (holdings.rows_P, holdings.columns_P)),
        shape=(num_entries, num_features),
    )
    random = random_generator(data.seed, "entries to learn from")
    chosen = np.sort(random.permutation(num_entries)[:_MOST_ENTRIES])
    noise = QuestionNoise(data.questions, data.answers, data.segmenter, data.seed)
    numbers = np.tile(chosen, _NUM_ROUNDS)
    asked = vstack(
        [
            _asked(data, holdings, [noise.variant(int(n)) for n in part])
            for part in np.array_split(numbers, max(len(numbers) // _CHUNK, 1))
        ]
    ).tocsr()
    rivals = Rivals(asked, held[chosen], holdings, np.searchsorted(chosen, numbers))
    nearest_BK = rivals.nearest(*rivals.first_guess())
    for _ in range(_NUM_PASSES):
        weights_G = softmax_regression(*rivals.counted(nearest_BK))
        shared_G, unshared_G = np.split(weights_G, 2)
        # Whoever wins with these weights without having been a rival is one in the next pass.
        others_BK = rivals.nearest(*rivals.weighed(shared_G, unshared_G))
        half = nearest_BK.shape[1] // 2
        kept_BK = nearest_BK[:, :half]
        nearest_BK = np.concatenate([others_BK[:, : others_BK.shape[1] - half], kept_BK], axis=1)
    return shared_G, unshared_G


def _asked(data: IndexData, holdings: Holdings, questions: Sequence[str]) -> Any:  # noqa: ANN401
    from scipy.sparse import csr_matrix

    rows, keys = question_keys(data.features, questions)
    shape = (len(questions), len(holdings.keys_F))
    last = max(len(holdings.keys_F) - 1, 0)
    columns = np.minimum(np.searchsorted(holdings.keys_F, keys), last)
    known = holdings.keys_F[columns] == keys if len(holdings.keys_F) else columns < 0
    ones = np.ones(int(known.sum()), dtype=np.float32)
    return csr_matrix((ones, (rows[known], columns[known])), shape=shape)


def _as_stored(numbers: Any) -> Matrix:  # noqa: ANN401
    stored: Matrix = numbers.astype(np.float16).astype(np.float32)
    return stored


def learnt_confidence(index: AnswerIndex, data: IndexData) -> Confidence:
    """Learn when the best hit is right, from changed questions; every second one has no answer.

    Args:
        index: with weights.
        data: what it was made of.
    """
    evidence_B5, is_right_B = confidence_examples(index, data, data.seed + 1)
    weights_5, offset = logistic_regression(evidence_B5.astype(np.float64), is_right_B)
    return Confidence(tuple(weights_5.tolist()), offset)


def num_asked(num_entries: int, most: int) -> int:
    """Return how many changed questions tell something: a few of every entry."""
    return min(most, 4 * num_entries + 16)


def confidence_examples(
    index: AnswerIndex, data: IndexData, seed: int
) -> tuple[Float32[np.ndarray, "questions 5"], Float32[np.ndarray, " questions"]]:
    """Ask changed questions; of every second one the entry, and its twins, are taken away.

    Args:
        index: with weights.
        data: what it was made of.
        seed: of the noise: another one than that of the weights.

    Returns:
        Evidence for the best hit; 1.0 where it was right.
    """
    random = random_generator(seed, "entries to doubt")
    noise = QuestionNoise(data.questions, data.answers, data.segmenter, seed)
    numbers = random.integers(len(index), size=num_asked(len(index), _NUM_CONFIDENCE))
    twins_N = index.postings.twins_N
    found, is_right = [], []
    for place, number in enumerate(numbers.tolist()):
        question = noise.variant(number)
        scores_N, most = index.scores(question_keys(index.features, [question])[1])
        is_gone = place % 2 == 1
        if is_gone:
            scores_N = np.where(twins_N == twins_N[number], np.float32(-30.0), scores_N)
        entries = largest(scores_N, NUM_RIVALS)
        found.append(evidence(scores_N[entries], twins_N[entries], most, len(question)))
        is_right.append(not is_gone and twins_N[entries[0]] == twins_N[number])
    return np.stack(found), np.array(is_right, dtype=np.float32)
