"""Windows of a token file in an order that depends only on the seed and the step.

Every epoch puts the documents into another order, cuts the ids into windows anew, at another
offset, and shuffles those; because all of it is a function of (seed, epoch), a continuation needs
nothing but the number of the step. (Without new orders of the documents a recurrent network learns
a small corpus by heart from its first id to its last, and nothing about any other beginning.)
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch

from sparrowlm.foundation.array_types import Int
from sparrowlm.foundation.randomness import random_generator

# Putting more into order would take longer than it helps, and memory as well.
_MOST_SHUFFLED_IDS = 50_000_000


class WindowBatches:
    """Batches of windows for training.

    Args:
        ids: shape (tokens,), at least 2; a memory map stays on disk.
        window_tokens: T, ids per window; shortened where the text is shorter.
        batch_windows: B; fewer where the text has fewer windows.
        seed: the run's seed.
        document_starts: where the documents begin; None keeps their order.
    """

    def __init__(
        self,
        ids: np.ndarray[Any, np.dtype[Any]],
        window_tokens: int,
        batch_windows: int,
        seed: int,
        document_starts: np.ndarray[Any, np.dtype[np.int64]] | None = None,
    ) -> None:
        self._ids = ids
        self._starts_of_documents = document_starts
        is_small = len(ids) <= _MOST_SHUFFLED_IDS
        self._is_shuffled = is_small and document_starts is not None and len(document_starts) > 1
        self._seed = seed
        self.window_tokens = min(window_tokens, len(ids) - 1)
        # One window fewer than fit, so that every offset of an epoch has as many.
        self._num_windows = max((len(ids) - 1) // self.window_tokens - 1, 1)
        self.batch_windows = min(batch_windows, self._num_windows)
        self.num_batches = self._num_windows // self.batch_windows

    @property
    def tokens_per_batch(self) -> int:
        """Targets in one batch."""
        return self.window_tokens * self.batch_windows

    def batch(self, step: int) -> Int[torch.Tensor, "batch time_and_one"]:
        """Return the windows of a step, each with the id that follows it.

        Args:
            step: counted from 0 over all epochs.
        """
        epoch, index = divmod(step, self.num_batches)
        starts = self._starts(epoch)[index * self.batch_windows : (index + 1) * self.batch_windows]
        ids = self._ids_of_epoch(epoch) if self._is_shuffled else self._ids
        rows = [ids[start : start + self.window_tokens + 1] for start in starts]
        return torch.from_numpy(np.stack(rows).astype(np.int64))

    def epochs(self, num_steps: int) -> float:
        """Return how many times num_steps steps see every id."""
        return num_steps * self.tokens_per_batch / max(len(self._ids) - 1, 1)

    @lru_cache(maxsize=1)  # noqa: B019 - lives as long as the training
    def _ids_of_epoch(self, epoch: int) -> np.ndarray[Any, np.dtype[Any]]:
        """Put the documents, each with its separator, into the epoch's order."""
        ids = np.asarray(self._ids)
        starts = np.asarray(self._starts_of_documents)
        # The separator that closes the last document closes whichever comes last.
        pieces = np.split(ids[:-1], starts[1:])
        order = random_generator(self._seed, f"documents of epoch {epoch}").permutation(len(pieces))
        return np.concatenate([*(pieces[index] for index in order), ids[-1:]])

    @lru_cache(maxsize=2)  # noqa: B019 - lives as long as the training
    def _starts(self, epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        generator = random_generator(self._seed, f"windows of epoch {epoch}")
        room = len(self._ids) - 1 - self._num_windows * self.window_tokens
        offset = int(generator.integers(0, min(room, self.window_tokens) + 1))
        starts: np.ndarray[Any, np.dtype[np.int64]] = (
            offset + generator.permutation(self._num_windows).astype(np.int64) * self.window_tokens
        )
        return starts


def evaluation_windows(
    ids: np.ndarray[Any, np.dtype[Any]], window_tokens: int, most_windows: int
) -> Int[torch.Tensor, "windows time_and_one"]:
    """Spread windows evenly over held-out ids.

    Args:
        ids: at least 2.
        window_tokens: T.
        most_windows: no more than this many; all that fit without overlap where fewer.

    Returns:
        Windows with the id that follows each.
    """
    length = min(window_tokens, len(ids) - 1)
    count = max(min((len(ids) - 1) // length, most_windows), 1)
    starts = np.linspace(0, len(ids) - 1 - length, count).astype(np.int64)
    return torch.from_numpy(np.stack([ids[s : s + length + 1] for s in starts]).astype(np.int64))
