"""The loop over one block of a text in NumPy: slower than the compiled one, same method.

Pairs are learnt some hundreds at a time, and a whole batch shares its counterexamples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sparrowlm.models.word_vectors.noise import Draws
from sparrowlm.models.word_vectors.settings import WordVectorSettings
from sparrowlm.models.word_vectors.subwords import Parts

_BATCH_WORDS = 64
_SHARED_NEGATIVES = 64
_REACH = 10.0
_MOST_PULLS = 8

Ids = np.ndarray[Any, np.dtype[Any]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]


def learn_block(
    block: Ids,
    settings: WordVectorSettings,
    draws: Draws,
    parts: Parts,
    matrices: tuple[Matrix, Matrix],
    rate: float,
    seed: int,
) -> None:
    """Learn one block, changing the matrices in place.

    Args:
        block: ids, 0 between documents.
        settings: method, window, counterexamples.
        draws: what is left out and drawn.
        parts: input rows of every id.
        matrices: inputs and outputs.
        rate: learning rate.
        seed: of this block.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    bits = generator.integers(0, 2**32, len(block), dtype=np.uint64)
    words = block[(block == 0) | (bits <= draws.keep_limits[block])].astype(np.int64)
    runs = np.cumsum(words == 0)
    reach = generator.integers(1, settings.window + 1, len(words))
    for start in range(0, len(words), _BATCH_WORDS):
        centres = np.arange(start, min(start + _BATCH_WORDS, len(words)))
        centres = centres[words[centres] != 0]
        pairs = _pairs(words, runs, reach, centres, settings.window)
        if len(pairs):
            negatives = _negatives(generator, draws)
            _learn_pairs(words, pairs, negatives, settings, parts, matrices, rate)


def _pairs(words: Ids, runs: Ids, reach: Ids, centres: Ids, window: int) -> Ids:
    """Return (place of the word, place of its neighbour), shape (pairs, 2)."""
    offsets = np.array([o for o in range(-window, window + 1) if o], dtype=np.int64)
    places = centres[:, None] + offsets
    inside = (places >= 0) & (places < len(words)) & (np.abs(offsets) <= reach[centres][:, None])
    safe = np.clip(places, 0, len(words) - 1)
    inside &= (runs[safe] == runs[centres][:, None]) & (words[safe] != 0)
    rows, columns = np.nonzero(inside)
    return np.stack([centres[rows], places[rows, columns]], axis=1)


def _negatives(generator: np.random.Generator, draws: Draws) -> Ids:
    columns = generator.integers(0, len(draws.noise_limits), _SHARED_NEGATIVES)
    bits = generator.integers(0, 2**32, _SHARED_NEGATIVES, dtype=np.uint64)
    is_own = bits < draws.noise_limits[columns]
    return np.where(is_own, columns, draws.noise_others[columns]).astype(np.int64)


def _learn_pairs(
    words: Ids,
    pairs: Ids,
    negatives: Ids,
    settings: WordVectorSettings,
    parts: Parts,
    matrices: tuple[Matrix, Matrix],
    rate: float,
) -> None:
    inputs, outputs = matrices
    # Every input of a pair is a mean of rows: of the neighbour's parts, in CBOW of all neighbours'.
    neighbours = words[pairs[:, 1]]
    owners = np.arange(len(pairs))
    targets = words[pairs[:, 0]]
    if settings.method == "cbow":
        places, owners = np.unique(pairs[:, 0], return_inverse=True)
        targets = words[places]
    sizes = np.diff(parts.starts)[neighbours].astype(np.int64)
    ends = np.cumsum(sizes)
    steps = np.arange(int(ends[-1])) - np.repeat(ends - sizes, sizes)
    rows = parts.rows[np.repeat(parts.starts[neighbours].astype(np.int64), sizes) + steps]
    row_owners = np.repeat(owners, sizes)
    row_shares = np.repeat(1.0 / (sizes * np.bincount(owners)[owners]), sizes).astype(np.float32)
    hidden = np.zeros((len(targets), inputs.shape[1]), dtype=np.float32)
    np.add.at(hidden, row_owners, inputs[rows] * row_shares[:, None])
    own = _sigmoid((hidden * outputs[targets]).sum(axis=1))
    others = _sigmoid(hidden @ outputs[negatives].T)
    own_slopes = (rate * (1 - own)).astype(np.float32)
    weight = rate * settings.num_negatives / len(negatives)
    other_slopes = (-weight * others * (targets[:, None] != negatives)).astype(np.float32)
    change = own_slopes[:, None] * outputs[targets] + other_slopes @ outputs[negatives]
    _add(outputs, targets, own_slopes[:, None] * hidden)
    np.add.at(outputs, negatives, other_slopes.T @ hidden)
    _add(inputs, rows, change[row_owners])


def _add(matrix: Matrix, rows: Ids, changes: Matrix) -> None:
    """Add changes to rows; a row that many pairs of the batch pull at moves as by a few of them.

    All pairs of a batch see the matrix as it was before: unlimited, their sum would overshoot.
    """
    distinct, places, counts = np.unique(rows, return_inverse=True, return_counts=True)
    sums = np.zeros((len(distinct), matrix.shape[1]), dtype=np.float32)
    np.add.at(sums, places, changes)
    matrix[distinct] += sums * np.minimum(1.0, _MOST_PULLS / counts)[:, None].astype(np.float32)


def _sigmoid(x: Matrix) -> Matrix:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -_REACH, _REACH))), dtype=np.float32)
