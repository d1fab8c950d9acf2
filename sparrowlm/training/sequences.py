"""Sequences of different lengths in batches of similar ones, as a function of the step.

A batch holds about the same number of ids whatever their sequences' lengths; every epoch forms
other batches, in another order, derived from (seed, epoch) alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from sparrowlm.foundation.array_types import Int, Int64
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.models.sequence_groups import grouped

Ids = np.ndarray[Any, np.dtype[Any]]
# Lengths are blurred by this many ids before sorting, so that batches differ between epochs.
_BLUR_TOKENS = 6.0


class Padded(NamedTuple):
    """One batch.

    Attributes:
        rows_B: numbers of the sequences.
        ids_BT: their ids, filled up with zeros.
        lengths_B: their lengths, >= 1.
    """

    rows_B: Int64[np.ndarray, " batch"]
    ids_BT: Int[torch.Tensor, "batch time"]
    lengths_B: Int[torch.Tensor, " batch"]


class SequenceBatches:
    """Batches of sequences.

    Args:
        sequences: ids of each, at least one id.
        batch_tokens: ids per batch, filling included; one sequence may be longer.
        seed: the run's seed.
    """

    def __init__(self, sequences: Sequence[Ids], batch_tokens: int, seed: int) -> None:
        self.sequences = sequences
        self._lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        self._batch_tokens = batch_tokens
        self._seed = seed
        # Every epoch has as many batches as the first, so that a step belongs to one epoch.
        self.num_batches = len(self._groups(0))

    @property
    def tokens_per_batch(self) -> int:
        """Mean number of ids in a batch."""
        return int(self._lengths.sum()) // max(self.num_batches, 1)

    def batch(self, step: int) -> Padded:
        """Return the sequences of a step counted from 0 over all epochs."""
        epoch, index = divmod(step, self.num_batches)
        groups = self._groups(epoch)
        return padded(self.sequences, groups[index % len(groups)])

    @lru_cache(maxsize=2)  # noqa: B019 - lives as long as the training
    def _groups(self, epoch: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
        random = random_generator(self._seed, f"sequences of epoch {epoch}")
        blurred = self._lengths + random.random(len(self._lengths)) * _BLUR_TOKENS
        groups = grouped(self._lengths, np.argsort(blurred, kind="stable"), self._batch_tokens)
        return [groups[index] for index in random.permutation(len(groups))]


class OverSequences:
    """What every objective over batches of sequences says about its steps.

    Args:
        batches: of the sequences.
    """

    def __init__(self, batches: SequenceBatches) -> None:
        self._batches = batches

    @property
    def steps_per_epoch(self) -> int:
        """Steps that see every sequence once."""
        return self._batches.num_batches

    @property
    def targets_per_step(self) -> int:
        """Ids read in a step."""
        return self._batches.tokens_per_batch


def padded(sequences: Sequence[Ids], rows_B: Int64[np.ndarray, " batch"]) -> Padded:
    """Put sequences into one array, filled up with zeros."""
    chosen = [sequences[row] for row in rows_B]
    lengths_B = np.array([len(ids) for ids in chosen], dtype=np.int32)
    ids_BT = np.zeros((len(chosen), max(int(lengths_B.max()), 1)), dtype=np.int64)
    for row, ids in zip(ids_BT, chosen, strict=True):
        row[: len(ids)] = ids
    return Padded(rows_B, torch.from_numpy(ids_BT), torch.from_numpy(lengths_B))


def in_order(sequences: Sequence[Ids], batch_tokens: int) -> Iterator[Padded]:
    """Yield all sequences once, shortest first."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
    for rows_B in grouped(lengths, np.argsort(lengths, kind="stable"), batch_tokens):
        yield padded(sequences, rows_B)
