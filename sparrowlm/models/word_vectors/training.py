"""Learning word vectors, block after block; a killed run ends with the same bits.

One thread: updates of several would reach the vectors in an order that nobody can repeat.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Integer
from sparrowlm.foundation.errors import DamagedFileError, SettingError
from sparrowlm.foundation.interrupts import StoppedBySignal, StopRequest, stop_on_signal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.native_part import native_part
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.foundation.randomness import derive_seed, random_generator
from sparrowlm.models.array_file import read_arrays, write_arrays
from sparrowlm.models.ngram.checkpoints import fingerprint
from sparrowlm.models.ngram.counting import countable
from sparrowlm.models.word_vectors import numpy_loop
from sparrowlm.models.word_vectors.noise import Draws, draws_of
from sparrowlm.models.word_vectors.settings import WordVectorSettings
from sparrowlm.models.word_vectors.subwords import Parts, parts_of_ids
from sparrowlm.models.word_vectors.vectors import WordVectors

_BLOCK_IDS = 20_000
_LANES = 16
_LAST_RATE_SHARE = 1 / 250
_CHECKPOINT_SECONDS = 30.0
_KIND = "word-vectors"
_CHECKPOINT_NAME = "word-vectors.bin"

Ids = np.ndarray[Any, np.dtype[Any]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class _Job:
    """What stays the same while vectors are learnt."""

    text: Ids
    settings: WordVectorSettings
    draws: Draws
    parts: Parts
    mark: str
    path: Path | None

    @property
    def blocks_per_epoch(self) -> int:
        return -(-len(self.text) // _BLOCK_IDS)

    @property
    def num_blocks(self) -> int:
        return self.blocks_per_epoch * self.settings.epochs


@dataclass
class _State:
    """What changes: both matrices, and the number of the next block."""

    inputs: Matrix
    outputs: Matrix
    next_block: int


def train_word_vectors(
    ids: Integer[np.ndarray, " time"],
    vocab_size: int,
    settings: WordVectorSettings | None = None,
    *,
    token_bytes: Sequence[bytes] | None = None,
    progress: Progress | None = None,
    checkpoint_directory: Path | None = None,
) -> WordVectors:
    """Learn one vector per id from the ids around it.

    Args:
        ids: the text, whole numbers from 0 to vocab_size - 1; windows never reach over id 0.
        vocab_size: V.
        settings: None means the defaults.
        token_bytes: UTF-8 bytes of every id, for settings.subword_buckets above 0.
        progress: counts ids.
        checkpoint_directory: where the state is kept; a killed call made again continues and ends
            with the same bits.

    Returns:
        The vectors: equal for equal ids, settings and compiled part, on every machine.

    Raises:
        DataError: the ids cannot be used.
        SettingError: subwords without token_bytes.
        StoppedBySignal: Ctrl-C, after the state was saved.
    """
    settings = settings or WordVectorSettings()
    progress = progress or SilentProgress()
    job = _job_of(np.asarray(ids), vocab_size, settings, token_bytes, checkpoint_directory)
    if native_part() is None:
        progress.note(say("models.vectors-without-native"))
    state = _restored(job) or _fresh(job, vocab_size)
    with stop_on_signal() as stop:
        try:
            _learn(job, state, progress, stop)
        finally:
            progress.finish()
    if job.path is not None:
        job.path.unlink(missing_ok=True)
    return _finished(job, state, np.bincount(job.text, minlength=vocab_size))


def _job_of(
    ids: Integer[np.ndarray, " time"],
    vocab_size: int,
    settings: WordVectorSettings,
    token_bytes: Sequence[bytes] | None,
    checkpoint_directory: Path | None,
) -> _Job:
    if settings.subword_buckets and (token_bytes is None or len(token_bytes) != vocab_size):
        received = 0 if token_bytes is None else len(token_bytes)
        raise SettingError("models.token-bytes-missing", received=received, expected=vocab_size)
    text = countable(ids, vocab_size)
    if text.dtype.itemsize < 2:
        text = text.astype(np.uint16)
    kind = json.dumps([settings.as_json(), native_part() is not None])
    mark = hashlib.blake2b(f"{fingerprint(text, vocab_size)}{kind}".encode(), digest_size=16)
    return _Job(
        text=text,
        settings=settings,
        draws=draws_of(np.bincount(text, minlength=vocab_size), settings),
        parts=parts_of_ids(vocab_size, settings, token_bytes),
        mark=mark.hexdigest(),
        path=None if checkpoint_directory is None else checkpoint_directory / _CHECKPOINT_NAME,
    )


def _fresh(job: _Job, vocab_size: int) -> _State:
    settings = job.settings
    padded = -(-settings.width // _LANES) * _LANES
    generator = random_generator(settings.seed, "word-vectors")
    inputs = np.zeros((job.parts.num_rows, padded), dtype=np.float32)
    shape = (job.parts.num_rows, settings.width)
    inputs[:, : settings.width] = generator.random(shape, dtype=np.float32) - np.float32(0.5)
    inputs /= np.float32(settings.width)
    return _State(inputs, np.zeros((vocab_size, padded), dtype=np.float32), 0)


def _restored(job: _Job) -> _State | None:
    if job.path is None:
        return None
    try:
        found = read_arrays(job.path, _KIND)
    except DamagedFileError:
        # Never written, or not by us: checkpoints replace one another atomically.
        return None
    if found.metadata["job"] != job.mark:
        return None
    arrays = found.arrays
    return _State(np.array(arrays["inputs"]), np.array(arrays["outputs"]), found.metadata["next"])


def _save(job: _Job, state: _State) -> None:
    if job.path is not None:
        metadata = {"job": job.mark, "next": state.next_block}
        write_arrays(job.path, _KIND, metadata, {"inputs": state.inputs, "outputs": state.outputs})


def _learn(job: _Job, state: _State, progress: Progress, stop: StopRequest) -> None:
    progress.start(say("models.vectors-learning"), len(job.text) * job.settings.epochs, "ids")
    saved_at = time.monotonic()
    while state.next_block < job.num_blocks:
        start = state.next_block % job.blocks_per_epoch * _BLOCK_IDS
        block = job.text[start : start + _BLOCK_IDS]
        _learn_block(job, state, block)
        state.next_block += 1
        progress.advance(len(block))
        is_last = state.next_block == job.num_blocks
        if not is_last and time.monotonic() - saved_at > _CHECKPOINT_SECONDS:
            _save(job, state)
            saved_at = time.monotonic()
        if stop.is_requested:
            _save(job, state)
            saved_to = None if job.path is None else job.path.parent
            raise StoppedBySignal(stop.signal_number, saved_to=saved_to)


def _learn_block(job: _Job, state: _State, block: Ids) -> None:
    settings, draws = job.settings, job.draws
    rates = [
        settings.learning_rate * (1 - (1 - _LAST_RATE_SHARE) * done / job.num_blocks)
        for done in (state.next_block, state.next_block + 1)
    ]
    seed = derive_seed(settings.seed, f"word-vectors-block-{state.next_block}")
    native = native_part()
    if native is None:
        rate = sum(rates) / 2
        numpy_loop.learn_block(
            block, settings, draws, job.parts, (state.inputs, state.outputs), rate, seed
        )
        return
    native.train_word_block(
        np.ascontiguousarray(block),
        draws.keep_limits,
        draws.noise_limits,
        draws.noise_others,
        job.parts.starts,
        job.parts.rows,
        state.inputs,
        state.outputs,
        settings.window,
        settings.num_negatives,
        settings.method == "cbow",
        *rates,
        seed,
    )


def _finished(job: _Job, state: _State, counts_V: Ids) -> WordVectors:
    width = job.settings.width
    vectors_VD = job.parts.composed(state.inputs[:, :width])
    num_rows_V = np.diff(job.parts.starts)
    vectors_VD[(counts_V == 0) & (num_rows_V == 1)] = 0
    # A word never seen is possible all the same: as probable as half an occurrence.
    weights_V = np.maximum(counts_V, 0.5) ** job.settings.noise_power
    return WordVectors(
        vectors_VD=vectors_VD,
        output_VD=np.ascontiguousarray(state.outputs[:, :width]),
        log_noise_V=np.log(weights_V / weights_V.sum()).astype(np.float32),
        window=job.settings.window,
        settings=job.settings.as_json(),
    )
