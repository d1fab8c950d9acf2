"""Adapters and frozen encoders: what moves, what does not, what is left at the end."""

from __future__ import annotations

import pytest
import torch

from sparrowlm.models.adapters import add_adapters, freeze_encoder, merge_adapters
from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.models.heads import ClassifierModel
from sparrowlm.training.encoder_stage import EncoderSize

SIZE = EncoderSize(
    width=64, num_layers=2, tables=NgramTableShape(num_buckets=32, width=8), context_tokens=16
)
IDS_BT = torch.arange(1, 13).view(2, 6)
LENGTHS_B = torch.tensor([6, 4], dtype=torch.int32)


def classifier(seed=0):
    generator = torch.Generator().manual_seed(seed)
    model = ClassifierModel(SIZE.shape(20), SIZE.tables, 3, generator)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 2 and not weight.any():
                weight.normal_(0.0, 0.1, generator=generator)
    return model


def one_step(model):
    """Train for a moment and return the names of the parameters that moved."""
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=0.1)
    for _step in range(2):  # the adapters' first factor moves once the second is not zero
        model.label_logits(IDS_BT, LENGTHS_B).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return {
        name for name, tensor in model.named_parameters() if not torch.equal(tensor, before[name])
    }


def test_adapters_begin_as_nothing():
    model = classifier()
    before = model.label_logits(IDS_BT, LENGTHS_B).detach()
    add_adapters(model, 4, torch.Generator().manual_seed(1))
    assert torch.allclose(model.label_logits(IDS_BT, LENGTHS_B), before, atol=1e-6)
    assert model.matrices() == []


def test_only_adapters_and_head_move_and_merging_changes_nothing():
    model = classifier()
    names = set(model.tensors())
    add_adapters(model, 4, torch.Generator().manual_seed(1))
    moved = one_step(model)
    assert moved
    assert all("down_RI" in name or "up_OR" in name or "head" in name for name in moved)
    before = model.label_logits(IDS_BT, LENGTHS_B).detach()
    merge_adapters(model)
    assert set(model.tensors()) == names
    assert torch.allclose(model.label_logits(IDS_BT, LENGTHS_B), before, atol=1e-5)
    assert len(model.matrices()) == 8


def test_what_is_kept_while_adapters_learn_brings_them_back():
    model = classifier()
    add_adapters(model, 4, torch.Generator().manual_seed(1))
    one_step(model)
    kept = {name: tensor.detach().clone() for name, tensor in model.tensors().items()}
    before = model.label_logits(IDS_BT, LENGTHS_B).detach()
    one_step(model)
    model.load_tensors(kept, "here")
    assert torch.allclose(model.label_logits(IDS_BT, LENGTHS_B), before, atol=1e-6)


def test_a_frozen_encoder_does_not_move():
    model = classifier()
    freeze_encoder(model)
    assert one_step(model) == {"head_LP", "head_bias_L"}


@pytest.mark.parametrize("change", [freeze_encoder, merge_adapters])
def test_everything_can_learn_again(change):
    model = classifier()
    change(model)
    merge_adapters(model)
    assert all(weight.requires_grad for weight in model.parameters())
