from __future__ import annotations

import numpy as np
import pytest
import torch

from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.recurrent import RecurrentModel
from sparrowlm.models.transformer import TransformerModel
from sparrowlm.training.scoring import log_probabilities

SHAPE = TransformerShape(
    vocab_size=50, width=32, num_layers=2, num_heads=1, num_kv_heads=1, head_width=32,
    feed_forward_width=32, context_tokens=16,
)  # fmt: skip


@pytest.mark.parametrize("length", [2, 5, 15, 16, 17, 18, 100, 301])
def test_scoring_in_windows_equals_one_by_one(length):
    model = TransformerModel(SHAPE, torch.Generator().manual_seed(1), 0.3).eval()
    ids = np.random.default_rng(length).integers(0, 50, length).astype(np.uint16)
    found = np.concatenate(list(log_probabilities(model, ids)))
    seen: list[int] = []
    for row, token in enumerate(ids[:-1]):
        if len(seen) == 16:
            seen = seen[-8:]
        seen.append(int(token))
        logits = model(torch.tensor([seen]))[0, -1]
        assert torch.allclose(torch.from_numpy(found[row]), logits.log_softmax(-1), atol=1e-4)
    assert len(found) == length - 1


def test_scoring_a_recurrent_network_sums_to_one():
    shape = RecurrentShape(
        cell="lstm", vocab_size=20, embedding_width=8, state_width=8, num_layers=1
    )
    ids = np.zeros(3_000, dtype=np.uint16)
    pieces = list(log_probabilities(RecurrentModel(shape).eval(), ids))
    assert sum(map(len, pieces)) == 2_999
    assert np.allclose(np.exp(pieces[-1]).sum(axis=1), 1.0, atol=1e-4)
