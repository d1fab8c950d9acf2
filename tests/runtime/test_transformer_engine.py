"""The NumPy decoder against transformers, against our torch network, and against itself."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.runtime.engines import log_softmax
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.training.scoring import log_probabilities


def tiny(**changes) -> TransformerShape:
    sizes = {
        "vocab_size": 37, "width": 44, "num_layers": 3, "num_heads": 6, "num_kv_heads": 3,
        "head_width": 10, "feed_forward_width": 52, "context_tokens": 16,
    }  # fmt: skip
    return TransformerShape(**{**sizes, **changes})


def network(shape: TransformerShape, seed: int = 0) -> TransformerModel:
    generator = torch.Generator().manual_seed(seed)
    model = TransformerModel(shape, generator, residual_init=0.3).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.normal_(1.0, 0.2, generator=generator)
    return model


def weights(model: TransformerModel) -> dict[str, np.ndarray]:
    return {name: view.detach().numpy().copy() for name, view in model.tensors().items()}


def engine_of(shape: TransformerShape, seed: int = 0) -> TransformerEngine:
    return TransformerEngine(shape, weights(network(shape, seed)), "model.safetensors")


def ids_of(length: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 37, length)


@pytest.mark.parametrize(("heads", "kv_heads"), [(6, 3), (6, 6), (6, 1), (1, 1)])
def test_transformer_engine_gives_the_logits_of_transformers(heads, kv_heads):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    shape = tiny(num_heads=heads, num_kv_heads=kv_heads)
    model = network(shape)
    config = shape.hugging_face_config()
    config.pop("architectures")
    peer = Qwen3ForCausalLM(Qwen3Config(**config)).eval()
    peer.load_state_dict({**model.tensors(), "lm_head.weight": model.embedding_VD})
    ids_T = ids_of(16)
    engine = TransformerEngine(shape, weights(model), "x")
    with torch.no_grad():
        expected_TV = peer(torch.from_numpy(ids_T)[None]).logits[0].numpy()
    assert np.abs(engine.step(ids_T, engine.start()) - expected_TV).max() < 1e-4


def test_transformer_engine_agrees_with_our_torch_network_on_long_texts():
    shape = tiny()
    model = network(shape)
    engine = TransformerEngine(shape, weights(model), "x")
    ids_T = ids_of(203)
    expected_TV = np.concatenate(list(log_probabilities(model, ids_T)))
    found_TV = np.concatenate(list(engine.predictions(ids_T)))
    assert found_TV.shape == (202, 37)
    assert np.abs(found_TV - expected_TV).max() < 1e-4


@given(
    length=st.integers(1, 75),
    cuts=st.lists(st.integers(1, 74), max_size=6),
    context=st.integers(1, 17),
)
@settings(max_examples=40, deadline=None)
def test_transformer_engine_is_the_same_in_any_portions(length, cuts, context):
    engine = engine_of(tiny(context_tokens=context, num_layers=2))
    ids_T = ids_of(length)
    one_by_one, portions = engine.start(), engine.start()
    single_TV = np.concatenate([engine.step(ids_T[t : t + 1], one_by_one) for t in range(length)])
    edges = sorted({0, length, *(cut for cut in cuts if cut < length)})
    many_TV = np.concatenate([engine.step(ids_T[a:b], portions) for a, b in pairwise(edges)])
    assert np.abs(single_TV - many_TV).max() < 1e-4
    last_V = engine.step(ids_T, engine.start(), is_last_only=True)
    assert last_V.shape == (1, 37)
    assert np.abs(last_V[0] - single_TV[-1]).max() < 1e-4
    assert np.array_equal(one_by_one.ids_BT(), portions.ids_BT())


@given(length=st.integers(2, 90), context=st.integers(1, 17))
@settings(max_examples=40, deadline=None)
def test_transformer_engine_scores_as_if_fed_id_by_id(length, context):
    engine = engine_of(tiny(context_tokens=context, num_layers=1))
    ids_T = ids_of(length)
    cache = engine.start()
    fed_TV = np.concatenate([engine.step(ids_T[t : t + 1], cache) for t in range(length - 1)])
    expected_T = -log_softmax(fed_TV)[np.arange(length - 1), ids_T[1:]]
    assert np.abs(engine.surprisals(ids_T) - expected_T).max() < 1e-4


def test_transformer_engine_sees_at_least_half_a_window():
    shape = tiny(context_tokens=8)
    engine = engine_of(shape)
    ids_T = ids_of(40)
    changed_T = ids_T.copy()
    changed_T[:12] = (changed_T[:12] + 1) % 37
    before, after = engine.step(ids_T, engine.start()), engine.step(changed_T, engine.start())
    assert np.abs(before[11] - after[11]).max() > 1e-2
    assert np.abs(before[16:] - after[16:]).max() < 1e-6  # windows start at 0, 4, 8, 12, ...


@pytest.mark.parametrize("before", [1, 5, 14, 15, 16, 23])
def test_transformer_engine_branches_are_texts_of_their_own(before):
    engine = engine_of(tiny())
    prompt_T = ids_of(before)
    base = engine.start()
    engine.step(prompt_T, base)
    rows = [list(prompt_T) for _row in range(3)]
    cache = engine.branch(base, [0, 0, 0])
    for turn in range(24):
        fed_B = ids_of(len(rows), seed=turn)
        logits_BV = engine.step_rows(fed_B, cache)
        for row, token_id in zip(rows, fed_B, strict=True):
            row.append(token_id)
        for row, found_V in zip(rows, logits_BV, strict=True):
            alone_V = engine.step(np.array(row), engine.start(), is_last_only=True)[0]
            assert np.abs(found_V - alone_V).max() < 1e-4
        if turn % 5 == 2:
            parents = [len(rows) - 1, 0, 1, 1][: 3 + turn % 2]
            cache = engine.branch(cache, parents)
            rows = [list(rows[parent]) for parent in parents]
    again_V = engine.step(np.array([3]), base)[-1]  # the base never noticed
    alone_V = engine.step(np.array([*prompt_T, 3]), engine.start(), is_last_only=True)[0]
    assert np.abs(again_V - alone_V).max() < 1e-4


def test_transformer_engine_branches_survive_what_their_base_does_next():
    engine = engine_of(tiny())
    base = engine.start()
    engine.step(ids_of(10), base)
    cache = engine.branch(base, [0, 0])
    engine.step(ids_of(30, seed=9), base)  # grows, rebuilds, overwrites
    found_BV = engine.step_rows(np.array([4, 5]), cache)
    for token_id, found_V in zip([4, 5], found_BV, strict=True):
        fed = np.array([*ids_of(10), token_id])
        alone_V = engine.step(fed, engine.start(), is_last_only=True)[0]
        assert np.abs(found_V - alone_V).max() < 1e-4


def test_transformer_engine_reads_half_precision_weights():
    shape = tiny()
    halves = {name: w.astype(np.float16) for name, w in weights(network(shape)).items()}
    wide = {name: w.astype(np.float32) for name, w in halves.items()}
    ids_T = ids_of(9)
    one, other = TransformerEngine(shape, halves, "x"), TransformerEngine(shape, wide, "x")
    assert np.array_equal(one.step(ids_T, one.start()), other.step(ids_T, other.start()))


@pytest.mark.parametrize("damage", ["missing", "shape", "integers", "nan"])
def test_transformer_engine_refuses_wrong_tensors(damage):
    tensors = weights(network(tiny()))
    name = "model.layers.1.self_attn.k_proj.weight"
    match damage:
        case "missing":
            del tensors[name]
        case "shape":
            tensors[name] = tensors[name][:-1]
        case "integers":
            tensors[name] = tensors[name].astype(np.int32)
        case "nan":
            tensors[name][0, 0] = np.nan
    with pytest.raises(DamagedFileError, match="k_proj"):
        TransformerEngine(tiny(), tensors, "model.safetensors")
