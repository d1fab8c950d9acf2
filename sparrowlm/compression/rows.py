"""Word vectors in 8 bits, one scale a row, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sparrowlm.compression.choices import Choice, Way
from sparrowlm.compression.parts import TextParts
from sparrowlm.compression.samples import first_ids
from sparrowlm.foundation import atomic
from sparrowlm.models.quantised_rows import quantised
from sparrowlm.models.word_vectors import WordVectors
from sparrowlm.runtime.directory import VECTORS_FILE

ROUNDED = 8
_SEEN_TOKENS = 16_384

Ids = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class RowWays:
    """Ways to store the file of a model's weights.

    Attributes:
        name: of the file.
        files: its content by way, 8 or the bits of a floating-point number.
        choices: the same with bytes and costs.
    """

    name: str
    files: Mapping[Way, bytes]
    choices: Sequence[Choice]


def row_ways(parts: TextParts, documents: Sequence[Ids]) -> RowWays | None:
    """Round the rows of word vectors.

    Args:
        parts: of the model.
        documents: ids to look at, the separator in front of each.

    Returns:
        None for a model without word vectors.
    """
    vectors = parts.vectors
    if vectors is None:
        return None
    files: dict[Way, bytes] = {
        32: atomic.saved_bytes(vectors.save),
        ROUNDED: atomic.saved_bytes(lambda path: vectors.save(path, has_rounded_rows=True)),
    }
    rounded = replace(parts, vectors=_rounded_vectors(vectors))
    return _ways(VECTORS_FILE, files, parts, rounded, documents)


def _ways(
    name: str,
    files: Mapping[Way, bytes],
    plain: TextParts,
    rounded: TextParts,
    documents: Sequence[Ids],
) -> RowWays:
    some = first_ids(documents, _SEEN_TOKENS)
    nats = [
        float(np.concatenate([parts.engine().surprisals(one) for one in some]).mean())
        for parts in (plain, rounded)
    ]
    costs = {way: max(nats[1] - nats[0], 0.0) if way == ROUNDED else 0.0 for way in files}
    choices = [Choice(way, len(content), costs[way]) for way, content in files.items()]
    return RowWays(name, files, choices)


def _rounded_vectors(vectors: WordVectors) -> WordVectors:
    return replace(
        vectors,
        vectors_VD=quantised(vectors.vectors_VD).plain(),
        output_VD=quantised(vectors.output_VD).plain(),
    )
