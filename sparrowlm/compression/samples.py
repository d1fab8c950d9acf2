"""Texts to compress by: a person's own, or what the model itself writes.

Source for the latter: Liu et al. 2023, "LLM-QAT", arXiv:2305.17888, section 3.1.

Shape letters: B windows or rows, T positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Int64
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.runtime.engines import Engine
from sparrowlm.runtime.sampling import SamplingSettings, draw

SEPARATOR = 0
_ROWS_AT_ONCE = 32

Ids = np.ndarray[Any, np.dtype[np.int64]]


def own_documents(engine: Engine[Any], num_tokens: int, window: int, seed: int = 0) -> list[Ids]:
    """Let a model write.

    Args:
        engine: of the model.
        num_tokens: of all documents together, about.
        window: ids of a piece of writing; where it ends in mid-text the document ends.
        seed: same seed, same texts.

    Returns:
        Ids of each document, the separator in front.
    """
    generator = random_generator(seed, "own-documents")
    num_rows = -(-num_tokens // window)
    documents = []
    for first in range(0, num_rows, _ROWS_AT_ONCE):
        rows = min(_ROWS_AT_ONCE, num_rows - first)
        for ids_T in _written(engine, rows, window, generator):
            documents += divided(ids_T)
    return documents


def _written(
    engine: Engine[Any], num_rows: int, window: int, generator: np.random.Generator
) -> Int64[np.ndarray, "rows window"]:
    start = engine.start()
    first_V = engine.step(np.array([SEPARATOR]), start, is_last_only=True)[-1]
    cache, settings = engine.branch(start, [0] * num_rows), SamplingSettings()
    ids_BT = np.zeros((num_rows, window), dtype=np.int64)
    logits_BV = np.broadcast_to(first_V, (num_rows, len(first_V)))
    for place in range(1, window):
        ids_BT[:, place] = [draw(logits_V, settings, generator) for logits_V in logits_BV]
        if place < window - 1:
            logits_BV = engine.step_rows(ids_BT[:, place], cache)
    return ids_BT


def divided(ids_T: Int64[np.ndarray, " time"]) -> list[Ids]:
    """Return the documents of a row of ids, each with the separator in front, none of them empty.

    >>> [document.tolist() for document in divided(np.array([0, 5, 6, 0, 0, 7]))]
    [[0, 5, 6], [0, 7]]
    """
    starts = np.flatnonzero(ids_T == SEPARATOR)
    ends = [*starts[1:].tolist(), len(ids_T)]
    return [
        ids_T[start:end]
        for start, end in zip(starts.tolist(), ends, strict=True)
        if end > start + 1
    ]


def windows(
    documents: Iterable[Int64[np.ndarray, " _"]], window: int, most_tokens: int
) -> Int64[np.ndarray, "batch time"]:
    """Lay documents end to end and cut them into windows, as texts are cut for training.

    Args:
        documents: ids of each, the separator in front; at least one id in all.
        window: ids of each window; fewer where there are fewer.
        most_tokens: of all windows, spread evenly over the documents.
    """
    stream_T = np.concatenate(list(documents))
    window = min(window, len(stream_T))
    whole_BT = stream_T[: len(stream_T) // window * window].reshape(-1, window)
    wanted = max(most_tokens // window, 1)
    if len(whole_BT) <= wanted:
        return whole_BT
    return whole_BT[np.linspace(0, len(whole_BT) - 1, wanted).astype(np.int64)]


def first_ids(documents: Iterable[Ids], most: int) -> list[Ids]:
    """Return the first documents, the last of them cut, with so many ids in all."""
    found = []
    for document in documents:
        if most > 1:
            found.append(document[:most])
        most -= len(document)
    return found


def every_fifth_apart(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide texts into those to compress by and those to measure on.

    Of less than five texts the last fifth of each measures.

    >>> every_fifth_apart(["abcdefghij"])
    (['abcdefgh'], ['ij'])
    """
    if len(texts) < 5:
        cuts = [max(len(one) * 4 // 5, 1) for one in texts]
        before = [one[:cut] for one, cut in zip(texts, cuts, strict=True)]
        behind = [one[cut:] for one, cut in zip(texts, cuts, strict=True) if cut < len(one)]
        return before, behind
    apart = [one for place, one in enumerate(texts) if place % 5 == 4]
    return [one for place, one in enumerate(texts) if place % 5 != 4], apart


def first_characters(texts: Iterable[str], most: int) -> list[str]:
    """Return the first texts, the last of them cut, with so many characters in all.

    >>> first_characters(["abc", "", "defg", "h"], 5)
    ['abc', 'de']
    """
    found = []
    for text in texts:
        if most > 0 and text:
            found.append(text[:most])
        most -= len(text)
    return found
