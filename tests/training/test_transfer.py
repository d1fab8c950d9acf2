"""What goes on from another model: how far its weights move, and what is read before."""

from __future__ import annotations

import numpy as np
import pytest

from sparrowlm.api.encoder_start import EncoderStart
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.models.heads import ClassifierModel
from sparrowlm.training import transfer
from sparrowlm.training.encoder_stage import EncoderSize, StagePlace, StageSettings
from sparrowlm.training.labelling import LabellingSettings, LabelObjective

SETTINGS = StageSettings(most_epochs=2.0, most_steps=2, matrix_rate=0.01, other_rate=0.002)
SIZE = EncoderSize(
    width=64, num_layers=1, tables=NgramTableShape(num_buckets=32, width=8), context_tokens=16
)
SEQUENCES = [np.array([0, *range(1, 3 + number % 9)], dtype=np.int32) for number in range(12)]
TARGETS = np.eye(3, dtype=np.float32)[np.arange(12) % 3]


def run(way, share, folder):
    model = ClassifierModel(SIZE.shape(20), SIZE.tables, 3, torch_generator(0, "weights"))
    objective = LabelObjective(SEQUENCES, TARGETS, None, LabellingSettings())
    place = StagePlace(folder, "test", SilentProgress(), StopRequest(lambda _text: None))
    transfer.run_transfer(model, objective, SETTINGS, place, way, rates=share)


@pytest.mark.parametrize(
    ("way", "share", "rates"),
    [
        ("full", 1.0, [0.01]),
        ("full", 0.3, [0.003]),
        ("gradual", 0.3, [0.01, 0.003]),  # the head is new
        ("frozen", 0.3, [0.01]),
        ("adapters", 0.3, [0.01]),
    ],
)
def test_weights_that_have_read_move_less_far(way, share, rates, tmp_path, monkeypatch):
    stages, real = [], transfer.run_stage

    def watched(model, objective, settings, place):
        stages.append(settings)
        return real(model, objective, settings, place)

    monkeypatch.setattr(transfer, "run_stage", watched)
    run(way, share, tmp_path)
    assert [one.matrix_rate for one in stages] == pytest.approx(rates)
    ratio = SETTINGS.other_rate / SETTINGS.matrix_rate
    assert all(one.other_rate == pytest.approx(ratio * one.matrix_rate) for one in stages)


def test_labels_that_say_more_move_weights_further():
    rates = [transfer.rates_for_labels(number) for number in (1, 2, 6, 18, 77, 1000)]
    assert rates == pytest.approx([0.3, 0.3, 0.517, 0.834, 1.0, 1.0], abs=1e-3)


def test_an_encoder_of_a_task_reads_only_what_it_is_given():
    reader = EncoderStart(EncoderSize(), {}, "encoder")
    classifier = EncoderStart(EncoderSize(), {}, "classify")
    assert reader.most_reading(None, []) is None
    assert classifier.most_reading(None, []) == 0.0
    assert classifier.most_reading(7.0, ["a text"]) == 7.0
