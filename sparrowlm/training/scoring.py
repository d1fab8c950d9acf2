"""A network's verdict on a whole text, in overlapping windows, as engines give it one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.network import Network

# A recurrent network has no window of its own; after so many ids its state has settled.
_RECURRENT_WINDOW = 1024
_TOKENS_AT_ONCE = 8192
_LOGITS_AT_ONCE = 8_000_000


def scoring_window(network: Network) -> int:
    """Return C, the ids a network looks at together when it scores a text."""
    shape = getattr(network, "shape", None)
    return shape.context_tokens if isinstance(shape, TransformerShape) else _RECURRENT_WINDOW


def log_probabilities(
    network: Network, ids: np.ndarray[Any, np.dtype[Any]]
) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    """Yield log_probabilities_TV, row after row for ids[1:], in pieces.

    Windows of C ids begin every C - C // 2 ids; of each but the first only the second half
    counts, so every prediction sees at least C // 2 ids where there are that many.

    Args:
        network: in evaluation mode, float32.
        ids: shape (tokens,), beginning with the separator.
    """
    window = min(scoring_window(network), max(len(ids) - 1, 1))
    stride = window - window // 2
    starts = [0]
    while starts[-1] + window < len(ids) - 1:
        starts.append(starts[-1] + stride)
    rows = max(min(_TOKENS_AT_ONCE // window, _LOGITS_AT_ONCE // (window * network.vocab_size)), 1)
    done = 0
    for first in range(0, len(starts), rows):
        chunk = starts[first : first + rows]
        # The last window may reach over the end: what is missing is filled and thrown away.
        windows = np.zeros((len(chunk), window), dtype=np.int64)
        for row, start in enumerate(chunk):
            piece = ids[start : min(start + window, len(ids) - 1)]
            windows[row, : len(piece)] = piece
        scores_BTV = _scores(network, windows)
        for row, start in enumerate(chunk):
            end = min(start + window, len(ids) - 1)
            yield scores_BTV[row, done - start : end - start]
            done = end


@torch.no_grad()
def _scores(
    network: Network, windows_BT: np.ndarray[Any, np.dtype[np.int64]]
) -> np.ndarray[Any, np.dtype[np.float32]]:
    logits_BTV = network(torch.from_numpy(windows_BT)).float()
    scores_BTV: np.ndarray[Any, np.dtype[np.float32]] = functional.log_softmax(
        logits_BTV, dim=-1
    ).numpy()
    return scores_BTV
