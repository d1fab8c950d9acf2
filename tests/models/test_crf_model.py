"""Hashes, rows, scores and compression: native and NumPy give the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.hashing import mixed
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.array_file import read_arrays, write_arrays
from sparrowlm.models.crf.compression import fitted, pack, packed_bytes, quantized, unpack
from sparrowlm.models.crf.rows import RowIndex
from sparrowlm.models.crf.templates import Templates
from sparrowlm.models.crf.weights import CrfWeights

needs_native = pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
TEMPLATES = Templates.of([[(0, 0)], [(0, -1), (0, 0)], [(1, 2), (0, -2)], [(1, 0)], [(1, 1)]])


def random_columns(seed: int, lengths: list[int]):
    generator = np.random.default_rng(seed)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    columns = mixed(generator.integers(0, 9, (int(starts[-1]), 2)))
    columns[generator.random(columns.shape) < 0.2] = 0
    return columns, starts


def random_weights(seed: int, num_rows: int, num_labels: int):
    generator = np.random.default_rng(seed)
    values = generator.choice(1 << 32, size=2 * num_rows, replace=False).astype(np.uint32)
    rows = RowIndex(np.unique(values[values > 0])[:num_rows])
    sizes = generator.integers(1, num_labels + 1, num_rows)
    labels = [np.sort(generator.choice(num_labels, size, replace=False)) for size in sizes]
    weights = CrfWeights(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate(labels).astype(np.uint16),
        generator.normal(size=int(sizes.sum())).astype(np.float32),
        np.ones(num_labels, dtype=np.float32),
        generator.normal(size=num_labels * (num_labels + 2)).astype(np.float32).astype(np.float64),
    )
    return rows, weights


@needs_native
@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), lengths=st.lists(st.integers(0, 9), max_size=5))
def test_hashes_and_rows_are_the_same(seed, lengths):
    columns, starts = random_columns(seed, lengths)
    hashes = TEMPLATES.hashes(columns, starts)
    index = RowIndex.of(hashes, least_count=2)
    rows = index.find(hashes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARROW_NATIVE", "0")
        np.testing.assert_array_equal(TEMPLATES.hashes(columns, starts), hashes)
        np.testing.assert_array_equal(index.find(hashes), rows)
    known = rows >= 0
    assert (index.fingerprints_R[rows[known]] == hashes[known]).all()


def test_an_absent_value_makes_the_feature_absent():
    columns = np.array([[5, 0], [0, 7], [9, 0]], dtype=np.uint64)
    hashes = TEMPLATES.hashes(columns, np.array([0, 3]))
    assert (hashes[:, 0] > 0).tolist() == [True, False, True]
    assert (hashes[:, 1] > 0).tolist() == [True, False, False]
    assert (hashes[:, 3] > 0).tolist() == [False, True, False]


def test_sentences_do_not_see_one_another():
    columns = mixed(np.arange(12).reshape(6, 2))
    together = TEMPLATES.hashes(columns, np.array([0, 2, 6]))
    alone = TEMPLATES.hashes(np.ascontiguousarray(columns[2:]), np.array([0, 4]))
    np.testing.assert_array_equal(together[2:], alone)


@needs_native
@pytest.mark.parametrize("num_labels", [1, 4, 7, 300])
@pytest.mark.parametrize("is_whole", [False, True])
def test_scores_are_the_same_bits(num_labels, is_whole, monkeypatch):
    rows, weights = random_weights(1, 60, num_labels)
    if is_whole:
        weights = quantized(weights)
    features = np.random.default_rng(2).integers(-1, len(rows), (50, 6)).astype(np.int32)
    scores = weights.scores(features)
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    assert weights.scores(features).tobytes() == scores.tobytes()


@pytest.mark.parametrize("num_rows", [50, 40_000])
def test_a_file_gives_the_same_model(tmp_path: Path, num_rows):
    rows, weights = fitted(*random_weights(3, num_rows, 3), None)
    path = tmp_path / "weights.bin"
    write_arrays(path, "crf", {}, pack(rows, weights))
    same_rows, same = unpack(read_arrays(path, "crf").arrays)
    np.testing.assert_array_equal(same_rows.fingerprints_R, rows.fingerprints_R)
    np.testing.assert_array_equal(same.edges, weights.edges)
    features = np.random.default_rng(2).integers(-1, len(rows), (50, 6)).astype(np.int32)
    assert same.scores(features).tobytes() == weights.scores(features).tobytes()


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.01])
def test_it_fits_into_the_bytes_given(share):
    rows, weights = random_weights(4, 5_000, 5)
    limit = int(packed_bytes(rows, quantized(weights)) * share)
    fewer_rows, fewer = fitted(rows, weights, limit)
    assert packed_bytes(fewer_rows, fewer) <= limit
    assert len(fewer_rows) > 0
    # What is left is larger than what went.
    least = np.abs(fewer.entry_weights * fewer.scales_L[fewer.entry_labels]).min()
    assert (np.abs(weights.entry_weights) > least + 0.05).sum() <= len(fewer.entry_weights)


def test_too_few_bytes_are_refused():
    with pytest.raises(ModelError, match="Raise the size limit"):
        fitted(*random_weights(5, 100, 4), 20)


def test_int8_is_near():
    rows, weights = random_weights(6, 500, 4)
    features = np.random.default_rng(2).integers(-1, len(rows), (200, 8)).astype(np.int32)
    error = np.abs(quantized(weights).scores(features) - weights.scores(features)).max()
    assert error < 8 * 4.5 / 127
