"""Learning labels: what is hidden, which loss, which weights are kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.models.heads import ClassifierModel
from sparrowlm.training.encoder_stage import EncoderSize
from sparrowlm.training.labelling import (
    LabellingSettings,
    LabelObjective,
    label_logits,
    with_hidden_ids,
)
from sparrowlm.training.sequences import SequenceBatches

SIZE = EncoderSize(
    width=64, num_layers=1, tables=NgramTableShape(num_buckets=32, width=8), context_tokens=16
)
SEQUENCES = [np.array([0, *range(1, 3 + number % 9)], dtype=np.int32) for number in range(40)]
TARGETS = np.eye(3, dtype=np.float32)[np.arange(40) % 3]


def classifier():
    model = ClassifierModel(SIZE.shape(20), SIZE.tables, 3, torch_generator(0, "weights"))
    with torch.no_grad():
        model.head_LP.normal_(0.0, 0.3, generator=torch_generator(0, "head"))
    return model


def test_scores_come_in_the_order_of_the_texts():
    model = classifier()
    scores = label_logits(model, SEQUENCES)
    for row in (0, 7, 39):
        alone = label_logits(model, [SEQUENCES[row]])[0]
        np.testing.assert_allclose(scores[row], alone, atol=1e-5)


def test_the_loss_is_the_cross_entropy():
    model = classifier().eval()
    settings = LabellingSettings(hidden_share=0.0, batch_tokens=10_000)
    objective = LabelObjective(SEQUENCES, TARGETS, None, settings)
    wanted = functional.cross_entropy(
        torch.from_numpy(label_logits(model, SEQUENCES)), torch.from_numpy(TARGETS)
    )
    assert float(objective.loss(model, 0).detach()) == pytest.approx(float(wanted), rel=1e-4)
    assert objective.held_out_loss(model) is None


def test_labels_apart_have_a_loss_of_their_own():
    model = classifier().eval()
    settings = LabellingSettings(is_multi_label=True, hidden_share=0.0, batch_tokens=10_000)
    targets = np.ones_like(TARGETS)
    objective = LabelObjective(SEQUENCES, targets, None, settings)
    logits = torch.from_numpy(label_logits(model, SEQUENCES))
    wanted = functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(targets))
    assert float(objective.loss(model, 0).detach()) == pytest.approx(float(wanted), rel=1e-4)


def test_held_out_loss_does_not_mind_too_much_confidence():
    model = classifier()
    objective = LabelObjective(SEQUENCES, TARGETS, (SEQUENCES, TARGETS), LabellingSettings())
    calm = objective.held_out_loss(model)
    with torch.no_grad():
        model.head_LP.mul_(4.0)
        model.head_bias_L.mul_(4.0)
    loud = objective.held_out_loss(model)
    assert calm is not None
    assert loud == pytest.approx(calm, rel=0.05)


def test_the_first_id_is_never_hidden_and_the_share_is_kept():
    batch = SequenceBatches([np.arange(100) + 1] * 50, 10_000, 0).batch(0)
    hidden = with_hidden_ids(batch, 0.3, torch.Generator().manual_seed(0))
    assert torch.equal(hidden[:, 0], batch.ids_BT[:, 0])
    shares = (hidden == 0).float().mean(dim=1)
    assert float(shares.mean()) == pytest.approx(0.3, abs=0.06)
    assert float(shares.max()) > 0.45
    assert float(shares.min()) < 0.12
    assert with_hidden_ids(batch, 0.0, torch.Generator()) is batch.ids_BT
