from __future__ import annotations

import pytest
import torch

from sparrowlm.models.architectures import RecurrentShape, shape_from_config
from sparrowlm.models.recurrent import RecurrentModel


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_recurrent_counts_and_survives_config(cell, layers):
    shape = RecurrentShape(
        cell=cell, vocab_size=30, embedding_width=12, state_width=20, num_layers=layers
    )
    model = RecurrentModel(shape)
    assert sum(weight.numel() for weight in model.parameters()) == shape.num_parameters()
    assert shape_from_config(shape.sparrow_config(), "x") == shape
    assert set(model.tensors()) >= {"embedding.weight", "recurrent.weight_ih_l0", "output.bias"}


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_recurrent_every_position_is_predicted_from_those_before(cell):
    shape = RecurrentShape(
        cell=cell, vocab_size=30, embedding_width=12, state_width=20, num_layers=2
    )
    model = RecurrentModel(shape, torch.Generator().manual_seed(0)).eval()
    ids_BT = torch.arange(16)[None]
    whole = model(ids_BT)
    assert whole.shape == (1, 16, 30)
    for length in (1, 7):
        assert torch.allclose(model(ids_BT[:, :length])[0, -1], whole[0, length - 1], atol=1e-5)


def test_recurrent_same_seed_same_weights():
    shape = RecurrentShape(
        cell="lstm", vocab_size=9, embedding_width=8, state_width=8, num_layers=1
    )
    one, other = (RecurrentModel(shape, torch.Generator().manual_seed(3)) for _ in range(2))
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
