"""Learning labels of units: what is hidden, and by what the best weights are chosen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.models.tagger import TaggerModel, TaggerShape
from sparrowlm.training.encoder_stage import EncoderSize
from sparrowlm.training.loop import CurvePoint, best_point
from sparrowlm.training.tagging import TaggedSequence, TaggingObjective, TaggingSettings

SIZE = EncoderSize(
    width=64, num_layers=1, tables=NgramTableShape(num_buckets=16, width=8), context_tokens=16
)
LABELS = [0, 1, 2, 0, 0, 1, 0]


def sequences(count):
    ids = np.array([0, *range(1, len(LABELS) + 1)], dtype=np.int32)
    rows = np.stack([ids, ids], axis=1)
    return [TaggedSequence(ids, rows, np.array(LABELS)) for _ in range(count)]


class Seen(TaggerModel):
    """Remembers what it was given."""

    def scores(self, ids_BT, lengths_B, rows_BTC):
        self.given = ids_BT, rows_BTC
        return super().scores(ids_BT, lengths_B, rows_BTC)


def model():
    tagger = TaggerShape(num_labels=3, column_rows=16)
    return Seen(SIZE.shape(12), SIZE.tables, tagger, torch.Generator().manual_seed(0))


def objective(**changes):
    chosen = TaggingSettings(**{"hidden_share": 0.0, "outside": 0, **changes})
    return TaggingObjective(sequences(20), sequences(2), np.zeros(15), chosen, lambda *_: 0.25)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_spans_are_hidden_whole_with_their_columns(share):
    network = model()
    objective(hidden_spans=share).loss(network, 0)
    ids_BT, rows_BTC = network.given
    is_hidden_BT = (ids_BT == 0)[:, 1:]
    assert torch.equal(is_hidden_BT, (rows_BTC == 0).all(2)[:, 1:])
    assert not is_hidden_BT[:, np.array(LABELS) == 0].any()
    assert torch.equal(is_hidden_BT[:, 1], is_hidden_BT[:, 2])
    hidden = torch.cat([is_hidden_BT[:, 1], is_hidden_BT[:, 5]]).float().mean()
    assert hidden == share if share in (0.0, 1.0) else 0.2 < hidden < 0.8


def test_nothing_is_hidden_where_every_unit_is_in_a_span():
    network = model()
    objective(hidden_spans=1.0, outside=None).loss(network, 0)
    assert (network.given[0][:, 1:] > 0).all()


def test_the_weights_with_the_fewest_errors_are_kept():
    assert objective().held_out_error(model()) == 0.25
    points = [CurvePoint(0.0, step, 0, 0.0, nats, error)
              for step, nats, error in ((1, 0.1, 0.5), (2, 0.2, 0.4), (3, 0.3, 0.45))]  # fmt: skip
    assert best_point(points).step == 2
    assert best_point([CurvePoint(0.0, 1, 0, 0.0, 0.2), CurvePoint(0.0, 2, 0, 0.0, 0.1)]).step == 2
