"""Fewer tokens: those that texts hardly need leave the tokenizer and every table of ids.

What a text loses is measured on the text, not on its tokens, for there are more of them
afterwards.

Shape letters: V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sparrowlm.compression.parts import TextParts
from sparrowlm.foundation.array_types import Bool, Int64
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.text.tokenizers.trimming import trimmed

# Shares of a text's tokens that may fall to those that are left out.
RARE_SHARES = (0.0, 0.001, 0.005, 0.02, 0.05)

Ids = np.ndarray[Any, np.dtype[np.int64]]


def token_counts(
    parts: TextParts, documents: Sequence[Ids], *, is_own: bool
) -> Int64[np.ndarray, " vocab"]:
    """Count tokens.

    Args:
        parts: of the model.
        documents: ids of texts like those to come.
        is_own: the model wrote them itself: what it learnt from has more rare tokens, and an n-gram
            table still knows how many.
    """
    found: Ids = np.bincount(np.concatenate(documents), minlength=parts.codec.vocab_size)
    if is_own and parts.ngram is not None:
        found = found + parts.ngram.table.levels[0].counts.all()
    return found.astype(np.int64)


def wanted(counts_V: Int64[np.ndarray, " vocab"], rare_share: float) -> Bool[np.ndarray, " vocab"]:
    """Leave out the rarest tokens, as long as they are no more than a share of all occurrences.

    Args:
        counts_V: how often each occurs.
        rare_share: 0 to below 1; 0 leaves out those that never occur.

    >>> wanted(np.array([5, 0, 1, 94]), 0.0).tolist()
    [True, False, True, True]
    >>> wanted(np.array([5, 0, 1, 94]), 0.02).tolist()
    [True, False, False, True]
    """
    order_V = np.argsort(counts_V, kind="stable")
    so_far_V = np.cumsum(counts_V[order_V])
    is_wanted_V = np.ones(len(counts_V), dtype=np.bool_)
    is_wanted_V[order_V[so_far_V <= rare_share * max(int(counts_V.sum()), 1)]] = False
    return is_wanted_V


def without_rare_tokens(
    parts: TextParts, counts_V: Int64[np.ndarray, " vocab"], rare_share: float
) -> TextParts:
    """Return a model of fewer tokens.

    Args:
        parts: of the model.
        counts_V: how often each token occurs.
        rare_share: see wanted.
    """
    codec, kept_K = trimmed(parts.codec, wanted(counts_V, rare_share))
    vectors = parts.vectors
    if vectors is not None:
        vectors = WordVectors(
            vectors.vectors_VD[kept_K], vectors.output_VD[kept_K], vectors.log_noise_V[kept_K],
            vectors.window, vectors.settings,
        )  # fmt: skip
    return replace(
        parts,
        codec=codec,
        network=None if parts.network is None else parts.network.trimmed(kept_K),
        ngram=None if parts.ngram is None else parts.ngram.trimmed(kept_K),
        vectors=vectors,
    )
