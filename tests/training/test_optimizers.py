from __future__ import annotations

import pytest
import torch

from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.training.optimizers import (
    HybridOptimizer,
    OptimizerSettings,
    WeightAverage,
    orthogonalised,
)

SHAPE = TransformerShape(
    vocab_size=11, width=16, num_layers=1, num_heads=2, num_kv_heads=1, head_width=8,
    feed_forward_width=24, context_tokens=8,
)  # fmt: skip


@pytest.mark.parametrize("size", [(8, 8), (8, 32), (32, 8), (1, 5)])
def test_optimizers_orthogonalised_has_the_same_singular_vectors(size):
    matrix = torch.randn(3, *size, generator=torch.Generator().manual_seed(0))
    found = orthogonalised(matrix, torch.float32)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.5
    assert values.max() < 1.3
    left, _values, right = torch.linalg.svd(matrix, full_matrices=False)
    nearest = left @ right
    cosine = (found * nearest).sum((1, 2)) / (found.norm(dim=(1, 2)) * nearest.norm(dim=(1, 2)))
    assert cosine.min() > 0.95


def test_optimizers_every_weight_is_updated_once():
    model = TransformerModel(SHAPE, torch.Generator().manual_seed(0), residual_init=0.1)
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer = HybridOptimizer(model, OptimizerSettings(), torch.float32)
    model(torch.arange(8)[None]).square().mean().backward()
    optimizer.step(1.0)
    for old, new in zip(before, model.parameters(), strict=True):
        assert not torch.equal(old, new)
        assert new.grad is None


def test_optimizers_rate_zero_changes_nothing():
    model = TransformerModel(SHAPE, torch.Generator().manual_seed(0), residual_init=0.1)
    before = [weight.detach().clone() for weight in model.parameters()]
    optimizer = HybridOptimizer(model, OptimizerSettings(weight_decay=0.5), torch.float32)
    model(torch.arange(8)[None]).square().mean().backward()
    optimizer.step(0.0)
    for old, new in zip(before, model.parameters(), strict=True):
        assert torch.equal(old, new)


def test_optimizers_average_swaps_there_and_back():
    weight = torch.ones(3)
    average = WeightAverage([weight], 0.9)
    weight += 1
    average.update(1_000)
    average.swap()
    assert torch.allclose(weight, torch.full((3,), 1.1))
    average.swap()
    assert torch.equal(weight, torch.full((3,), 2.0))
