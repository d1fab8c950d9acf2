from __future__ import annotations

import pytest
import torch

from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.training.optimizers import (
    HybridOptimizer,
    OptimizerSettings,
    WeightAverage,
    num_row_blocks,
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


@pytest.mark.parametrize(
    ("rows", "columns", "joined"), [(128, 128, 3), (192, 192, 3), (960, 320, 2), (1024, 384, 1)]
)
def test_optimizers_blocks_of_rows_are_equal_and_keep_the_joints(rows, columns, joined):
    num_blocks = num_row_blocks(torch.empty(rows * joined, columns), joined)
    assert num_blocks % joined == 0
    height, rest = divmod(rows * joined, num_blocks)
    assert rest == 0
    assert height <= 128 or min(rows, columns) <= 128
    assert height >= 32


def test_optimizers_a_height_without_divisors_stays_whole():
    assert num_row_blocks(torch.empty(3 * 131, 260), 3) == 3


def test_optimizers_blocks_move_rows_as_far_as_whole_matrices():
    update = torch.randn(768, 256, generator=torch.Generator().manual_seed(0))
    whole = orthogonalised(update[None], torch.float32)[0] * (768 / 256) ** 0.5
    cut = orthogonalised(update.view(6, 128, 256), torch.float32)
    assert float(cut.norm()) == pytest.approx(float(whole.norm()), rel=0.1)


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
