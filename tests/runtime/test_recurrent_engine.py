"""The NumPy RNN and LSTM against torch.nn, and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.models.recurrent import RecurrentModel
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.recurrent_engine import RecurrentEngine
from sparrowlm.runtime.windows import SCORING_WINDOW
from sparrowlm.training.scoring import log_probabilities


def shape_of(cell: str, num_layers: int = 2) -> RecurrentShape:
    return RecurrentShape(
        cell=cell, vocab_size=29, embedding_width=18, state_width=23, num_layers=num_layers
    )


def network(shape: RecurrentShape) -> RecurrentModel:
    generator = torch.Generator().manual_seed(0)
    model = RecurrentModel(shape, generator).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.normal_(0.1, 0.3, generator=generator)
            elif "weight_hh" in name:
                weight.mul_(0.9)  # orthogonal before: the past is felt for long, without chaos
    return model


def engine_of(model: RecurrentModel) -> RecurrentEngine:
    tensors = {name: view.detach().numpy().copy() for name, view in model.tensors().items()}
    return RecurrentEngine(model.shape, tensors, "x")


def ids_of(length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 29, length)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_recurrent_engine_gives_the_logits_of_torch(cell, num_layers):
    shape = shape_of(cell, num_layers)
    model = network(shape)
    kind = torch.nn.LSTM if cell == "lstm" else torch.nn.RNN
    peer = kind(18, 23, num_layers, batch_first=True)
    peer.load_state_dict(model.recurrent.state_dict())
    ids_T = ids_of(50)
    with torch.no_grad():
        states, _last = peer(model.embedding_VD[torch.from_numpy(ids_T)][None])
        back = states[0] @ model.projection_DS.T
        expected_TV = (back @ model.embedding_VD.T + model.output_bias_V).numpy()
    engine = engine_of(model)
    assert np.abs(engine.step(ids_T, engine.start()) - expected_TV).max() < 1e-4


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_recurrent_engine_is_the_same_in_any_portions(cell):
    engine = engine_of(network(shape_of(cell)))
    ids_T = ids_of(40)
    whole_TV = engine.step(ids_T, engine.start())
    cache = engine.start()
    portions = [engine.step(part, cache) for part in np.split(ids_T, [1, 2, 20, 33])]
    assert np.abs(whole_TV - np.concatenate(portions)).max() < 1e-5
    last_V = engine.step(ids_T, engine.start(), is_last_only=True)
    assert np.abs(last_V - whole_TV[-1:]).max() < 1e-5


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_recurrent_engine_branches_are_texts_of_their_own(cell):
    engine = engine_of(network(shape_of(cell)))
    base = engine.start()
    engine.step(ids_of(7), base)
    cache = engine.branch(base, [0, 0])
    engine.step_rows(np.array([3, 4]), cache)
    cache = engine.branch(cache, [1, 1, 0])
    found_BV = engine.step_rows(np.array([5, 6, 7]), cache)
    for suffix, found_V in zip([[4, 5], [4, 6], [3, 7]], found_BV, strict=True):
        alone_V = engine.step(np.array([*ids_of(7), *suffix]), engine.start())[-1]
        assert np.abs(found_V - alone_V).max() < 1e-5


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_recurrent_engine_scores_like_the_training_does(cell):
    model = network(shape_of(cell))
    engine = engine_of(model)
    ids_T = ids_of(3 * SCORING_WINDOW + 77)
    expected_TV = np.concatenate(list(log_probabilities(model, ids_T)))
    found_TV = np.concatenate(list(engine.predictions(ids_T)))
    assert np.abs(found_TV - expected_TV).max() < 1e-4


def test_recurrent_engine_scores_exactly_within_one_window():
    engine = engine_of(network(shape_of("lstm")))
    ids_T = ids_of(SCORING_WINDOW + 1)
    logs_TV = log_softmax(engine.step(ids_T[:-1], engine.start()))
    expected_T = -logs_TV[np.arange(SCORING_WINDOW), ids_T[1:]]
    assert np.abs(engine.surprisals(ids_T) - expected_T).max() < 1e-4


def test_recurrent_engine_refuses_missing_tensors():
    model = network(shape_of("lstm"))
    tensors = {name: view.detach().numpy() for name, view in model.tensors().items()}
    del tensors["recurrent.weight_hh_l1"]
    with pytest.raises(DamagedFileError, match="weight_hh_l1"):
        RecurrentEngine(model.shape, tensors, "x")
