"""Training of the sparse linear model: a linear support vector machine by coordinate descent.

The optimiser is scikit-learn's LinearSVC (liblinear): seconds for tens of thousands of texts.

Source: Fan et al. 2008, "LIBLINEAR: a library for large linear classification"; squared hinge
loss, one label against the rest.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float32, Int64
from sparrowlm.foundation.errors import DependencyError
from sparrowlm.models.sparse_linear import SparseLinear, SparseRows, Vocabulary

_MOST_ITERATIONS = 1000


def train_linear(
    vocabulary: Vocabulary,
    matrix: Any,  # noqa: ANN401 - SciPy has no types
    targets_BC: Bool[np.ndarray, "texts columns"],
    penalty: float = 1.0,
    weights_B: Float32[np.ndarray, " texts"] | None = None,
    seed: int = 0,
) -> SparseLinear:
    """Find weights for every column apart: does the text have the label or not.

    Args:
        vocabulary: the n-grams.
        matrix: the texts, see as_matrix.
        targets_BC: whether text b has the label of column c.
        penalty: C of the support vector machine, > 0: smaller pulls weights to zero.
        weights_B: importance of every text; None for equal ones.
        seed: of the order in which texts are visited.

    Raises:
        DependencyError: scikit-learn is not installed.
    """
    num_columns = targets_BC.shape[1]
    weights_FC = np.zeros((len(vocabulary.keys_F), num_columns), dtype=np.float32)
    bias_C = np.zeros(num_columns, dtype=np.float32)
    for column in range(num_columns):
        wanted = targets_BC[:, column]
        if wanted.all() or not wanted.any():
            bias_C[column] = 1.0 if wanted.any() else -1.0
            continue
        weights_FC[:, column], bias_C[column] = _one(matrix, wanted, penalty, weights_B, seed)
    return SparseLinear(vocabulary, weights_FC, bias_C)


def as_matrix(rows: SparseRows, num_features: int) -> Any:  # noqa: ANN401 - SciPy has no types
    """Return the values as SciPy's sparse matrix of rows."""
    _needs_scikit_learn()
    from scipy.sparse import csr_matrix

    borders = np.concatenate([[0], np.cumsum(np.bincount(rows.rows_N, minlength=rows.num_rows))])
    shape = (rows.num_rows, num_features)
    return csr_matrix((rows.values_N.astype(np.float64), rows.columns_N, borders), shape=shape)


def _one(
    matrix: Any,  # noqa: ANN401 - SciPy has no types
    wanted_B: np.ndarray[Any, np.dtype[np.bool_]],
    penalty: float,
    weights_B: np.ndarray[Any, np.dtype[np.float32]] | None,
    seed: int,
) -> tuple[np.ndarray[Any, np.dtype[np.float64]], float]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    machine = LinearSVC(C=penalty, max_iter=_MOST_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # good enough is good enough here
        machine.fit(matrix, wanted_B, sample_weight=weights_B)
    return machine.coef_[0], float(machine.intercept_[0])


def _needs_scikit_learn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        command = 'pip install "sparrowlm[train]"'
        raise DependencyError(
            "foundation.missing-extra", package="scikit-learn", command=command
        ) from error


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
