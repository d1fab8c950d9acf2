"""The decoder against transformers' Qwen3 and against exhaustive definitions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.models.fused_kernels import kernels
from sparrowlm.models.fused_transformer import can_fuse
from sparrowlm.models.transformer import TransformerModel, rms_norm


def tiny(**changes) -> TransformerShape:
    sizes = {
        "vocab_size": 41, "width": 48, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2,
        "head_width": 10, "feed_forward_width": 56, "context_tokens": 24,
    }  # fmt: skip
    return TransformerShape(**{**sizes, **changes})


def randomised(shape: TransformerShape, seed: int = 0) -> TransformerModel:
    generator = torch.Generator().manual_seed(seed)
    model = TransformerModel(shape, generator, residual_init=0.3).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:
                weight.normal_(1.0, 0.2, generator=generator)
    return model


@pytest.mark.parametrize("widths", [{}, {"head_width": 32, "feed_forward_width": 96}])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 2), (4, 4), (4, 1), (1, 1)])
def test_transformer_gives_the_logits_of_transformers_qwen3(heads, kv_heads, widths):
    from transformers import Qwen3Config, Qwen3ForCausalLM

    shape = tiny(num_heads=heads, num_kv_heads=kv_heads, **widths)
    assert not widths or kernels() is None or can_fuse(shape, torch.float32)
    model = randomised(shape)
    config = shape.hugging_face_config()
    config.pop("architectures")
    peer = Qwen3ForCausalLM(Qwen3Config(**config)).eval()
    peer.load_state_dict({**model.tensors(), "lm_head.weight": model.embedding_VD})
    ids_BT = torch.randint(0, shape.vocab_size, (3, 24), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        difference = (model(ids_BT) - peer(ids_BT).logits).abs().max()
    assert difference < 1e-4


def test_transformer_counts_its_parameters():
    shape = tiny()
    model = TransformerModel(shape)
    assert sum(weight.numel() for weight in model.parameters()) == shape.num_parameters()
    assert sum(view.numel() for view in model.tensors().values()) == shape.num_parameters()


def test_transformer_never_sees_the_future():
    model = randomised(tiny())
    ids_BT = torch.arange(20)[None] % 41
    changed_BT = ids_BT.clone()
    changed_BT[0, 12:] = 3
    before, after = model(ids_BT), model(changed_BT)
    assert torch.allclose(before[:, :12], after[:, :12], atol=1e-6)
    assert not torch.allclose(before[:, 12:], after[:, 12:], atol=1e-3)


@pytest.mark.parametrize("widths", [{}, {"head_width": 32, "feed_forward_width": 96}])
def test_encoder_gives_the_states_of_transformers_qwen3_that_is_not_causal(widths):
    from transformers import Qwen3Config, Qwen3Model

    shape = tiny(is_causal=False, **widths)
    model = randomised(shape)
    config = shape.hugging_face_config()
    config.pop("architectures")
    peer = Qwen3Model(Qwen3Config(**config)).eval()
    peer.load_state_dict({n.removeprefix("model."): t for n, t in model.tensors().items()})
    ids_BT = torch.randint(0, shape.vocab_size, (3, 24), generator=torch.Generator().manual_seed(1))
    lengths_B = torch.tensor([24, 7, 1], dtype=torch.int32)
    is_inside_BT = torch.arange(24) < lengths_B[:, None]
    with torch.no_grad():
        wanted_BTD = peer(ids_BT, attention_mask=is_inside_BT.long()).last_hidden_state
        found_BTD = model.hidden(ids_BT, lengths_B)
    assert (found_BTD - wanted_BTD)[is_inside_BT].abs().max() < 1e-4


def test_encoder_sees_both_sides_and_nothing_behind_the_end():
    model = randomised(tiny(is_causal=False))
    ids_BT = torch.arange(20)[None] % 41
    lengths_B = torch.tensor([15], dtype=torch.int32)
    changed_BT = ids_BT.clone()
    changed_BT[0, 15:] = 3
    before, after = model.hidden(ids_BT, lengths_B), model.hidden(changed_BT, lengths_B)
    assert torch.allclose(before[:, :15], after[:, :15], atol=1e-6)
    changed_BT[0, 14] = 3
    after = model.hidden(changed_BT, lengths_B)
    assert not torch.allclose(before[:, 0], after[:, 0], atol=1e-3)


def test_transformer_starts_as_the_identity():
    model = TransformerModel(tiny(), torch.Generator().manual_seed(0))
    ids_BT = torch.tensor([[5, 6, 7]])
    expected = rms_norm(model.embedding_VD[ids_BT], torch.ones(48), 1e-6)
    assert torch.allclose(model.hidden(ids_BT), expected, atol=1e-6)


def test_transformer_loads_what_it_names():
    source, target = randomised(tiny(), 1), randomised(tiny(), 2)
    target.load_tensors({n: t.clone() for n, t in source.tensors().items()}, "x")
    for one, other in zip(source.parameters(), target.parameters(), strict=True):
        assert torch.equal(one, other)


def test_transformer_refuses_missing_and_misshapen_tensors():
    model = randomised(tiny())
    tensors = {n: t.clone() for n, t in model.tensors().items()}
    name = "model.layers.1.mlp.up_proj.weight"
    with pytest.raises(DamagedFileError, match="up_proj"):
        model.load_tensors({n: t for n, t in tensors.items() if n != name}, "x")
    with pytest.raises(DamagedFileError, match="up_proj"):
        model.load_tensors({**tensors, name: tensors[name][:-1]}, "x")


@given(
    width=st.sampled_from([16, 64, 100]),
    layers=st.integers(1, 5),
    groups=st.integers(1, 3),
    kv_heads=st.integers(1, 3),
)
@settings(max_examples=30, deadline=None)
def test_architectures_survive_config_json(width, layers, groups, kv_heads):
    shape = tiny(width=width, num_layers=layers, num_heads=groups * kv_heads, num_kv_heads=kv_heads)
    assert shape_from_config(shape.hugging_face_config(), "config.json") == shape


@pytest.mark.parametrize("config", [{}, {"model_type": "gpt9"}, {"model_type": "qwen3"}])
def test_architectures_refuse_foreign_configs(config):
    with pytest.raises(DamagedFileError):
        shape_from_config(config, "config.json")
