"""Healing: a changed network comes nearer to the whole one, rounded weights stay on their grid."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import ENGLISH, small_codec, small_shape, transformer_tensors

torch = pytest.importorskip("torch")

from sparrowlm.compression import healing  # noqa: E402
from sparrowlm.compression.healing import HealingTime, healed  # noqa: E402
from sparrowlm.compression.inputs import input_products  # noqa: E402
from sparrowlm.compression.narrowing import narrowed, narrower_shapes  # noqa: E402
from sparrowlm.compression.parts import Weights  # noqa: E402
from sparrowlm.compression.samples import windows  # noqa: E402
from sparrowlm.foundation.interrupts import StoppedBySignal  # noqa: E402
from sparrowlm.foundation.progress import SilentProgress  # noqa: E402
from sparrowlm.models.block_codes import rounded_blocks  # noqa: E402

CODEC = small_codec()
DOCUMENTS = [np.array([0, *CODEC.encode(text)]) for text in ENGLISH * 6]
SHAPE = small_shape(
    CODEC.vocab_size, width=32, num_heads=2, num_kv_heads=2, head_width=16, feed_forward_width=64
)
WHOLE = Weights(SHAPE, transformer_tensors(SHAPE))


def nats(weights):
    engine = weights.engine()
    return float(np.concatenate([engine.surprisals(one) for one in DOCUMENTS]).mean())


def trained():
    return healed(WHOLE, WHOLE, DOCUMENTS, HealingTime(num_steps=60), SilentProgress()).weights


@pytest.fixture(scope="module")
def teacher():
    return trained()


def test_a_narrower_network_learns_what_the_whole_one_knows(teacher):
    windows_BT = windows(DOCUMENTS, 32, 4096)
    shape = narrower_shapes(SHAPE)[0]
    small = narrowed(teacher, shape, input_products(teacher.engine(), windows_BT))
    found = healed(small, teacher, DOCUMENTS, HealingTime(num_steps=40), SilentProgress())
    assert found.num_steps > 0
    assert found.codes == {}
    assert nats(found.weights) < nats(small)


def test_rounded_weights_are_trained_as_they_will_be_stored(teacher):
    names = [name for name, tensor in teacher.tensors.items() if tensor.ndim == 2]
    codes = {name: rounded_blocks(teacher.tensors[name], 3) for name in names}
    start = Weights(SHAPE, {**teacher.tensors, **{n: one.plain() for n, one in codes.items()}})
    found = healed(start, teacher, DOCUMENTS, HealingTime(num_steps=60), SilentProgress(), codes)
    assert found.num_steps > 0
    for name, one in found.codes.items():
        assert one.bits == 3
        assert np.array_equal(one.scales_ON, codes[name].scales_ON)
    plain = {name: one.plain() for name, one in found.codes.items()}
    assert nats(Weights(SHAPE, {**found.weights.tensors, **plain})) < nats(start)


def test_training_starts_with_what_the_codes_say():
    codes = {name: rounded_blocks(t, 4) for name, t in WHOLE.tensors.items() if t.ndim == 2}
    rounded = Weights(SHAPE, {**WHOLE.tensors, **{n: one.plain() for n, one in codes.items()}})
    ids = torch.from_numpy(windows(DOCUMENTS, 16, 64).astype(np.int64))
    network = healing._network(WHOLE)
    logits = healing._Rounding(network, codes).logits(network, ids)
    expected = healing._network(rounded)(ids)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    logits.square().mean().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_what_was_best_is_kept_when_somebody_stops(monkeypatch):
    def stopped(self, progress, stop, observe):
        raise StoppedBySignal

    monkeypatch.setattr(healing.TrainingLoop, "run", stopped)
    found = healed(WHOLE, WHOLE, DOCUMENTS, HealingTime(num_steps=5), SilentProgress())
    assert found.num_steps == 0
    for name, tensor in WHOLE.tensors.items():
        assert np.array_equal(found.weights.tensors[name], tensor)
