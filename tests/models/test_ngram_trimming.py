"""An n-gram table of fewer ids: a distribution over those that are left, proportions kept."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import small_codec, small_ngram

from sparrowlm.foundation.progress import SilentProgress

CODEC = small_codec()


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_probabilities_sum_to_one_over_what_is_left(share):
    ngram = small_ngram(CODEC)
    if share < 1.0:
        ngram = ngram.pruned(int(ngram.size_bytes() * share), SilentProgress())
    counts = ngram.table.levels[0].counts.all()
    kept = np.flatnonzero((counts > 3) | (np.arange(len(counts)) < 257))
    small = ngram.trimmed(kept)
    assert small.vocab_size == len(kept) < ngram.vocab_size
    assert small.size_bytes() < ngram.size_bytes()
    new = {int(old): place for place, old in enumerate(kept)}
    text = [new[one] for one in CODEC.encode("The cat sat on the log.") if one in new]
    for end in range(len(text)):
        found = small.predict([0, *text[:end]])
        assert found.probabilities_NV.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


def test_all_ids_kept_change_no_probability():
    ngram = small_ngram(CODEC).pruned(2000, SilentProgress())
    same = ngram.trimmed(np.arange(ngram.vocab_size))
    ids = np.array([0, *CODEC.encode("The dog saw the cat.")])
    assert np.array_equal(same.score(ids).probabilities_TN, ngram.score(ids).probabilities_TN)


def test_what_is_left_keeps_its_proportions_in_a_context():
    ngram = small_ngram(CODEC)
    context = CODEC.encode("the ")
    before = ngram.predict(context).probabilities_NV[-1]
    gone = CODEC.encode("d")[0]
    kept = np.delete(np.arange(ngram.vocab_size), gone)
    after = ngram.trimmed(kept).predict([int(np.flatnonzero(kept == one)[0]) for one in context])
    cat, mat = (CODEC.encode(letter)[0] for letter in "cm")
    ratio = after.probabilities_NV[-1][np.flatnonzero(kept == cat)[0]] / before[cat]
    assert ratio > 1.0
    other = after.probabilities_NV[-1][np.flatnonzero(kept == mat)[0]] / before[mat]
    assert other > 1.0
