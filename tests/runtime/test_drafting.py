"""A small model guesses, a large one decides: every text is the large one's own, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from gguf_models import gguf_model, gguf_ngram
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import small_codec, small_model

from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime import drafting
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.drafting import (
    MOST_GUESSES,
    DraftedEngine,
    DraftFigures,
    drafted_engine,
    tokens_hash,
)
from sparrowlm.runtime.engines import ScoresInPieces
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.sampling import SamplingSettings

pytestmark = pytest.mark.skipif(native_part() is None, reason="drafts need the compiled engine")
DRAFTS = ("itself", "smaller", "tiny window", "counts")


@pytest.fixture(scope="module", params=["int8", "float32"])
def large(request, tmp_path_factory):
    return open_model(gguf_model(tmp_path_factory.mktemp("large") / "model.gguf", request.param))


@pytest.fixture(scope="module")
def drafts(large, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    return {
        "itself": large,
        "smaller": open_model(gguf_model(folder / "a.gguf", num_layers=1)),
        "tiny window": open_model(gguf_model(folder / "b.gguf", context_tokens=16)),
        "counts": open_model(gguf_ngram(folder / "c.gguf")),
    }


def helped(large, small, *, insists=True):
    return Decoder(DraftedEngine(large.engine, small.engine, insists=insists), large.codec)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(DRAFTS),
    seed=st.integers(0, 2**31),
    temperature=st.sampled_from([0.0, 0.3, 1.0]),
    top_p=st.sampled_from([None, 0.8]),
    penalty=st.sampled_from([1.0, 1.3]),
    length=st.integers(0, 40),
    insists=st.booleans(),
)
def test_texts_are_the_large_models_own(
    large, drafts, name, seed, temperature, top_p, penalty, length, insists
):
    random = np.random.default_rng(seed)
    ids = random.integers(1, large.codec.vocab_size, length)
    prompt = large.codec.decode([int(one) for one in ids])
    sampling = SamplingSettings(
        temperature=temperature, top_p=top_p, repetition_penalty=penalty, seed=seed
    )
    wish = DecodingSettings(sampling=sampling, max_tokens=120)  # longer than the window
    plain = list(Decoder(large.engine, large.codec).ids(prompt, wish))
    decoder = helped(large, drafts[name], insists=insists)
    assert list(decoder.ids(prompt, wish)) == plain
    figures = decoder._engine.figures
    assert figures.num_right <= figures.num_guessed
    if insists and name == "itself" and temperature == 0.0 and penalty == 1.0 and len(plain) > 40:
        assert figures.num_right > 10


@given(seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_scores_are_the_large_models_own_however_a_cache_is_used(large, drafts, seed):
    random = np.random.default_rng(seed)
    engine = DraftedEngine(large.engine, drafts["smaller"].engine, insists=True)
    plain = large.engine
    cache, expected = engine.start(), plain.start()
    for _turn in range(12):
        count = int(random.choice([1, 1, 1, 5]))
        ids = random.integers(1, plain.vocab_size, count)
        found = engine.step(ids, cache)
        np.testing.assert_array_equal(found, plain.step(ids, expected))
    rows = np.array([3, 4], dtype=np.int64)
    branch, other = engine.branch(cache, [0, 0]), plain.branch(expected, [0, 0])
    np.testing.assert_array_equal(engine.step_rows(rows, branch), plain.step_rows(rows, other))
    caches = [engine.branch(cache, [0]), engine.branch(cache, [0])]
    others = [plain.branch(expected, [0]) for _cache in caches]
    found = engine.step_together(rows, caches)
    np.testing.assert_array_equal(found, plain.step_together(rows, others))
    one = np.array([5], dtype=np.int64)
    np.testing.assert_array_equal(engine.step(one, caches[0]), plain.step(one, others[0]))
    np.testing.assert_array_equal(engine.step(one, cache), plain.step(one, expected))
    text = random.integers(1, plain.vocab_size, 30)
    np.testing.assert_array_equal(engine.surprisals(text), plain.surprisals(text))


class Wrong(ScoresInPieces):
    """An engine whose likeliest id never comes."""

    def __init__(self, vocab_size):
        self.vocab_size = vocab_size

    def start(self):
        return []

    def branch(self, cache, rows):
        return list(cache)

    def step(self, ids_T, cache, *, is_last_only=False):
        logits_TV = np.zeros((1, self.vocab_size), dtype=np.float32)
        logits_TV[0, 0] = 1.0
        return logits_TV

    def step_rows(self, ids_B, cache):
        raise NotImplementedError

    def surprisal_pieces(self, ids_T):
        raise NotImplementedError


def test_guesses_that_never_come_true_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(drafting, "_QUICKEST_S", 0.0)
    large = open_model(gguf_model(tmp_path / "model.gguf", context_tokens=2048))
    engine = DraftedEngine(large.engine, Wrong(large.engine.vocab_size))
    cache = engine.start()
    random = np.random.default_rng(0)
    for token_id in random.integers(1, large.engine.vocab_size, 1500):
        engine.step(np.array([token_id]), cache)
    figures = engine.figures
    assert (figures.num_ids, figures.num_right) == (1500, 0)
    assert 1 <= figures.num_lost <= figures.num_trials <= 5
    assert 0 < figures.num_guessed < 0.2 * figures.num_ids


def test_large_model_that_is_quicker_than_asking_is_left_alone(large, monkeypatch):
    monkeypatch.setattr(drafting, "_QUICKEST_S", 10.0)
    engine = DraftedEngine(large.engine, large.engine)
    cache = engine.start()
    for token_id in [1, 2, 3] * 60:
        engine.step(np.array([token_id]), cache)
    assert (engine.figures.num_trials, engine.figures.num_guessed) == (0, 0)


def trials(ids, alone_s, guessing_s):
    """Count ids with guesses, where each takes so long alone and with them, and all seconds."""
    figures = DraftFigures()
    found = drafting._Trials(figures)
    num_guessing, seconds = 0, 0.0
    for _number in range(ids):
        num_guessing += found.is_guessing
        took = guessing_s if found.is_guessing else alone_s
        seconds += took
        found.took(took)
    return num_guessing, seconds


@given(st.floats(1.1, 50), st.integers(200, 20_000))
def test_guessing_that_does_not_pay_costs_next_to_nothing(slower, ids):
    _num_guessing, seconds = trials(ids, 0.001, 0.001 * slower)
    lost_ids = seconds / 0.001 - ids
    # Every trial ends after what three ids take and one more, and trials grow rare.
    num_trials = 1 + np.log2(1 + ids / drafting._FIRST_REST)
    assert lost_ids <= num_trials * (3 + slower) + 1e-6


@given(st.floats(0.1, 0.9), st.integers(400, 20_000))
def test_guessing_that_pays_goes_on(faster, ids):
    num_guessing, seconds = trials(ids, 0.001, 0.001 * faster)
    assert num_guessing >= 0.7 * ids
    assert seconds < 0.001 * ids


@given(st.floats(0, 1), st.sampled_from([1, 2, 4, MOST_GUESSES]), st.floats(0.01, 1))
def test_gain_is_what_guessing_brings_on_average(is_right, count, guess_s):
    figures = DraftFigures(is_right=is_right, alone_s=1.0, guess_s=guess_s, rows_s={count: 1.5})
    random = np.random.default_rng(1)
    came_true = (random.random((4000, count)) < is_right).cumprod(axis=1).sum(axis=1)
    assert abs(figures.gain(count) - (1 + came_true.mean()) / (1.5 + count * guess_s)) < 0.2


def test_models_that_do_not_fit_are_refused(large, tmp_path):
    same = (large.engine, large.codec)
    assert isinstance(drafted_engine(same, same), DraftedEngine)
    other = small_codec("word")
    assert tokens_hash(other) != tokens_hash(large.codec)
    with pytest.raises(ModelError, match="tokenizer"):
        drafted_engine(same, (large.engine, other))
    counts = open_model(small_model(tmp_path / "ngram", "ngram"))
    with pytest.raises(ModelError, match="compiled"):
        drafted_engine((counts.engine, large.codec), same)
