"""Learning word vectors: a slow reference, classes of words, resumed runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from sparrowlm.foundation.errors import DataError, SettingError
from sparrowlm.foundation.interrupts import StoppedBySignal
from sparrowlm.foundation.native_part import native_part
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.foundation.randomness import derive_seed, random_generator
from sparrowlm.models.word_vectors import WordVectorSettings, train_word_vectors
from sparrowlm.models.word_vectors.noise import draws_of
from sparrowlm.models.word_vectors.subwords import parts_of_ids

NUM_CLASSES = 4
CLASS_SIZE = 6


def two_sided_text(seed, num_sentences=2500):
    """Sentences of one class each: words of a class keep the same company."""
    generator = np.random.default_rng(seed)
    parts = [np.array([0])]
    for kind in generator.integers(0, NUM_CLASSES, num_sentences):
        parts += [1 + kind * CLASS_SIZE + generator.integers(0, CLASS_SIZE, 8), np.array([0])]
    return np.concatenate(parts).astype(np.uint16)


VOCAB_SIZE = 1 + NUM_CLASSES * CLASS_SIZE
NAMES = [b"", *(f"{'abcd'[k]}word{i}".encode() for k in range(4) for i in range(CLASS_SIZE))]


def class_of(word):
    return (word - 1) // CLASS_SIZE


@pytest.fixture(params=["numpy", "native"])
def part(request, monkeypatch):
    monkeypatch.setenv("SPARROW_NATIVE", "1" if request.param == "native" else "0")
    if request.param == "native" and native_part() is None:
        pytest.skip("the compiled part is not built")
    return request.param


@pytest.mark.parametrize("method", ["skip-gram", "cbow"])
@pytest.mark.parametrize("buckets", [0, 50])
def test_words_that_keep_the_same_company_are_neighbours(part, method, buckets):
    settings = WordVectorSettings(
        method=method,
        width=12,
        window=3,
        epochs=6,
        learning_rate=0.05,
        subword_buckets=buckets,
        frequent_share=0.0,
    )
    vectors = train_word_vectors(two_sided_text(0), VOCAB_SIZE, settings, token_bytes=NAMES)
    right = [
        class_of(neighbour.id) == class_of(word)
        for word in range(1, VOCAB_SIZE)
        for neighbour in vectors.neighbours(word, CLASS_SIZE - 1)
    ]
    assert np.mean(right) > 0.95


def test_the_next_word_is_foretold_from_the_last_ones(part):
    text = two_sided_text(0)
    settings = WordVectorSettings(width=12, window=3, epochs=4, frequent_share=0.0)
    vectors = train_word_vectors(text, VOCAB_SIZE, settings)
    other = two_sided_text(1, 50)
    logits_TV = vectors.forward(other[None])[0].astype(np.float64)
    logs_TV = logits_TV - np.log(np.exp(logits_TV).sum(axis=1, keepdims=True))
    inside = np.flatnonzero((other[:-1] != 0) & (other[1:] != 0))
    nats = -logs_TV[inside, other[inside + 1]].mean()
    by_frequency = np.log(VOCAB_SIZE - 1)
    assert nats < by_frequency - 0.8


class Splitmix:
    def __init__(self, seed):
        self.state = seed

    def next(self):
        whole = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & whole
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & whole
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & whole
        return z ^ (z >> 31)


def reference(text, settings, names):
    """The compiled loop over a text of one block, in plain Python and double precision."""
    counts = np.bincount(text, minlength=VOCAB_SIZE)
    draws, parts = draws_of(counts, settings), parts_of_ids(VOCAB_SIZE, settings, names)
    generator = random_generator(settings.seed, "word-vectors")
    shape = (parts.num_rows, settings.width)
    inputs = ((generator.random(shape, dtype=np.float32) - 0.5) / settings.width).astype(float)
    outputs = np.zeros((VOCAB_SIZE, settings.width))
    random = Splitmix(derive_seed(settings.seed, "word-vectors-block-0"))
    kept = [w for w in text if w == 0 or _survives(random, draws.keep_limits[w], w)]
    for i, word in enumerate(kept):
        if word == 0:
            continue
        reach = 1 + (((random.next() >> 32) * settings.window) >> 32)
        near = _neighbours(kept, i, reach)
        if not near:
            continue
        rate = settings.learning_rate * (1 - (1 - 1 / 250) * i / len(kept))
        targets = [word]
        for _ in range(settings.num_negatives):
            bits = random.next()
            column = ((bits >> 32) * VOCAB_SIZE) >> 32
            is_own = (bits & 0xFFFFFFFF) < draws.noise_limits[column]
            other = column if is_own else draws.noise_others[column]
            targets += [other] if other != word else []
        _learn(inputs, outputs, targets, near, parts, rate, settings.method == "cbow")
    return inputs, outputs, parts


def _survives(random, limit, _word):
    return (random.next() >> 32) <= limit


def _neighbours(kept, i, reach):
    near = []
    for step in (-1, 1):
        for place in range(i + step, i + step * (reach + 1), step):
            if not 0 <= place < len(kept) or kept[place] == 0:
                break
            near.append((place, kept[place]))
    return [word for _, word in sorted(near)]


def _learn(inputs, outputs, targets, near, parts, rate, is_bag):
    moved = np.zeros((len(targets), inputs.shape[1]))
    for group in [near] if is_bag else [[word] for word in near]:
        rows = [parts.rows[parts.starts[w] : parts.starts[w + 1]] for w in group]
        hidden = np.mean([inputs[r].mean(axis=0) for r in rows], axis=0)
        slopes = [
            rate * ((j == 0) - 1 / (1 + np.exp(-hidden @ outputs[t])))
            for j, t in enumerate(targets)
        ]
        change = sum(s * outputs[t] for s, t in zip(slopes, targets, strict=True))
        moved += np.array(slopes)[:, None] * hidden
        for r in rows:
            np.add.at(inputs, r, change)
    for target, change in zip(targets, moved, strict=True):
        outputs[target] += change


@pytest.mark.parametrize("method", ["skip-gram", "cbow"])
@pytest.mark.parametrize("buckets", [0, 20])
@pytest.mark.parametrize("width", [5, 16, 40])
def test_the_compiled_loop_does_what_a_plain_one_does(method, buckets, width):
    if native_part() is None:
        pytest.skip("the compiled part is not built")
    settings = WordVectorSettings(
        method=method,
        width=width,
        window=2,
        epochs=1,
        learning_rate=0.2,
        num_negatives=3,
        subword_buckets=buckets,
        frequent_share=0.02,
        seed=7,
    )
    text = two_sided_text(3, 120)
    vectors = train_word_vectors(text, VOCAB_SIZE, settings, token_bytes=NAMES)
    inputs, outputs, parts = reference(text, settings, NAMES)
    np.testing.assert_allclose(vectors.output_VD, outputs, atol=2e-4)
    rows = [parts.rows[parts.starts[w] : parts.starts[w + 1]] for w in range(VOCAB_SIZE)]
    expected = np.array([inputs[r].mean(axis=0) for r in rows])
    np.testing.assert_allclose(vectors.vectors_VD[1:], expected[1:], atol=2e-4)


def test_counterexamples_are_drawn_by_count_to_the_power():
    counts = np.array([50, 10, 1, 0, 400, 7])
    draws = draws_of(counts, WordVectorSettings(noise_power=0.75))
    shares = np.zeros(6)
    limits = draws.noise_limits / 2**32
    shares += np.where(draws.noise_others == np.arange(6), 1, limits)
    np.add.at(
        shares, draws.noise_others, np.where(draws.noise_others == np.arange(6), 0, 1 - limits)
    )
    expected = np.where(np.arange(6) == 0, 0, counts.astype(float) ** 0.75)
    np.testing.assert_allclose(shares / 6, expected / expected.sum(), atol=1e-6)


def test_equal_seeds_give_equal_bits_and_other_seeds_others(part):
    text = two_sided_text(0, 300)
    one, two, other = (
        train_word_vectors(text, VOCAB_SIZE, WordVectorSettings(width=8, epochs=2, seed=seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.vectors_VD, two.vectors_VD)
    np.testing.assert_array_equal(one.output_VD, two.output_VD)
    assert (one.vectors_VD[1:] != other.vectors_VD[1:]).any()


KILLED = """
import os, sys
import numpy as np
from pathlib import Path
from sparrowlm.models.word_vectors import WordVectorSettings, train_word_vectors, training

left = int(sys.argv[1])
save = training._save

def counted(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), 9)
    save(*arguments)

training._save, training._CHECKPOINT_SECONDS, training._BLOCK_IDS = counted, 0.0, 500
settings = WordVectorSettings(width=8, epochs=3)
work = Path(sys.argv[3])
vectors = train_word_vectors(np.load(sys.argv[2]), 25, settings, checkpoint_directory=work)
vectors.save(work / "vectors.safetensors")
"""


@pytest.mark.parametrize("num_saves", [1, 2, 7])
def test_a_killed_run_continues_to_the_same_bits(num_saves, part, tmp_path):
    np.save(tmp_path / "ids.npy", two_sided_text(0, 200))

    def run(left, work):
        arguments = [sys.executable, "-c", KILLED, left, tmp_path / "ids.npy", work]
        return subprocess.run(list(map(str, arguments)), check=False).returncode

    assert run(10_000, tmp_path / "whole") == 0
    assert run(num_saves, tmp_path / "killed") == -9
    assert run(10_000, tmp_path / "killed") == 0
    name = "vectors.safetensors"
    whole, resumed = ((tmp_path / d / name).read_bytes() for d in ("whole", "killed"))
    assert whole == resumed
    assert [p.name for p in (tmp_path / "killed").iterdir()] == [name]


def test_ctrl_c_saves_and_the_next_run_goes_on(tmp_path):
    text = two_sided_text(0, 8000)
    settings = WordVectorSettings(width=8, epochs=8)

    class Interrupting(SilentProgress):
        def advance(self, n):
            os.kill(os.getpid(), signal.SIGINT)
            self.advance = lambda n: None

    with pytest.raises(StoppedBySignal) as stopped:
        train_word_vectors(
            text, VOCAB_SIZE, settings, progress=Interrupting(), checkpoint_directory=tmp_path
        )
    assert stopped.value.saved_to == tmp_path
    assert list(tmp_path.iterdir())
    resumed = train_word_vectors(text, VOCAB_SIZE, settings, checkpoint_directory=tmp_path)
    whole = train_word_vectors(text, VOCAB_SIZE, settings)
    np.testing.assert_array_equal(resumed.vectors_VD, whole.vectors_VD)


def test_without_the_compiled_part_it_says_so(monkeypatch):
    monkeypatch.setenv("SPARROW_NATIVE", "0")
    notes = []

    class Noting(SilentProgress):
        def note(self, text):
            notes.append(text)

    train_word_vectors(two_sided_text(0, 20), VOCAB_SIZE, progress=Noting())
    assert len(notes) == 1
    assert "NumPy" in notes[0]


@pytest.mark.parametrize("ids", [[0], [1], [0, 0, 0], [1, 1], [24]])
def test_tiny_texts_give_vectors(part, ids):
    vectors = train_word_vectors(np.array(ids), VOCAB_SIZE, WordVectorSettings(width=3))
    assert vectors.vectors_VD.shape == (VOCAB_SIZE, 3)
    assert np.isfinite(vectors.forward(np.array([ids]))).all()


def test_settings_and_ids_out_of_range():
    for wrong in ({"width": 0}, {"epochs": 0}, {"longest_subword": 1}):
        with pytest.raises(SettingError):
            WordVectorSettings(**wrong)
    with pytest.raises(SettingError):
        train_word_vectors(np.array([1]), 2, WordVectorSettings(subword_buckets=5))
    with pytest.raises(DataError):
        train_word_vectors(np.array([5]), 2)
    with pytest.raises(DataError):
        train_word_vectors(np.zeros(0, np.int64), 2)
