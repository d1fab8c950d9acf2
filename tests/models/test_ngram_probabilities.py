"""The n-gram against a dictionary implementation, exhaustive sums, and recounting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ngram_reference import Reference, events_of, random_text

from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.ngram import train_ngram
from sparrowlm.models.protocol import LanguageModel

SPARE = dict(max_examples=25, deadline=None)


@pytest.fixture(params=["numpy", "native"])
def part(request, monkeypatch):
    monkeypatch.setenv("SPARROW_NATIVE", "1" if request.param == "native" else "0")
    if request.param == "native" and native_part() is None:
        pytest.skip("the compiled part is not built")
    return request.param


def texts(vocab_size=4, longest=60):
    return st.lists(st.integers(0, vocab_size - 1), min_size=1, max_size=longest)


@given(ids=texts(), order=st.integers(1, 5))
@settings(**SPARE)
def test_sums_are_one_over_all_ids_after_every_context(ids, order):
    model = train_ngram(np.array(ids), 4, order=order)
    for length in range(4):
        for context in np.ndindex(*(4,) * length):
            rows = model.predict(list(context)).probabilities_NV
            np.testing.assert_allclose(rows.sum(axis=1), 1, atol=2e-6)
            assert rows.min() > 0
    logits = model.forward(np.array([[0, *ids]]))
    np.testing.assert_allclose(np.exp(logits.astype(np.float64)).sum(-1), 1, atol=1e-6)


@given(ids=texts(), order=st.integers(1, 5), other=texts(longest=12))
@settings(**SPARE)
def test_probabilities_are_those_of_the_dictionaries(ids, order, other):
    model = train_ngram(np.array(ids), 4, order=order)
    reference = Reference(events_of(ids), 4, order, model.discounts_NC)
    scores = model.score(other)
    for t, word in enumerate(other):
        expected = reference.probabilities(other[:t], word)
        np.testing.assert_allclose(scores.probabilities_TN[t], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("vocab_size", "length", "order"), [(2, 300, 6), (30, 2000, 4), (9, 800, 7)]
)
def test_a_longer_text_agrees_too(part, vocab_size, length, order):
    generator = np.random.default_rng(vocab_size)
    ids = random_text(generator, vocab_size, length)
    other = random_text(generator, vocab_size, 150)
    model = train_ngram(ids, vocab_size, order=order)
    reference = Reference(events_of(ids), vocab_size, order, model.discounts_NC)
    scores = model.score(other)
    logits = model.forward(other[None])[0]
    for t, word in enumerate(other):
        expected = reference.probabilities(other[:t], word)
        np.testing.assert_allclose(scores.probabilities_TN[t], expected, rtol=1e-6)
        prediction = model.predict(other[:t])
        np.testing.assert_allclose(prediction.probabilities_NV[:, word], expected, rtol=1e-6)
        assert prediction.context_counts_N.tolist() == scores.context_counts_TN[t].tolist()
        assert prediction.num_continuations_N.tolist() == scores.num_continuations_TN[t].tolist()
        if t:
            assert logits[t - 1, word] == pytest.approx(np.log(expected[-1]), abs=1e-5)


def test_counts_of_contexts_are_those_of_the_text(part):
    ids = random_text(np.random.default_rng(5), 5, 400)
    model = train_ngram(ids, 5, order=4)
    reference = Reference(events_of(ids), 5, 4, model.discounts_NC)
    scores = model.score(ids)
    start = 0
    for t in range(1, len(ids)):
        start = t - 1 if ids[t - 1] == 0 else start
        context = ids[start:t].tolist()
        for n in range(1, 5):
            expected = (0, 0)
            if n - 1 <= len(context):
                expected = reference.context_statistics(context[len(context) - n + 1 :], n)
            found = (scores.context_counts_TN[t, n - 1], scores.num_continuations_TN[t, n - 1])
            assert found == expected


@pytest.mark.parametrize(
    ("vocab_size", "length", "order"), [(3, 60, 4), (6, 200, 3), (2, 40, 5), (5, 90, 1)]
)
def test_leaving_one_out_is_counting_all_other_events(part, vocab_size, length, order):
    ids = random_text(np.random.default_rng(length), vocab_size, length)
    model = train_ngram(ids, vocab_size, order=order)
    events = events_of(ids)
    scores = model.score(ids, leave_one_out=True)
    for t in range(1, len(ids)):
        rest = events[: t - 1] + events[t:]
        reference = Reference(rest, vocab_size, order, model.discounts_NC)
        expected = reference.probabilities(ids[:t].tolist(), int(ids[t]))
        np.testing.assert_allclose(scores.probabilities_TN[t], expected, rtol=1e-6)


def test_left_out_events_have_smaller_counts_and_lower_probabilities(part):
    ids = random_text(np.random.default_rng(1), 20, 3000)
    model = train_ngram(ids, 20, order=5)
    usual, left_out = model.score(ids), model.score(ids, leave_one_out=True)
    known = usual.context_counts_TN > 0
    drop = usual.context_counts_TN - left_out.context_counts_TN
    assert (drop[known] == 1).all()
    mean_usual, mean_left = (np.log(s.probabilities_TN[1:, -1]).mean() for s in (usual, left_out))
    assert mean_left < mean_usual - 0.5


def test_it_is_a_language_model_behind_the_common_door():
    model = train_ngram(np.array([0, 1, 2, 1, 2, 0]), 3, order=2)
    assert isinstance(model, LanguageModel)
    assert model.config() == {"model_type": "sparrow_ngram", "vocab_size": 3, "order": 2}


def test_a_context_never_reaches_over_a_separator(part):
    ids = np.array([0, 1, 2, 0, 1, 3, 0, 2, 2, 0])
    model = train_ngram(ids, 4, order=4)
    alone = model.predict([0, 1])
    after_others = model.predict([3, 2, 0, 1])
    np.testing.assert_array_equal(alone.probabilities_NV, after_others.probabilities_NV)
    assert after_others.context_counts_N.tolist() == [9, 2, 2, 0]


def test_numpy_and_compiled_part_give_the_same_bits(monkeypatch):
    if native_part() is None:
        pytest.skip("the compiled part is not built")
    generator = np.random.default_rng(8)
    for vocab_size, length, order in [(3, 5000, 9), (300, 90_000, 4), (70_000, 3000, 3)]:
        ids = np.concatenate([[0], generator.zipf(1.3, length) % vocab_size, [0]])
        monkeypatch.setenv("SPARROW_NATIVE", "1")
        native = train_ngram(ids, vocab_size, order=order)
        native_scores = [native.score(ids, leave_one_out=left) for left in (False, True)]
        native_logits = native.forward(ids[None, :9])
        monkeypatch.setenv("SPARROW_NATIVE", "0")
        plain = train_ngram(ids, vocab_size, order=order)
        plain_scores = [plain.score(ids, leave_one_out=left) for left in (False, True)]
        np.testing.assert_array_equal(native_logits, plain.forward(ids[None, :9]))
        for one, two in zip(native_scores, plain_scores, strict=True):
            for field in ("probabilities_TN", "context_counts_TN", "num_continuations_TN"):
                np.testing.assert_array_equal(getattr(one, field), getattr(two, field))
