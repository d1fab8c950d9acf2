"""Entries that a changed question may be taken for, and weights that let the right one win.

    loss = cross-entropy of the right entry among its rivals, plus a little of the weights' squares

Shape letters: N entries, F n-grams, P holdings, B changed questions, K rivals of each, G groups of
n-grams.

Source: Cao et al. 2007, "Learning to rank: from pairwise approach to listwise approach" (the loss).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sparrowlm.foundation.array_types import Float32, Int64

_NUM_RIVALS, _CHUNK = 32, 500
_RIDGE = 5e-3

Numbers = np.ndarray[Any, np.dtype[np.int64]]
Matrix = np.ndarray[Any, np.dtype[np.float32]]


class Holdings(NamedTuple):
    """Which entry holds which n-gram.

    Attributes:
        keys_F: ascending.
        rows_P: number of the entry, n-gram after n-gram.
        columns_P: number of the n-gram, ascending.
        groups_F: number of the group of every n-gram.
        is_answer_F: whether it stands in answers.
        num_groups: G.
    """

    keys_F: Any
    rows_P: Numbers
    columns_P: Numbers
    groups_F: Numbers
    is_answer_F: Any
    num_groups: int


class Rivals:
    """Entries that changed questions could be taken for.

    They are looked for among some entries only: enough to learn what tells entries apart.

    Args:
        asked: n-grams of the changed questions, a SciPy matrix of rows.
        pool: n-grams of the entries.
        holdings: groups of the n-grams.
        own_B: which entry of the pool every question came from.
    """

    def __init__(
        self,
        asked: Any,  # noqa: ANN401 - SciPy has no types
        pool: Any,  # noqa: ANN401
        holdings: Holdings,
        own_B: Int64[np.ndarray, " questions"],
    ) -> None:
        from scipy.sparse import csr_matrix

        numbers_F = np.arange(len(holdings.groups_F))
        shape = (len(numbers_F), holdings.num_groups)
        ones_F = np.ones(len(numbers_F), dtype=np.float32)
        self._asked, self._pool, self._own_B = asked, pool, own_B
        self._holdings = holdings
        self._groups = csr_matrix((ones_F, (numbers_F, holdings.groups_F)), shape=shape)
        # What an answer holds may stay unsaid at no price.
        priced = self._groups.multiply(~holdings.is_answer_F[:, None]).tocsr()
        self._whole_NG = (pool @ priced).toarray()

    def first_guess(self) -> tuple[Any, Any, Any]:
        """Return weights of n-grams, and offset and scale of entries: rarity by length."""
        num_holders_F = np.asarray(self._pool.sum(axis=0)).ravel()
        rarity_F = np.log(self._pool.shape[0] / np.maximum(num_holders_F, 1.0))
        lengths_N = np.asarray(self._pool.sum(axis=1)).ravel()
        scale_N = 1 / (1 + 0.3 * lengths_N / max(float(lengths_N.mean()), 1.0))
        return rarity_F, np.zeros(len(scale_N)), scale_N

    def weighed(self, shared_G: Matrix, unshared_G: Matrix) -> tuple[Any, Any, Any]:
        """Return the same three for learnt weights."""
        groups_F = self._holdings.groups_F
        unshared_F = np.where(self._holdings.is_answer_F, 0.0, unshared_G[groups_F])
        bias_N = self._whole_NG @ unshared_G
        return shared_G[groups_F] - unshared_F, bias_N, np.ones(len(bias_N))

    def nearest(self, weights_F: Any, bias_N: Any, scale_N: Any) -> Numbers:  # noqa: ANN401
        """Return the entries with the largest scores for every question, its own among them."""
        num_rivals = min(_NUM_RIVALS, self._pool.shape[0])
        found = np.zeros((len(self._own_B), num_rivals), dtype=np.int64)
        for rows in self._chunks():
            weighed = self._asked[rows].multiply(weights_F[None]).tocsr()
            scores = ((weighed @ self._pool.T).toarray() + bias_N) * scale_N
            # Its own entry first, whatever its score, the largest of the others behind it.
            scores[np.arange(len(rows)), self._own_B[rows]] = np.inf
            best = np.argpartition(-scores, num_rivals - 1, axis=1)[:, :num_rivals]
            order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
            found[rows] = np.take_along_axis(best, order, axis=1)
        return found

    def counted(
        self, nearest_BK: Int64[np.ndarray, "questions rivals"]
    ) -> tuple[
        Float32[np.ndarray, "questions rivals groups"], Float32[np.ndarray, "questions rivals"]
    ]:
        """Count what is shared and what is not.

        Returns:
            Numbers of shared and of unshared n-grams of every group; 1.0 for the right rival,
            -1.0 for the same one a second time.
        """
        shape = (*nearest_BK.shape, 2 * self._holdings.num_groups)
        found = np.zeros(shape, dtype=np.float32)
        for rows in self._chunks():
            nearest = nearest_BK[rows]
            asked = self._asked[np.repeat(rows, nearest.shape[1])]
            shared = asked.multiply(self._pool[nearest.ravel()]).tocsr() @ self._groups
            shared_BKG = shared.toarray().reshape(*nearest.shape, -1)
            whole_BKG = self._whole_NG[nearest]
            found[rows] = np.concatenate(
                [shared_BKG, np.maximum(whole_BKG - shared_BKG, 0.0)], axis=2
            )
        is_own_BK = nearest_BK == self._own_B[:, None]
        is_first_BK = np.zeros(nearest_BK.shape, dtype=bool)
        order = np.argsort(nearest_BK, axis=1, kind="stable")
        ordered = np.take_along_axis(nearest_BK, order, axis=1)
        is_new = np.diff(ordered, axis=1, prepend=-1) != 0
        np.put_along_axis(is_first_BK, order, is_new, axis=1)
        return found, np.where(is_first_BK, is_own_BK, -1.0).astype(np.float32)

    def _chunks(self) -> list[Numbers]:
        count = len(self._own_B)
        return [np.arange(a, min(a + _CHUNK, count)) for a in range(0, count, _CHUNK)]


def softmax_regression(
    inputs_BKG: Float32[np.ndarray, "questions rivals groups"],
    right_BK: Float32[np.ndarray, "questions rivals"],
) -> Float32[np.ndarray, " groups"]:
    """Return the weights with which the right rival wins most surely.

    Args:
        inputs_BKG: of every rival.
        right_BK: 1.0 for the right one, -1.0 for what is no rival.
    """
    from scipy.optimize import minimize

    spread_G = inputs_BKG.std(axis=(0, 1)) + 1e-3
    inputs_BKG = inputs_BKG / spread_G
    mask_BK = np.where(right_BK < 0, -np.inf, 0.0).astype(np.float32)
    rows, right_B = np.arange(len(right_BK)), right_BK.argmax(axis=1)
    wanted_BG = inputs_BKG[rows, right_B]

    def loss(weights_G: Any) -> tuple[float, Any]:  # noqa: ANN401
        scores_BK = inputs_BKG @ weights_G.astype(np.float32) + mask_BK
        scores_BK -= scores_BK.max(axis=1, keepdims=True)
        powers_BK = np.exp(scores_BK)
        shares_BK = powers_BK / powers_BK.sum(axis=1, keepdims=True)
        nats = -np.log(np.maximum(shares_BK[rows, right_B], 1e-30)).mean(dtype=np.float64)
        mean_BG = np.matmul(shares_BK[:, None], inputs_BKG)[:, 0]
        gradient_G = (mean_BG - wanted_BG).mean(axis=0) + 2 * _RIDGE * weights_G
        return float(nats + _RIDGE * (weights_G**2).sum()), gradient_G.astype(np.float64)

    start_G = np.zeros(inputs_BKG.shape[2])
    result = minimize(loss, start_G, jac=True, method="L-BFGS-B", options={"maxiter": 150})
    weights_G: Matrix = (result.x / spread_G).astype(np.float32)
    return weights_G
