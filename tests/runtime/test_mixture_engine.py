"""Counting, vectors and mixture: engines against their models, and scores against steps."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import ENGLISH, small_codec, small_ngram, small_parts, small_vectors, token_file

from sparrowlm.models.mixture import gate_features
from sparrowlm.models.recent_text import score_by_recent
from sparrowlm.runtime import ngram_engine
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.mixture_engine import MixtureEngine
from sparrowlm.runtime.ngram_engine import NgramEngine
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.runtime.vectors_engine import VectorsEngine


def mixture() -> tuple[MixtureEngine, np.ndarray]:
    parts = small_parts("mixture")
    neural = TransformerEngine(parts.shape, parts.tensors, "x")
    engine = MixtureEngine(NgramEngine(parts.ngram), neural, parts.gate)
    return engine, token_file(parts.codec, ENGLISH[:3])


def engines() -> dict[str, object]:
    codec = small_codec()
    found, _ids = mixture()
    return {
        "ngram": NgramEngine(small_ngram(codec)),
        "vectors": VectorsEngine(small_vectors(codec.vocab_size)),
        "mixture": found,
    }


@pytest.mark.parametrize("kind", ["ngram", "vectors", "mixture"])
def test_engines_score_what_their_steps_say(kind):
    engine = engines()[kind]
    ids_T = token_file(small_codec(), ENGLISH[:3])[:-1]
    logs_TV = log_softmax(engine.step(ids_T[:-1], engine.start()))
    assert np.allclose(np.exp(logs_TV.astype(np.float64)).sum(axis=1), 1, atol=1e-4)
    expected_T = -logs_TV[np.arange(len(ids_T) - 1), ids_T[1:]]
    assert np.abs(engine.surprisals(ids_T) - expected_T).max() < 2e-4
    assert engine.surprisals(ids_T[:1]).shape == (0,)


@pytest.mark.parametrize("kind", ["ngram", "vectors", "mixture"])
def test_engines_read_long_prompts_for_their_last_row(kind):
    engine = engines()[kind]
    ids_T = token_file(small_codec(), ENGLISH[:3])[:-1]
    one, other = engine.start(), engine.start()
    whole_TV = engine.step(ids_T, one)
    last_TV = engine.step(ids_T, other, is_last_only=True)
    assert last_TV.shape == (1, engine.vocab_size)
    assert np.abs(last_TV[0] - whole_TV[-1]).max() < 1e-4
    more = np.array([262])
    assert np.abs(engine.step(more, one) - engine.step(more, other)).max() < 1e-4


@pytest.mark.parametrize("kind", ["ngram", "vectors", "mixture"])
def test_engines_branch_into_texts_of_their_own(kind):
    engine = engines()[kind]
    prompt_T = token_file(small_codec(), ENGLISH[:1])[:20]
    base = engine.start()
    engine.step(prompt_T, base, is_last_only=True)
    cache = engine.branch(base, [0, 0])
    engine.step_rows(np.array([260, 0]), cache)
    cache = engine.branch(cache, [1, 0, 1])
    found_BV = engine.step_rows(np.array([261, 262, 263]), cache)
    suffixes = [[0, 261], [260, 262], [0, 263]]
    for suffix, found_V in zip(suffixes, found_BV, strict=True):
        alone = engine.start()
        alone_V = engine.step(prompt_T, alone)[-1]
        for token_id in suffix:
            alone_V = engine.step_rows(np.array([token_id]), alone)[0]
        assert np.abs(found_V - alone_V).max() < 1e-4
        if kind != "mixture":  # where a draft is less than a text that was given
            given_V = engine.step(np.array([*prompt_T, *suffix]), engine.start())[-1]
            assert np.abs(found_V - given_V).max() < 1e-4


def test_mixture_engine_accepts_drafts_when_the_text_goes_on():
    engine, ids_T = mixture()
    one, other = engine.start(), engine.start()
    engine.step(ids_T[:20], one)
    engine.step_rows(ids_T[20:21], one)
    engine.step(ids_T[:21], other)
    more_T = ids_T[21:23]
    assert np.abs(engine.step(more_T, one) - engine.step(more_T, other)).max() < 1e-4


def test_ngram_engine_is_its_model():
    model = small_ngram(small_codec())
    engine = NgramEngine(model)
    ids_T = token_file(small_codec(), ENGLISH[:2])
    assert np.allclose(engine.step(ids_T, engine.start()), model.forward(ids_T[None])[0], atol=1e-4)


def test_ngram_engine_scores_long_texts_in_pieces(monkeypatch):
    engine = NgramEngine(small_ngram(small_codec()))
    ids_T = token_file(small_codec(), ENGLISH[:3])
    whole_T = engine.surprisals(ids_T)
    monkeypatch.setattr(ngram_engine, "_SCORED_AT_ONCE", 7)
    assert np.abs(engine.surprisals(ids_T) - whole_T).max() < 1e-9


def test_vectors_engine_is_its_model():
    vectors = small_vectors(300)
    engine = VectorsEngine(vectors)
    ids_T = np.array([0, 5, 6, 7, 8, 9, 0, 0, 7, 299])
    found_TV = engine.step(ids_T, engine.start())
    assert np.allclose(found_TV, vectors.forward(ids_T[None])[0], atol=1e-5)


def test_mixture_engine_follows_its_formula():
    engine, ids_T = mixture()
    parts = small_parts("mixture")
    fed_T = ids_T[:40]
    scores = parts.ngram.score(ids_T[:41])
    neural_TV = log_softmax(engine.neural.step(fed_T, engine.neural.start()))
    recent_T, recent_TF = next(iter(score_by_recent(ids_T[:41], engine.vocab_size)))
    features_TF = gate_features(
        scores.context_counts_TN[1:], scores.num_continuations_TN[1:], recent_TF, neural_TV
    )
    weights_TK = parts.gate.weights(features_TF)
    neural_T = np.exp(neural_TV[np.arange(40), ids_T[1:41]])
    experts_TK = np.concatenate(
        [scores.probabilities_TN[1:], recent_T[:, None], neural_T[:, None]], axis=1
    )
    expected_T = -np.log((weights_TK * experts_TK).sum(axis=1))
    by_part = engine.surprisals_by_part(ids_T[:41])
    assert np.abs(by_part["mixture"] - expected_T).max() < 1e-4
    assert np.abs(by_part["ngram"] + np.log(scores.probabilities_TN[1:, -1])).max() < 1e-5
    assert np.abs(by_part["neural"] + np.log(neural_T)).max() < 1e-4


def test_mixture_engine_joins_pieces_of_different_sizes(monkeypatch):
    engine, ids_T = mixture()
    whole = engine.surprisals_by_part(ids_T)
    monkeypatch.setattr(ngram_engine, "_SCORED_AT_ONCE", 11)
    monkeypatch.setattr("sparrowlm.runtime.windows._TOKENS_AT_ONCE", 32)
    monkeypatch.setattr("sparrowlm.models.recent_text._FORGOTTEN_AT_ONCE", 1 << 20)
    for name, losses_T in engine.surprisals_by_part(ids_T).items():
        assert losses_T.shape == (len(ids_T) - 1,)
        assert np.abs(losses_T - whole[name]).max() < 1e-4
