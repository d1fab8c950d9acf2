"""The two classical searches that a learnt one must beat, in the same kind of index.

    TF-IDF   cosine of (1 + ln count) idf, the question's n-grams counted once each
    BM25     sum over shared n-grams of idf count (k + 1) / (count + k (1 - b + b length / mean))

Both over character and word n-grams of the stored questions: Chinese needs both.

Source: Salton and Buckley 1988, "Term-weighting approaches in automatic text retrieval"; Robertson
and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond", equation 3.15.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.tasks.match.index import AnswerIndex, Postings, TextBlob
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings

TF_IDF, BM25 = "tf-idf", "bm25"
SATURATION, LENGTH_SHARE = 1.2, 0.75
_NONE = NgramFeatureSettings(most_characters=0, most_words=0)

Numbers = np.ndarray[Any, np.dtype[np.float64]]


class _Counted(NamedTuple):
    """N-grams of entries, n-gram after n-gram: keys, starts, entries, counts, holders."""

    keys_F: Any
    starts_F1: Any
    rows_P: Any
    columns_P: Any
    counts_P: Any
    num_holders_F: Any


def floor_index(
    kind: str,
    questions: Sequence[str],
    answers: Sequence[str],
    features: NgramFeatures,
) -> AnswerIndex:
    """Make an index without anything learnt.

    Args:
        kind: "tf-idf" or "bm25".
        questions: stored questions.
        answers: as many.
        features: n-grams of questions.
    """
    counted = _counted(questions, features)
    weights_F, values_P = (_tf_idf if kind == TF_IDF else _bm25)(counted, len(questions))
    first: dict[str, int] = {}
    twins = [first.setdefault(text.strip(), number) for number, text in enumerate(questions)]
    postings = Postings(
        counted.keys_F,
        weights_F.astype(np.float32),
        counted.starts_F1,
        counted.rows_P.astype(np.uint32),
        np.array(twins, dtype=np.uint32),
        np.zeros(len(questions), dtype=np.float32),
        float(weights_F.max(initial=1.0)),
        values_P.astype(np.float32),
    )
    no_answers = NgramFeatures(_NONE)
    blobs = TextBlob.of(questions), TextBlob.of(answers)
    return AnswerIndex(postings, *blobs, None, (features, no_answers))


def _counted(questions: Sequence[str], features: NgramFeatures) -> _Counted:
    counts = features.counts(questions)
    order = np.lexsort((counts.rows_N, counts.keys_N))
    keys_F, columns_P = np.unique(counts.keys_N[order], return_inverse=True)
    starts_F1 = np.searchsorted(columns_P, np.arange(len(keys_F) + 1))
    return _Counted(
        keys_F, starts_F1, counts.rows_N[order], columns_P,
        counts.counts_N[order].astype(np.float64), np.diff(starts_F1),
    )  # fmt: skip


def _tf_idf(counted: _Counted, num_entries: int) -> tuple[Numbers, Numbers]:
    idf_F = np.log((1 + num_entries) / (1 + counted.num_holders_F)) + 1
    values_P = (1 + np.log(counted.counts_P)) * idf_F[counted.columns_P]
    squares_N = np.bincount(counted.rows_P, values_P**2, num_entries)
    return idf_F, values_P / np.sqrt(squares_N)[counted.rows_P]


def _bm25(counted: _Counted, num_entries: int) -> tuple[Numbers, Numbers]:
    holders_F = counted.num_holders_F
    idf_F = np.log(1 + (num_entries - holders_F + 0.5) / (holders_F + 0.5))
    lengths_N = np.bincount(counted.rows_P, counted.counts_P, num_entries)
    relative_P = (lengths_N / max(float(lengths_N.mean()), 1e-9))[counted.rows_P]
    damping_P = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * relative_P)
    values_P = counted.counts_P * (SATURATION + 1) / (counted.counts_P + damping_P)
    return idf_F, values_P
