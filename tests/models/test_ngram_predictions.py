"""Distributions after many contexts at once: the same bits in C++, in NumPy, and one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.ngram import train_ngram

contexts_of = st.lists(st.lists(st.integers(0, 6), max_size=7), min_size=1, max_size=5)


@given(st.lists(st.integers(0, 6), min_size=3, max_size=60), st.integers(1, 5), contexts_of)
@settings(max_examples=40)
def test_ngram_predictions_are_equal_in_cpp_and_numpy(ids, order, contexts):
    if native_part() is None:
        pytest.skip("the compiled part is not built")
    with pytest.MonkeyPatch.context() as patch:
        model = train_ngram(np.array([0, *ids, 0]), 7, order=order)
        native = model.predict_each(contexts)
        patch.setenv("SPARROW_NATIVE", "0")
        plain = model.predict_each(contexts)
    np.testing.assert_array_equal(native.probabilities_BNV, plain.probabilities_BNV)
    np.testing.assert_array_equal(native.context_counts_BN, plain.context_counts_BN)
    np.testing.assert_array_equal(native.num_continuations_BN, plain.num_continuations_BN)
    assert np.allclose(native.probabilities_BNV.sum(axis=2), 1, atol=1e-5)
    for context, rows_NV in zip(contexts, native.probabilities_BNV, strict=True):
        np.testing.assert_array_equal(model.predict(context).probabilities_NV, rows_NV)


def test_ngram_predictions_are_what_scores_say():
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 9, 400)
    ids[::37] = 0
    model = train_ngram(ids, 9, order=4)
    text = np.concatenate([[0], rng.integers(1, 9, 60)])
    scores = model.score(text)
    found = model.predict_each([text[:t] for t in range(1, len(text))])
    picked = found.probabilities_BNV[np.arange(60), :, text[1:]]
    np.testing.assert_allclose(picked, scores.probabilities_TN[1:], rtol=1e-6)
    np.testing.assert_array_equal(found.context_counts_BN, scores.context_counts_TN[1:])
    np.testing.assert_array_equal(found.num_continuations_BN, scores.num_continuations_TN[1:])
