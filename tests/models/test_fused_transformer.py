"""The compiled training kernels say what the plain network says: values, gradients, every shape."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from sparrowlm.models import fused_kernels
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.fused_kernels import fused_loss, kernels
from sparrowlm.models.transformer import TransformerModel

pytestmark = pytest.mark.skipif(kernels() is None, reason="the compiled part is not built")

# (width, layers, heads, key heads, head width, feed-forward, batch, time)
SHAPES = {
    "usual": (64, 2, 2, 2, 32, 96, 3, 32),
    "grouped queries": (64, 2, 4, 2, 32, 64, 2, 48),
    "one key head, odd time": (128, 1, 4, 1, 64, 176, 3, 37),
    "one position": (32, 1, 1, 1, 32, 32, 4, 1),
    "one row": (48, 3, 2, 1, 64, 64, 1, 17),
    "more than a chunk": (32, 1, 1, 1, 32, 64, 9, 130),
}


def network(size, dtype, seed=0):
    width, layers, heads, key_heads, head_width, feed_forward, _batch, time = size
    shape = TransformerShape(
        vocab_size=53, width=width, num_layers=layers, num_heads=heads, num_kv_heads=key_heads,
        head_width=head_width, feed_forward_width=feed_forward, context_tokens=time,
    )  # fmt: skip
    model = TransformerModel(shape, torch.Generator().manual_seed(seed), residual_init=0.3)
    for weight in model.parameters():
        if weight.ndim == 1:
            weight.data.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(seed + 1))
    model.embedding_VD.data *= 20
    model.compute_dtype = dtype
    return model


def outcome(model, size, monkeypatch, *, is_fused, dropout=0.0, lengths=None):
    """Return the hidden stream and the gradients of a fixed function of it."""
    monkeypatch.setenv("SPARROW_NATIVE", "1" if is_fused else "0")
    batch, time = size[-2:]
    ids = torch.randint(53, (batch, time), generator=torch.Generator().manual_seed(5))
    model.dropout = dropout
    model.train(dropout > 0)
    model.zero_grad()
    torch.manual_seed(11)
    hidden = model.hidden(ids, lengths)
    used_fused = "FusedLayers" in type(hidden.grad_fn).__name__
    assert used_fused == is_fused
    mixer = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(6))
    if lengths is not None:  # what stands behind the end of a row means nothing
        is_inside = torch.arange(time) < lengths[:, None]
        hidden, mixer = hidden * is_inside[..., None], mixer * is_inside[..., None]
    value = (hidden.float() * mixer).sum()
    value.backward()
    return (
        hidden.detach().float(),
        {n: p.grad.clone() for n, p in model.named_parameters()},
        value.detach(),
    )


def difference(found, wanted):
    return float((found - wanted).norm() / (wanted.norm() + 1e-12))


@pytest.mark.parametrize("size", SHAPES.values(), ids=SHAPES.keys())
def test_float32_equals_the_plain_network(size, monkeypatch):
    model = network(size, torch.float32)
    wanted, wanted_gradients, _ = outcome(model, size, monkeypatch, is_fused=False)
    found, found_gradients, _ = outcome(model, size, monkeypatch, is_fused=True)
    assert difference(found, wanted) < 2e-6
    for name, gradient in wanted_gradients.items():
        assert difference(found_gradients[name], gradient) < 2e-5, name


def some_lengths(size):
    batch, time = size[-2:]
    lengths = torch.randint(1, time + 1, (batch,), generator=torch.Generator().manual_seed(3))
    lengths[0] = time
    return lengths.to(torch.int32)


@pytest.mark.parametrize("size", SHAPES.values(), ids=SHAPES.keys())
def test_reading_both_ways_equals_the_plain_network(size, monkeypatch):
    model, lengths = network(size, torch.float32), some_lengths(size)
    wanted, wanted_gradients, _ = outcome(model, size, monkeypatch, is_fused=False, lengths=lengths)
    found, found_gradients, _ = outcome(model, size, monkeypatch, is_fused=True, lengths=lengths)
    assert difference(found, wanted) < 2e-6
    for name, gradient in wanted_gradients.items():
        assert difference(found_gradients[name], gradient) < 2e-5, name


@pytest.mark.parametrize("size", SHAPES.values(), ids=SHAPES.keys())
def test_bfloat16_is_as_near_to_float32_as_the_plain_network(size, monkeypatch):
    exact, exact_gradients, _ = outcome(
        network(size, torch.float32), size, monkeypatch, is_fused=False
    )
    model = network(size, torch.bfloat16)
    plain, plain_gradients, _ = outcome(model, size, monkeypatch, is_fused=False)
    fused, fused_gradients, _ = outcome(model, size, monkeypatch, is_fused=True)
    assert difference(fused, exact) < 1.3 * difference(plain, exact) + 1e-3
    for name, gradient in exact_gradients.items():
        allowed = 1.5 * difference(plain_gradients[name], gradient) + 5e-3
        assert difference(fused_gradients[name], gradient) < allowed, name


def test_gradients_with_dropout_follow_the_value(monkeypatch):
    size = SHAPES["usual"]
    model = network(size, torch.float32)
    _, gradients, _ = outcome(model, size, monkeypatch, is_fused=True, dropout=0.3)
    generator = torch.Generator().manual_seed(8)
    for name, weight in model.named_parameters():
        if name == "embedding_VD":
            continue
        direction = torch.randn(weight.shape, generator=generator)
        step = 2e-3 * float(weight.detach().norm() / direction.norm())
        values = []
        for sign in (1, -1):
            weight.data += sign * step * direction
            values.append(float(outcome(model, size, monkeypatch, is_fused=True, dropout=0.3)[2]))
            weight.data -= sign * step * direction
        slope = (values[0] - values[1]) / (2 * step)
        scale = float(gradients[name].norm() * direction.norm()) / weight.numel() ** 0.5
        assert slope == pytest.approx(float((gradients[name] * direction).sum()), abs=0.03 * scale)


def test_dropout_drops_its_share_and_changes_with_the_seed(monkeypatch):
    size = SHAPES["more than a chunk"]
    model = network(size, torch.float32)
    native = kernels()
    rows, width = 1000, 64
    addend, residual = torch.ones(rows, width), torch.zeros(rows, width)
    weight, inverse = torch.ones(width), torch.empty(rows)
    sums = []
    for seed in (1, 1, 2):
        total, normed = torch.empty(rows, width), torch.empty(rows, width)
        native.norm_forward(
            residual.data_ptr(), addend.data_ptr(), weight.data_ptr(), total.data_ptr(),
            normed.data_ptr(), inverse.data_ptr(), rows, width, 1e-6, 0.3, seed, False, 1,
        )  # fmt: skip
        sums.append(total)
    assert torch.equal(sums[0], sums[1])
    assert not torch.equal(sums[0], sums[2])
    assert float((sums[0] == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(sums[0].mean()) == pytest.approx(1.0, abs=0.02)
    both_dropped = float(((sums[0] == 0) & (sums[2] == 0)).float().mean())
    assert both_dropped == pytest.approx(0.09, abs=0.01)
    columns = (sums[0] == 0).float().mean(0)
    assert float(columns.min()) > 0.2 and float(columns.max()) < 0.4
    plain, _, _ = outcome(model, size, monkeypatch, is_fused=True)
    dropped, _, _ = outcome(model, size, monkeypatch, is_fused=True, dropout=0.3)
    assert not torch.equal(plain, dropped)


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_two_threads_share_the_work_of_one(monkeypatch):
    size = SHAPES["more than a chunk"]
    model = network(size, torch.float32)
    two, two_gradients, _ = outcome(model, size, monkeypatch, is_fused=True)
    torch.set_num_threads(1)
    one, one_gradients, _ = outcome(model, size, monkeypatch, is_fused=True)
    assert difference(two, one) < 1e-6
    for name, gradient in one_gradients.items():
        assert difference(two_gradients[name], gradient) < 1e-5, name


@pytest.mark.parametrize("vocab_size", [1, 3, 16, 53, 5274])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_and_its_gradient(vocab_size, dtype):
    generator = torch.Generator().manual_seed(vocab_size)
    logits = (10 * torch.randn(70, vocab_size, generator=generator)).to(dtype)
    targets = torch.randint(vocab_size, (70,), generator=generator)
    wanted_logits = logits.float().clone().requires_grad_()
    wanted = functional.cross_entropy(wanted_logits, targets)
    wanted.backward()
    found_logits = logits.clone().requires_grad_()
    found = fused_loss(found_logits * 1, targets)
    found.backward()
    assert float(found.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5, abs=1e-6)
    allowed = 1e-5 if dtype == torch.float32 else 6e-3
    assert difference(found_logits.grad.float(), wanted_logits.grad) < allowed or vocab_size == 1
    scaled_logits = logits.clone().requires_grad_()
    (3 * fused_loss(scaled_logits * 1, targets)).backward()
    assert difference(scaled_logits.grad.float(), 3 * wanted_logits.grad) < 2 * allowed or (
        vocab_size == 1
    )


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[1e4, -1e4, 0.0], [-3e38, 3e38, 0.0]], requires_grad=True)
    loss = fused_loss(logits * 1, torch.tensor([0, 1]))
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert bool(torch.isfinite(logits.grad).all())


def test_without_the_runtime_of_torch_the_plain_way_is_taken(monkeypatch):
    monkeypatch.setattr(fused_kernels, "_loaded_openmp", lambda: None)
    fused_kernels._prepared.cache_clear()
    try:
        assert kernels() is None
        size = SHAPES["usual"]
        outcome(network(size, torch.float32), size, monkeypatch, is_fused=False)
    finally:
        fused_kernels._prepared.cache_clear()
