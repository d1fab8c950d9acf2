from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.training.batches import WindowBatches, evaluation_windows


@given(
    length=st.integers(2, 400), window=st.integers(1, 64), batch=st.integers(1, 16),
    seed=st.integers(0, 10), step=st.integers(0, 50),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_batches_are_windows_of_the_text_whatever_its_length(length, window, batch, seed, step):
    ids = np.arange(length, dtype=np.uint16)
    batches = WindowBatches(ids, window, batch, seed)
    rows = batches.batch(step)
    assert rows.shape == (batches.batch_windows, batches.window_tokens + 1)
    assert (rows[:, 1:] - rows[:, :-1] == 1).all()
    assert rows.min() >= 0
    assert rows.max() < length
    again = WindowBatches(ids, window, batch, seed).batch(step)
    assert (again == rows).all()


def test_batches_an_epoch_sees_every_window_once():
    batches = WindowBatches(np.arange(1_000, dtype=np.uint16), 10, 7, 0)
    seen = np.concatenate(
        [batches.batch(step)[:, 0].numpy() for step in range(batches.num_batches)]
    )
    assert len(set(seen.tolist())) == len(seen)
    other = np.concatenate(
        [batches.batch(batches.num_batches + step)[:, 0].numpy() for step in range(3)]
    )
    assert not np.array_equal(seen[: len(other)], other)


def test_batches_evaluation_windows_spread_over_the_text():
    windows = evaluation_windows(np.arange(1_000, dtype=np.uint16), 10, 5)
    assert windows.shape == (5, 11)
    assert windows[0, 0] == 0
    assert windows[-1, -1] == 999
    assert evaluation_windows(np.arange(3, dtype=np.uint16), 10, 5).shape == (1, 3)


def test_batches_documents_change_places_and_stay_whole():
    documents = [[0, 10 + n, *([1 + n] * n)] for n in range(1, 9)]
    ids = np.array([token for document in documents for token in document] + [0], dtype=np.uint16)
    starts = np.cumsum([0, *(len(document) for document in documents[:-1])])
    batches = WindowBatches(ids, 4, 1, 0, starts)
    orders = set()
    for epoch in range(20):
        text = batches._ids_of_epoch(epoch)
        assert sorted(text.tolist()) == sorted(ids.tolist())
        found = [tuple(part) for part in np.split(text[:-1], np.flatnonzero(text[:-1] == 0)[1:])]
        assert sorted(found) == sorted(tuple(document) for document in documents)
        orders.add(tuple(found))
    assert len(orders) > 15
