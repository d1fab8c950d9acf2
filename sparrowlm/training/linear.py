"""Training of the sparse linear model: a linear support vector machine by coordinate descent.

The optimiser is scikit-learn's LinearSVC (liblinear): seconds for tens of thousands of texts.

Source: Fan et al. 2008, "LIBLINEAR: a library for large linear classification"; squared hinge
loss, one label against the rest.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float, Float64, Int64
from sparrowlm.foundation.errors import DependencyError
from sparrowlm.models.sparse_linear import SparseLinear, SparseRows, Vocabulary

_MOST_ITERATIONS = 1000
# Texts that stand on both sides are never done with; after this many rounds nothing changes.
_MOST_ITERATIONS_IN_DOUBT = 100
# A label less likely than this counts as excluded: the text is not learnt from twice for it.
_LEAST_SHARE = 0.05

Vector = np.ndarray[Any, np.dtype[np.float64]]


class Machine(NamedTuple):
    """How one linear model is learnt.

    Attributes:
        penalty: C of the support vector machine, > 0: smaller pulls weights to zero.
        has_bayes_scales: every n-gram is first scaled by how unevenly it is spread over texts with
            and without the label (the logarithm of the naive Bayes ratio).
    """

    penalty: float
    has_bayes_scales: bool = False


def train_linear(
    vocabulary: Vocabulary,
    matrix: Any,  # noqa: ANN401 - SciPy has no types
    targets_BC: Bool[np.ndarray, "texts columns"] | Float[np.ndarray, "texts columns"],
    machines: Sequence[Machine] = (Machine(1.0),),
    seed: int = 0,
    importance_B: Float[np.ndarray, " texts"] | None = None,
) -> SparseLinear:
    """Find weights for every column apart: does the text have the label or not.

    Args:
        vocabulary: the n-grams.
        matrix: the texts, see as_matrix.
        targets_BC: whether text b has the label of column c, or how likely that is, 0 to 1. A
            doubtful text counts for both sides by their likelihoods, so that the expected loss is
            minimised; without noise its score would be 2 p - 1.
        machines: several are averaged, which costs nothing afterwards.
        seed: of the order in which texts are visited.
        importance_B: how much the loss of each text counts; None counts all alike.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    num_columns = targets_BC.shape[1]
    weights_FC = np.zeros((len(vocabulary.keys_F), num_columns), dtype=np.float32)
    bias_C = np.zeros(num_columns, dtype=np.float32)
    for column in range(num_columns):
        shares_B = _decided(targets_BC[:, column].astype(np.float64))
        has_some, has_all = bool((shares_B > 0.0).any()), bool((shares_B == 1.0).all())
        if not has_some or has_all:
            bias_C[column] = 1.0 if has_some else -1.0
            continue
        found = [_one(matrix, shares_B, importance_B, machine, seed) for machine in machines]
        weights_FC[:, column] = np.mean([weights_F for weights_F, _bias in found], axis=0)
        bias_C[column] = float(np.mean([bias for _weights, bias in found]))
    return SparseLinear(vocabulary, weights_FC, bias_C)


def as_matrix(rows: SparseRows, num_features: int) -> Any:  # noqa: ANN401 - SciPy has no types
    """Return the values as SciPy's sparse matrix of rows."""
    needs_scikit_learn()
    from scipy.sparse import csr_matrix

    borders = np.concatenate([[0], np.cumsum(np.bincount(rows.rows_N, minlength=rows.num_rows))])
    shape = (rows.num_rows, num_features)
    return csr_matrix((rows.values_N.astype(np.float64), rows.columns_N, borders), shape=shape)


def _decided(shares_B: Vector) -> Vector:
    """Round likelihoods that are nearly certain."""
    rounded_B = np.where(shares_B < _LEAST_SHARE, 0.0, shares_B)
    return np.where(rounded_B > 1 - _LEAST_SHARE, 1.0, rounded_B)


def _for_both_sides(
    matrix: Any,  # noqa: ANN401 - SciPy has no types
    shares_B: Vector,
    importance_B: Vector | None,
) -> tuple[Any, Any, Vector | None]:
    """Return rows, sides and weights; a doubtful row stands on either side. None weighs all one."""
    wanted_B = shares_B > 0.5
    doubtful = np.flatnonzero((shares_B > 0.0) & (shares_B < 1.0))
    if not len(doubtful):
        return matrix, wanted_B, importance_B
    from scipy.sparse import vstack

    all_B = np.ones(len(shares_B)) if importance_B is None else importance_B
    likelier_B = np.maximum(shares_B, 1 - shares_B)
    return (
        vstack([matrix, matrix[doubtful]]).tocsr(),
        np.concatenate([wanted_B, ~wanted_B[doubtful]]),
        np.concatenate([all_B * likelier_B, (all_B * (1 - likelier_B))[doubtful]]),
    )


def _one(
    matrix: Any,  # noqa: ANN401 - SciPy has no types
    shares_B: Vector,
    importance_B: Vector | None,
    machine: Machine,
    seed: int,
) -> tuple[Vector, float]:
    scales_F: Vector | float = 1.0
    if machine.has_bayes_scales:
        scales_F = bayes_scales(matrix, shares_B > 0.5)
        matrix = matrix.multiply(scales_F).tocsr()
    rows, wanted, weights = _for_both_sides(matrix, shares_B, importance_B)
    is_in_doubt = len(wanted) > len(shares_B)
    most = _MOST_ITERATIONS_IN_DOUBT if is_in_doubt else _MOST_ITERATIONS
    solver = support_vector_machine(rows, wanted, machine.penalty, most, seed, weights)
    return solver.coef_[0] * scales_F, float(solver.intercept_[0])


def support_vector_machine(
    matrix: Any,  # noqa: ANN401 - SciPy has no types
    labels_B: np.ndarray[Any, np.dtype[Any]],
    penalty: float,
    most_iterations: int,
    seed: int,
    importance_B: Float[np.ndarray, " texts"] | None = None,
) -> Any:  # noqa: ANN401 - scikit-learn has no types
    """Return scikit-learn's LinearSVC, fitted as far as the iterations go.

    Args:
        matrix: the texts, see as_matrix.
        labels_B: label of each.
        penalty: C, > 0.
        most_iterations: no more rounds over the texts than these.
        seed: of the order in which texts are visited.
        importance_B: how much each counts; None counts all alike.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    solver = LinearSVC(C=penalty, max_iter=most_iterations, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # good enough is good enough here
        solver.fit(matrix, labels_B, sample_weight=importance_B)
    return solver


def bayes_scales(
    matrix: Any,  # noqa: ANN401 - SciPy has no types
    wanted_B: Bool[np.ndarray, " texts"],
) -> Float64[np.ndarray, " features"]:
    """Return the size of the naive Bayes log-ratio of every n-gram, each seen once more.

    Args:
        matrix: the texts.
        wanted_B: whether each has the label.

    Source: Wang and Manning 2012, "Baselines and bigrams: simple, good sentiment and topic
    classification", equation 2.
    """
    occurs = matrix.astype(bool).astype(np.float64)
    with_F = 1.0 + np.asarray(occurs[wanted_B].sum(axis=0)).ravel()
    without_F = 1.0 + np.asarray(occurs[~wanted_B].sum(axis=0)).ravel()
    ratio_F: Vector = np.log((with_F / with_F.sum()) / (without_F / without_F.sum()))
    return np.abs(ratio_F)


def needs_scikit_learn() -> None:
    """Refuse where scikit-learn, and SciPy with it, is not installed.

    Raises:
        DependencyError: names the command that installs it.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise DependencyError.for_extra("scikit-learn", "train") from error


def folds(
    labels_B: Int64[np.ndarray, " texts"], num_folds: int, seed: int
) -> Int64[np.ndarray, " texts"]:
    """Give every text a fold, every label spread evenly over all of them.

    Args:
        labels_B: label of every text, >= 0.
        num_folds: >= 2.
        seed: of the order within a label.
    """
    from sparrowlm.foundation.randomness import derive_seed

    random = np.random.default_rng(derive_seed(seed, "folds"))
    order = random.permutation(len(labels_B))
    order = order[np.argsort(labels_B[order], kind="stable")]
    folds_B = np.empty(len(labels_B), dtype=np.int64)
    folds_B[order] = np.arange(len(labels_B)) % num_folds
    return folds_B
