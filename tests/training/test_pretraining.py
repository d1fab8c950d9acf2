"""Reading without labels: what is hidden, what is guessed, and that it is learnt and resumed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.interrupts import StoppedBySignal, StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.encoder import EncoderModel, NgramTableShape
from sparrowlm.training.encoder_stage import EncoderSize, StagePlace, StageSettings, pretrain
from sparrowlm.training.pretraining import (
    MASK_ID,
    PretrainingObjective,
    PretrainingSettings,
    cut_sequences,
)
from sparrowlm.training.sequences import SequenceBatches, in_order

SIZE = EncoderSize(
    width=64, num_layers=1, tables=NgramTableShape(num_buckets=64, width=8), context_tokens=16
)


def texts(count=200, seed=0):
    """Texts in which every odd place repeats the id before it: easy to guess from one side."""
    random = np.random.default_rng(seed)
    return [np.repeat(random.integers(1, 20, random.integers(2, 9)), 2) for _ in range(count)]


def place(directory, stop=None):
    stop = stop or StopRequest(lambda _text: None)
    return StagePlace(directory, "same", SilentProgress(), stop)


def encoder():
    return EncoderModel(SIZE.shape(20), SIZE.tables, torch_generator(0, "weights"))


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(8, 100), st.integers(0, 9)
)
@settings(max_examples=50)
def test_every_epoch_holds_every_sequence_once(lengths, batch_tokens, seed):
    sequences = [np.full(length, number) for number, length in enumerate(lengths)]
    batches = SequenceBatches(sequences, batch_tokens, seed)
    for batch in (batches.batch(step) for step in range(batches.num_batches)):
        for row, ids_T, length in zip(*batch, strict=True):
            assert ids_T[: int(length)].tolist() == sequences[row].tolist()
            assert not ids_T[int(length) :].any()
        is_within = batch.ids_BT.numel() <= batch_tokens
        assert is_within or len(batch.rows_B) == 1
    found = [row for batch in in_order(sequences, batch_tokens) for row in batch.rows_B.tolist()]
    assert sorted(found) == list(range(len(sequences)))


def test_the_same_step_gives_the_same_batch():
    sequences = [np.arange(1, 3 + number % 7) for number in range(50)]
    one, other = (SequenceBatches(sequences, 32, 5) for _again in range(2))
    for step in (0, 3, one.num_batches, 2 * one.num_batches + 1):
        assert torch.equal(one.batch(step).ids_BT, other.batch(step).ids_BT)


def test_long_texts_are_cut_and_nothing_is_lost():
    found = cut_sequences([np.arange(1, 40), np.arange(0)], 16)
    assert [len(ids) for ids in found] == [16, 16, 10]
    assert all(ids[0] == MASK_ID for ids in found)
    assert np.concatenate([ids[1:] for ids in found]).tolist() == list(range(1, 40))


def test_only_ids_inside_a_text_are_hidden():
    sequences = cut_sequences(texts(), 16)
    objective = PretrainingObjective(sequences, sequences[:5], PretrainingSettings())
    batch = SequenceBatches(sequences, 512, 0).batch(0)
    hidden = objective._mask(batch, torch.Generator().manual_seed(1))
    inside = torch.arange(batch.ids_BT.shape[1]) < batch.lengths_B[:, None]
    assert not bool(hidden[:, 0].any())
    assert not bool((hidden & ~inside).any())
    share = float(hidden.sum()) / float(inside[:, 1:].sum())
    assert share == pytest.approx(0.2, abs=0.06)


def test_at_least_one_id_is_hidden_even_of_a_tiny_text():
    sequences = [np.array([0, 7])]
    objective = PretrainingObjective(sequences, [], PretrainingSettings(masked_share=0.0))
    batch = SequenceBatches(sequences, 8, 0).batch(0)
    assert objective._mask(batch, torch.Generator()).tolist() == [[False, True]]


def test_reading_teaches_both_ways(tmp_path):
    model = encoder()
    result = pretrain(model, texts(), StageSettings(most_epochs=60.0), place(tmp_path))
    assert result.best.held_out_nats < 0.6 * result.curve[0].held_out_nats
    ids_BT = torch.tensor([[0, 5, 5, 9, 9, 3, 3]])
    causal = model(ids_BT).argmax(-1)[0]
    assert [int(causal[index]) for index in (1, 3, 5)] == [5, 9, 3]
    hidden_BT = torch.tensor([[0, 5, 5, 9, MASK_ID, 3, 3]])
    states = model.states(hidden_BT, torch.tensor([7], dtype=torch.int32))
    assert int(model.logits(states).argmax(-1)[0, 4]) == 9


def test_a_stopped_stage_resumes_to_the_same_bits(tmp_path):
    settings = StageSettings(most_epochs=4.0, dropout=0.1, feature_dropout=0.1)
    whole = encoder()
    pretrain(whole, texts(), settings, place(tmp_path / "whole"))
    stop = StopRequest(lambda _text: None)
    stopping = StagePlace(tmp_path / "cut", "same", SilentProgress(), stop,
                          lambda point: stop.request() if point.step > 3 else None)  # fmt: skip
    with pytest.raises(StoppedBySignal):
        pretrain(encoder(), texts(), settings, stopping)
    resumed = encoder()
    pretrain(resumed, texts(), settings, place(tmp_path / "cut"))
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_finished_stage_is_not_done_again(tmp_path):
    settings = StageSettings(most_epochs=2.0)
    first = pretrain(encoder(), texts(), settings, place(tmp_path))
    model = encoder()
    again = pretrain(model, texts(), settings, place(tmp_path))
    assert again.num_steps == first.num_steps
    assert [p.step for p in again.curve] == [p.step for p in first.curve]
