"""Drop the n-grams that matter least, until the file is small enough.

An n-gram matters as much as a text would lose in probability if its context backed off to the order
below for this id: expected occurrences (those counted less the discount) times the difference of
the logarithms. Counted occurrences alone would keep the highest orders' single finds, and cost
0.03 bits per character on Chinese novels at 4 MB. What is dropped gives
its whole share of A to the order below, so probabilities still sum to 1. An n-gram that others go
on from stays; adjusted counts stay those of the whole text.

Source: Seymore and Rosenfeld 1996, "Scalable backoff language models" (weighted difference);
Stolcke 1998, "Entropy-based pruning of backoff language models"; Siivola, Hirsimäki and Virpioja
2007, "On growing and pruning Kneser-Ney smoothed n-gram models" (the share that is freed).
"""

from __future__ import annotations

from collections.abc import Sequence
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
from sparrowlm.models.ngram.table import SmallCounts, Table, compacted

_NUM_THRESHOLDS = 4096

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
    lost = [level.lost for level in table.levels]
    best = pruned(levels, worth, np.inf, lost)
    needed = size_bytes(best, discounts_NC)
    if needed > max_bytes:
        raise SettingError("models.ngram-limit-too-small", needed=needed, received=max_bytes)
    thresholds = _thresholds(worth)
    row_bytes = [0 if n.tokens is None else n.tokens.itemsize for n in table.levels]
    low, high = 0, len(thresholds) - 1
    while low < high:
        middle = (low + high) // 2
        kept = _kept(levels, worth, thresholds[middle])
        if needed + _least_bytes(kept, row_bytes) <= max_bytes:
            high = middle
        else:
            low = middle + 1
    # The estimate leaves out the exceptions of large counts: a step or two more.
    best = pruned(levels, worth, thresholds[low], lost)
    while size_bytes(best, discounts_NC) > max_bytes:
        low += 1
        best = pruned(levels, worth, thresholds[low], lost)
    num_kept = sum(len(level.counts.small) for level in best.levels)
    total = sum(len(level.tokens) for level in levels)
    progress.note(say("models.ngram-pruned", kept=num_kept, total=total, bytes=max_bytes))
    return best


def _thresholds(worth: list[Array]) -> list[float]:
    """Return some thousand values that divide the n-grams evenly, and infinity."""
    ranked = np.sort(np.concatenate(worth[1:]))
    places = np.linspace(0, len(ranked) - 1, min(len(ranked), _NUM_THRESHOLDS))
    return [*ranked[places.astype(np.int64)].tolist(), np.inf]


def _least_bytes(kept: list[Array], token_bytes: list[int]) -> int:
    """Return what kept n-grams need beyond order 1: an id, a count, and three more below N."""
    highest = len(kept) - 1
    return sum(
        int(np.count_nonzero(rows)) * (token_bytes[n] + (1 if n == highest else 4))
        for n, rows in enumerate(kept)
        if n > 0
    )


def ngram_worth(table: Table, levels: tuple[Level, ...], discounts_NC: Discounts) -> list[Array]:
    """Return what a text as long as the counted one loses, in nats, without one n-gram.

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
        parents = parents_of(levels[n - 1])
        tokens = levels[n].tokens.astype(np.int64)
        shorter = tokens if n == 1 else table.child(n - 1, suffixes[parents], tokens)
        sums = table.sums(n, parents)
        weights = table.levels[n].weights.all()
        kept = (weights - np.array([0.0, *discounts_NC[n]])[class_of(weights)]) / sums.mass
        taken = discounts_NC[n] @ np.stack([sums.ones, sums.twos, sums.more])
        free = (taken + sums.lost) / sums.mass
        whole = kept + free * lower[shorter]
        without = (free + kept) * lower[shorter]
        # The counted text flatters what it holds: elsewhere an n-gram comes less often, by about D.
        counts = levels[n].counts.astype(np.int64)
        expected = counts - np.array([0.0, *discounts_NC[n]])[class_of(counts)]
        worth.append(expected * np.log(whole / without))
        lower, suffixes = whole, shorter
    return worth


def pruned(
    levels: tuple[Level, ...],
    worth: list[Array],
    threshold: float,
    lost_before: Sequence[SmallCounts | None],
) -> Table:
    """Drop the n-grams worth no more than threshold that no kept n-gram goes on from.

    Args:
        levels: what there is.
        worth: see ngram_worth.
        threshold: in nats.
        lost_before: per order the A of what an earlier pruning has dropped, or None.
    """
    kept = _kept(levels, worth, threshold)
    left = list(levels)
    lost: list[Array | None] = [None] * len(levels)
    for n in range(len(levels) - 1, 0, -1):
        level, size = levels[n], len(levels[n - 1].tokens)
        parents = parents_of(levels[n - 1])
        num_children = np.bincount(parents[kept[n]], minlength=size)
        weights = level.counts if n == len(levels) - 1 else level.adjusted
        gone = np.bincount(parents, weights=weights * ~kept[n], minlength=size)
        before = lost_before[n - 1]
        if before is not None:
            gone = gone + before.all()
        # A context without continuations backs off as one that was never seen.
        lost[n - 1] = np.where(num_children > 0, gone, 0).astype(np.int64)
        left[n - 1] = replace(levels[n - 1], num_children=num_children.astype(np.uint32))
    chosen = [rows_of(level, rows) for level, rows in zip(left, kept, strict=True)]
    gone_rows = [g if g is None else g[rows] for g, rows in zip(lost, kept, strict=True)]
    return compacted(chosen, gone_rows, len(levels[0].tokens))


def counted_levels(table: Table) -> tuple[Level, ...]:
    """Return the n-grams of a table as they were when they were counted, but for what is lost."""
    ids = np.arange(table.vocab_size, dtype=np.uint32)
    return tuple(
        Level(
            tokens=ids if level.tokens is None else level.tokens.astype(np.uint32),
            counts=level.counts.all().astype(np.uint32),
            num_children=_values(level.num_children, level.counts),
            adjusted=_values(level.adjusted, level.counts),
            num_separated=0,
        )
        for level in table.levels
    )


def _values(counts: SmallCounts | None, alike: SmallCounts) -> Array:
    if counts is None:
        return np.zeros(len(alike.small), dtype=np.uint32)
    return counts.all().astype(np.uint32)


def _kept(levels: tuple[Level, ...], worth: list[Array], threshold: float) -> list[Array]:
    kept = [np.ones(len(level.tokens), dtype=np.bool_) for level in levels]
    has_children = np.zeros(len(levels[-1].tokens), dtype=np.bool_)
    for n in range(len(levels) - 1, 0, -1):
        kept[n] = (worth[n] > threshold) | has_children
        has_children = np.zeros(len(levels[n - 1].tokens), dtype=np.bool_)
        has_children[parents_of(levels[n - 1])[kept[n]]] = True
    return kept


def parents_of(level: Level) -> Array:
    """Return the context of every n-gram of the next order."""
    return np.repeat(np.arange(len(level.tokens), dtype=np.int64), level.num_children)


def rows_of(level: Level, rows: Array) -> Level:
    """Return some n-grams of a level; their children are counted already."""
    return Level(
        tokens=level.tokens[rows],
        counts=level.counts[rows],
        num_children=level.num_children[rows],
        adjusted=level.adjusted[rows],
        num_separated=level.num_separated,
    )
