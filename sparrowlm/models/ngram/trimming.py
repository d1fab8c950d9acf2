"""An n-gram table over fewer ids.

An n-gram goes when one of its ids goes. Unlike what pruning drops, it hands nothing down to the
order below: its last id is no longer there to be predicted, so the others share the whole of A.

Shape letters: V vocabulary before, K vocabulary after.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int64
from sparrowlm.models.ngram.counting import Level
from sparrowlm.models.ngram.pruning import counted_levels, parents_of, rows_of
from sparrowlm.models.ngram.table import Table, compacted

Array = np.ndarray[Any, np.dtype[Any]]


def trimmed(table: Table, kept_K: Int64[np.ndarray, " kept"]) -> Table:
    """Keep the n-grams of some ids alone.

    Args:
        table: all n-grams.
        kept_K: ids to keep, ascending, the separator (0) among them; id kept_K[k] becomes k.
    """
    new_V = np.full(table.vocab_size, -1, dtype=np.int64)
    new_V[kept_K] = np.arange(len(kept_K))
    levels = counted_levels(table)
    is_kept: list[Array] = [new_V >= 0]
    chosen: list[Level] = []
    lost: list[Array | None] = []
    for n, level in enumerate(levels):
        is_top = n == len(levels) - 1
        num_children = level.num_children
        if not is_top:
            parents, above = parents_of(level), levels[n + 1]
            is_kept.append(is_kept[n][parents] & (new_V[above.tokens] >= 0))
            counted = np.bincount(parents[is_kept[-1]], minlength=len(level.tokens))
            num_children = counted.astype(np.uint32)
        rows = is_kept[n]
        chosen.append(rows_of(replace(level, num_children=num_children), rows))
        chosen[-1] = replace(chosen[-1], tokens=new_V[chosen[-1].tokens].astype(np.uint32))
        gone = table.levels[n].lost
        # A context without continuations backs off as one that was never seen.
        lost.append(None if gone is None else np.where(num_children > 0, gone.all(), 0)[rows])
    return compacted(chosen, lost, len(kept_K))
