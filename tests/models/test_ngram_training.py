"""Choosing the order, resuming, keeping a size, saving: what train_ngram promises."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from ngram_reference import random_text

from sparrowlm.foundation.errors import DamagedFileError, DataError, SettingError
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.models.ngram import NgramModel, counting, recount_ngram, train_ngram


def sentences(seed, num_sentences=400):
    """A text in which long contexts help: a few fixed phrases in random order."""
    generator = np.random.default_rng(seed)
    # The phrases are those of the language; only their order differs between texts.
    phrases = [np.random.default_rng(k).integers(1, 12, 7) for k in range(8)]
    parts = [np.array([0])]
    for _ in range(num_sentences):
        parts += [phrases[k] for k in generator.integers(0, 8, 3)] + [np.array([0])]
    return np.concatenate(parts).astype(np.uint16)


def nats(model, ids):
    return -np.log(model.score(ids).probabilities_TN[1:, -1]).mean()


def same_bits(one, two, tmp_path):
    paths = tmp_path / "one.bin", tmp_path / "two.bin"
    for model, path in zip((one, two), paths, strict=True):
        model.save(path)
    return paths[0].read_bytes() == paths[1].read_bytes()


def test_the_order_chosen_is_the_best_of_all(tmp_path):
    text, held_out = sentences(1), sentences(2, 60)
    chosen = train_ngram(text, 12, held_out=held_out, max_order=8)
    figures = [
        nats(train_ngram(text, 12, order=n, held_out=held_out), held_out) for n in range(1, 9)
    ]
    assert nats(chosen, held_out) <= min(figures) + 1e-3
    assert 2 <= chosen.order < 8


def test_without_held_out_text_a_part_is_set_aside_and_counted_afterwards():
    text = sentences(1)
    model = train_ngram(text, 12, max_order=6)
    assert model.table.num_events == len(text) - 1
    assert nats(model, sentences(3, 60)) < nats(train_ngram(text, 12, order=1), sentences(3, 60))


def test_refined_discounts_are_never_worse_on_the_held_out_text():
    text, held_out = sentences(1, 60), sentences(2, 60)
    usual = train_ngram(text, 12, order=4)
    refined = train_ngram(text, 12, order=4, held_out=held_out)
    assert nats(refined, held_out) <= nats(usual, held_out)
    assert (refined.discounts_NC > 0).all()
    assert (refined.discounts_NC <= [1, 2, 3]).all()


@pytest.mark.parametrize("ids", [[0], [3], [0, 0], [5, 5, 5], list(range(9))])
def test_tiny_texts_give_models(ids):
    model = train_ngram(np.array(ids), 9)
    assert model.forward(np.array([[0, 1]])).shape == (1, 2, 9)
    assert model.predict([]).probabilities_NV.shape == (model.order, 9)


def test_the_next_word_after_two_sentences():
    # 我 是 智能 。/ 我 喜欢 技术 。/ 智能 改变 世界 。 as ids 1 to 8.
    ids = np.array([0, 1, 2, 3, 8, 0, 1, 4, 5, 8, 0, 3, 6, 7, 8, 0])
    assert train_ngram(ids, 9).predict([0, 1, 2]).probabilities_NV[-1].argmax() == 3


@pytest.mark.parametrize("vocab_size", [2, 255, 256, 257, 65_535, 65_536, 65_537, 200_000])
def test_saving_and_loading_keeps_every_bit(vocab_size, tmp_path):
    ids = random_text(np.random.default_rng(3), 2, 300).astype(np.int64) * (vocab_size - 1)
    model = train_ngram(ids, vocab_size, order=4)
    model.save(tmp_path / "ngram.bin")
    again = NgramModel.load(tmp_path / "ngram.bin")
    assert (tmp_path / "ngram.bin").stat().st_size == model.size_bytes() == again.size_bytes()
    np.testing.assert_array_equal(
        model.score(ids).probabilities_TN, again.score(ids).probabilities_TN
    )
    np.testing.assert_array_equal(
        model.predict(ids).probabilities_NV, again.predict(ids).probabilities_NV
    )


def test_every_damage_is_refused(tmp_path):
    model = train_ngram(random_text(np.random.default_rng(3), 4, 40), 4, order=3)
    path = tmp_path / "ngram.bin"
    model.save(path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedFileError):
            NgramModel.load(path)
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << (position % 8)
        path.write_bytes(flipped)
        with pytest.raises(DamagedFileError):
            NgramModel.load(path)
    path.unlink()
    with pytest.raises(DamagedFileError):
        NgramModel.load(path)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_a_size_limit_is_kept_and_sums_stay_one(share, tmp_path):
    ids = random_text(np.random.default_rng(0), 9, 20_000)
    whole = train_ngram(ids, 9, order=5)
    limit = int(whole.size_bytes() * share)
    small = train_ngram(ids, 9, order=5, max_bytes=limit)
    small.save(tmp_path / "small.bin")
    assert limit * 0.8 < (tmp_path / "small.bin").stat().st_size <= limit
    generator = np.random.default_rng(1)
    for _ in range(60):
        context = generator.integers(0, 9, 4).tolist()
        rows = small.predict(context).probabilities_NV
        np.testing.assert_allclose(rows.sum(axis=1), 1, atol=2e-6)
        scored = small.score([*context, 3]).probabilities_TN[-1]
        np.testing.assert_allclose(scored, rows[:, 3], rtol=1e-6)
    for left_out in (False, True):
        scores = small.score(ids, leave_one_out=left_out)
        assert scores.probabilities_TN.min() > 0
        assert scores.probabilities_TN.max() <= 1


@pytest.mark.parametrize("steps", [(0.5,), (0.8, 0.5), (0.9, 0.7, 0.5)])
def test_a_finished_model_is_pruned_as_one_that_was_just_counted(steps, tmp_path):
    ids = random_text(np.random.default_rng(0), 9, 20_000)
    whole = train_ngram(ids, 9, order=5)
    small = whole
    for share in steps:
        small = small.pruned(int(whole.size_bytes() * share), SilentProgress())
    counted = train_ngram(ids, 9, order=5, max_bytes=int(whole.size_bytes() * steps[-1]))
    if len(steps) == 1:
        assert same_bits(small, counted, tmp_path)
    assert small.size_bytes() <= int(whole.size_bytes() * steps[-1])
    assert nats(small, ids) == pytest.approx(nats(counted, ids), rel=0.01)
    rows = small.predict([1, 2, 3, 4]).probabilities_NV
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=2e-6)


def test_pruning_drops_what_matters_least():
    generator = np.random.default_rng(6)
    noisy, other = sentences(1), sentences(2, 60)
    noise = generator.random(len(noisy)) < 0.2
    noisy[noise & (noisy > 0)] = generator.integers(1, 12, len(noisy))[noise & (noisy > 0)]
    whole = train_ngram(noisy, 12, order=6)
    half = train_ngram(noisy, 12, order=6, max_bytes=whole.size_bytes() // 2)
    assert nats(half, other) < nats(whole, other) + 0.05
    assert nats(half, other) < nats(train_ngram(noisy, 12, order=2), other) - 0.1


def test_a_limit_below_single_ids_is_a_clear_error():
    with pytest.raises(SettingError) as caught:
        train_ngram(np.arange(500), 500, order=2, max_bytes=700)
    assert "700" in caught.value.sentence("en")


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        (np.zeros(0, np.int64), DataError),
        (np.array([1, 7]), DataError),
        (np.array([-1, 1]), DataError),
    ],
)
def test_ids_that_cannot_be_counted(ids, kind):
    with pytest.raises(kind):
        train_ngram(ids, 7)


@pytest.mark.parametrize("options", [{"order": 0}, {"order": 99}, {"max_order": 0}])
def test_orders_out_of_range(options):
    with pytest.raises(SettingError):
        train_ngram(np.array([0, 1]), 2, **options)


def test_blocks_of_contexts_give_the_same_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    ids = random_text(np.random.default_rng(4), 7, 3000)
    whole = train_ngram(ids, 7, order=5)
    monkeypatch.setattr(counting, "_BLOCK_EVENTS", 100)
    assert same_bits(whole, train_ngram(ids, 7, order=5), tmp_path)


def test_recounting_keeps_order_and_discounts():
    text, more = sentences(1), sentences(4, 50)
    model = train_ngram(text, 12, held_out=more)
    again = recount_ngram(model, np.concatenate([text, more]))
    assert again.order == model.order
    np.testing.assert_array_equal(again.discounts_NC, model.discounts_NC)
    assert again.table.num_events == len(text) + len(more) - 1


KILLED = """
import os, sys
import numpy as np
from pathlib import Path
from sparrowlm.models import array_file
from sparrowlm.models.ngram import checkpoints, train_ngram

left = int(sys.argv[1])
write = array_file.write_arrays

def counted(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
    write(*arguments)

checkpoints.write_arrays = counted
train_ngram(np.load(sys.argv[2]), 12, max_order=6, checkpoint_directory=Path(sys.argv[3]))
"""


@pytest.mark.parametrize("num_writes", [1, 2, 5, 8, 14, 17])
def test_a_killed_run_continues_to_the_same_bits(num_writes, tmp_path):
    text = sentences(1)
    np.save(tmp_path / "ids.npy", text)
    work = tmp_path / "work"
    arguments = [str(num_writes), str(tmp_path / "ids.npy"), str(work)]
    killed = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert killed.returncode == -9
    whole = train_ngram(text, 12, max_order=6)
    resumed = train_ngram(text, 12, max_order=6, checkpoint_directory=work)
    assert same_bits(whole, resumed, tmp_path)
    assert not list(work.iterdir())


def test_checkpoints_of_another_text_are_ignored(tmp_path):
    work = tmp_path / "work"
    np.save(tmp_path / "ids.npy", sentences(1))
    arguments = ["8", str(tmp_path / "ids.npy"), str(work)]
    subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
    assert list(work.iterdir())
    other = sentences(9)
    resumed = train_ngram(other, 12, max_order=6, checkpoint_directory=work)
    assert same_bits(train_ngram(other, 12, max_order=6), resumed, tmp_path)
