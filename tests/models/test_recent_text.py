"""The recent text as a model: distributions, scores against predictions, what is forgotten."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.models import recent_text
from sparrowlm.models.recent_text import (
    NUM_RECENT_FEATURES,
    RecentText,
    score_by_recent,
)

VOCABULARY = 6
texts = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=60)


def scored(ids_T: np.ndarray, vocab_size: int = VOCABULARY) -> tuple[np.ndarray, np.ndarray]:
    pieces = list(score_by_recent(ids_T, vocab_size))
    probabilities = [np.zeros(0), *(p for p, _f in pieces)]
    features = [np.zeros((0, NUM_RECENT_FEATURES)), *(f for _p, f in pieces)]
    return np.concatenate(probabilities), np.concatenate(features)


def stepped(ids_T: np.ndarray, vocab_size: int = VOCABULARY) -> tuple[np.ndarray, np.ndarray]:
    recent, probabilities, features = RecentText(), [], []
    for known, wanted in itertools.pairwise(ids_T):
        recent = recent.read(np.array([known]))
        distribution_V, features_F = recent.predict(vocab_size)
        probabilities.append(distribution_V[wanted])
        features.append(features_F)
    return np.array(probabilities), np.array(features).reshape(-1, NUM_RECENT_FEATURES)


def by_the_formula(recent: list[int], vocab_size: int) -> np.ndarray:
    """Witten and Bell, written down with dictionaries."""
    found_V = np.full(vocab_size, 1 / vocab_size)
    for order in range(recent_text.RECENT_ORDERS):
        last = tuple(recent[len(recent) - order :])
        places = [i for i in range(order, len(recent)) if tuple(recent[i - order : i]) == last]
        counts = Counter(recent[i] for i in places) if len(recent) >= order else Counter()
        if not counts:
            return found_V
        escape = len(counts) if order else 0.5
        for token in range(vocab_size):
            found_V[token] = (counts[token] + escape * found_V[token]) / (counts.total() + escape)
    return found_V


@given(texts)
def test_recent_text_follows_its_formula(ids):
    ids = [1 + token % (VOCABULARY - 1) for token in ids]
    found_V, _features = RecentText(np.array(ids)).predict(VOCABULARY)
    assert np.allclose(found_V, by_the_formula(ids, VOCABULARY), atol=1e-6)
    assert found_V.sum() == pytest.approx(1, abs=1e-5)
    assert found_V.min() > 0


@given(texts, st.integers(1, 9))
def test_recent_text_scores_what_its_predictions_say(ids, forgotten_at_once):
    ids_T = np.array(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_text, "_FORGOTTEN_AT_ONCE", forgotten_at_once)
        found, expected = scored(ids_T), stepped(ids_T)
    assert np.allclose(found[0], expected[0], atol=1e-6)
    assert np.allclose(found[1], expected[1], atol=1e-6)


@given(texts, st.integers(0, 60), st.integers(1, 9))
def test_recent_text_is_the_same_read_at_once_or_in_parts(ids, cut, forgotten_at_once):
    ids_T = np.array(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recent_text, "_FORGOTTEN_AT_ONCE", forgotten_at_once)
        whole = RecentText().read(ids_T)
        parts = RecentText().read(ids_T[:cut]).read(ids_T[cut:])
        drafted = RecentText().read(ids_T[:cut])
        for token_id in ids[cut:]:
            drafted = drafted.draft(token_id)
        accepted = drafted.read(ids_T[:0])
    assert whole.given_R.tolist() == parts.given_R.tolist()
    assert len(whole.given_R) < 2 * forgotten_at_once
    if 0 not in ids[cut:]:  # a drafted separator begins anew
        assert whole.given_R.tolist() == accepted.given_R.tolist()


def test_recent_text_begins_anew_after_a_separator():
    assert RecentText().read(np.array([3, 4, 0, 5])).given_R.tolist() == [5]
    assert RecentText().read(np.array([3, 4])).read(np.array([0])).given_R.tolist() == []
    assert RecentText().read(np.array([3, 4])).draft(0).given_R.tolist() == []


def test_recent_text_drafts_are_context_but_no_evidence():
    text = RecentText().read(np.array([7, 8, 9, 7, 8, 9]))
    drafted = text.draft(5)
    assert drafted.predict(10)[0] == pytest.approx(text.draft(4).predict(10)[0])
    assert drafted.draft(7).predict(10)[0].argmax() == 8
    looping = drafted
    for token_id in [5, 6] * 20:
        looping = looping.draft(token_id)
    assert looping.predict(10)[0] == pytest.approx(drafted.predict(10)[0])
    assert RecentText().draft(5).draft(5).predict(10)[0] == pytest.approx(0.1)


def test_recent_text_scores_wide_vocabularies_over_several_blocks():
    ids_T = np.random.default_rng(0).integers(1, 60_000, 10_000)
    ids_T[5_000:] = ids_T[:5_000]  # beyond the larger part of what is remembered
    found_T, features_TF = scored(ids_T, 60_000)
    recent = RecentText().read(ids_T[:-1])
    last_V, last_F = recent.predict(60_000)
    assert found_T[-1] == pytest.approx(last_V[ids_T[-1]], rel=1e-5)
    assert features_TF[-1] == pytest.approx(last_F)
    assert 4096 <= len(recent.given_R) < 8192


def test_recent_text_knows_a_name_that_came_before():
    text = RecentText().read(np.array([0, 7, 8, 9, 3, 4, 7, 8]))
    assert text.predict(100)[0].argmax() == 9
