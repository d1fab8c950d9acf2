"""Drop the n-grams that matter least, until the file is small enough.

An n-gram matters as much as the text would lose in probability if its context backed off to the
order below for this id: occurrences times the difference of the logarithms. What is dropped gives
its whole share of A to the order below, so probabilities still sum to 1. An n-gram that others go
on from stays; adjusted counts stay those of the whole text.

Source: Seymore and Rosenfeld 1996, "Scalable backoff language models" (weighted difference);
Stolcke 1998, "Entropy-based pruning of backoff language models"; Siivola, Hirsimäki and Virpioja
2007, "On growing and pruning Kneser-Ney smoothed n-gram models" (the share that is freed).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float64
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.ngram.counting import Level
from sparrowlm.models.ngram.files import size_bytes
from sparrowlm.models.ngram.scoring import distribution
from sparrowlm.models.ngram.statistics import class_of
from sparrowlm.models.ngram.table import Table, compacted

Array = np.ndarray[Any, np.dtype[Any]]
Discounts = Float64[np.ndarray, "orders classes"]


def pruned_to_size(
    table: Table,
    levels: tuple[Level, ...],
    discounts_NC: Discounts,
    max_bytes: int,
    progress: Progress,
) -> Table:
    """Keep the n-grams that matter most inside max_bytes.

    Args:
        table: all n-grams.
        levels: the same, as counted.
        discounts_NC: one row per order.
        max_bytes: of the file.
        progress: told how much was kept.

    Raises:
        SettingError: single ids alone need more.
    """
    if size_bytes(table, discounts_NC) <= max_bytes:
        return table
    worth = ngram_worth(table, levels, discounts_NC)
    best = pruned(levels, worth, np.inf, table.vocab_size)
    needed = size_bytes(best, discounts_NC)
    if needed > max_bytes:
        raise SettingError("models.ngram-limit-too-small", needed=needed, received=max_bytes)
    ranked = np.sort(np.concatenate(worth[1:]))
    low, high = 0, len(ranked)
    while low < high:
        middle = (low + high) // 2
        candidate = pruned(levels, worth, float(ranked[middle]), table.vocab_size)
        if size_bytes(candidate, discounts_NC) <= max_bytes:
            best, high = candidate, middle
        else:
            low = middle + 1
    kept = sum(len(level.counts.small) for level in best.levels)
    total = sum(len(level.tokens) for level in levels)
    progress.note(say("models.ngram-pruned", kept=kept, total=total, bytes=max_bytes))
    return best


def ngram_worth(table: Table, levels: tuple[Level, ...], discounts_NC: Discounts) -> list[Array]:
    """Return what the counted text loses, in nats, when one n-gram alone is dropped.

    Args:
        table: all n-grams.
        levels: the same, as counted.
        discounts_NC: one row per order.

    Returns:
        Per order an array with one number per n-gram; zeros for order 1, which is never pruned.
    """
    lower = distribution(table, discounts_NC, [0, *[-1] * (table.order - 1)])[0]
    suffixes = np.arange(table.vocab_size, dtype=np.int64)
    worth = [np.zeros(table.vocab_size)]
    for n in range(1, table.order):
        parents = _parents(levels[n - 1])
        tokens = levels[n].tokens.astype(np.int64)
        shorter = tokens if n == 1 else table.child(n - 1, suffixes[parents], tokens)
        sums = table.sums(n, parents)
        weights = table.levels[n].weights.all()
        kept = (weights - np.array([0.0, *discounts_NC[n]])[class_of(weights)]) / sums.mass
        free = discounts_NC[n] @ np.stack([sums.ones, sums.twos, sums.more]) / sums.mass
        whole = kept + free * lower[shorter]
        without = (free + kept) * lower[shorter]
        worth.append(levels[n].counts * np.log(whole / without))
        lower, suffixes = whole, shorter
    return worth


def pruned(
    levels: tuple[Level, ...], worth: list[Array], threshold: float, vocab_size: int
) -> Table:
    """Drop the n-grams worth no more than threshold that no kept n-gram goes on from."""
    kept = [np.ones(len(level.tokens), dtype=np.bool_) for level in levels]
    left = list(levels)
    lost: list[Array | None] = [None] * len(levels)
    has_children = np.zeros(len(levels[-1].tokens), dtype=np.bool_)
    for n in range(len(levels) - 1, 0, -1):
        kept[n] = (worth[n] > threshold) | has_children
        parents = _parents(levels[n - 1])
        size = len(levels[n - 1].tokens)
        num_children = np.bincount(parents[kept[n]], minlength=size)
        level = levels[n]
        weights = level.counts if n == len(levels) - 1 else level.adjusted
        gone = np.bincount(parents, weights=weights * ~kept[n], minlength=size)
        has_children = num_children > 0
        # A context without continuations backs off as one that was never seen.
        lost[n - 1] = np.where(has_children, gone, 0).astype(np.int64)
        left[n - 1] = replace(levels[n - 1], num_children=num_children.astype(np.uint32))
    chosen = [_rows(level, rows) for level, rows in zip(left, kept, strict=True)]
    gone_rows = [g if g is None else g[rows] for g, rows in zip(lost, kept, strict=True)]
    return compacted(chosen, gone_rows, vocab_size)


def _parents(level: Level) -> Array:
    return np.repeat(np.arange(len(level.tokens), dtype=np.int64), level.num_children)


def _rows(level: Level, rows: Array) -> Level:
    return Level(
        tokens=level.tokens[rows],
        counts=level.counts[rows],
        num_children=level.num_children[rows],
        adjusted=level.adjusted[rows],
        num_separated=level.num_separated,
    )
