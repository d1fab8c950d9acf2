"""The linear-chain conditional random field as a layer of a network (torch).

The loss is computed with its gradient, forward and backward over all sequences of a batch at once;
torch records one step instead of hundreds. Probabilities are scaled at every place so that they sum
to one: in float64 that is as exact as logarithms, and every step is one product of matrices.

Shape letters: B sequences, T places, L labels. Edges are the transitions [L, L], begin [L] and
end [L] in one vector, as in models/crf/lattice.py.

Source: Lafferty, McCallum, Pereira 2001, "Conditional random fields", section 3; Rabiner 1989, "A
tutorial on hidden Markov models", section V A (scaling); Huang, Xu, Yu 2015, arXiv:1508.01991 (on
top of a network).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparrowlm.foundation.array_types import Float, Int

# Scores of what is forbidden are not below this: exp gives 0 in float64 and no nan anywhere.
LOWEST = -1e4


def chain_nats(
    scores_BTL: Float[Tensor, "batch time labels"],
    edges: Float[Tensor, " edges"],
    labels_BT: Int[Tensor, "batch time"],
    lengths_B: Int[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Return the negative logarithm of the probability of the labels, summed over sequences.

    Args:
        scores_BTL: of every label at every place; those behind the end of a sequence do not count.
        edges: with at least LOWEST where something is forbidden.
        labels_BT: the true labels, a legal path; any number behind the end.
        lengths_B: places that count, >= 1.
    """
    total: Tensor = _ChainNats.apply(scores_BTL, edges, labels_BT, lengths_B)  # type: ignore[no-untyped-call]
    return total


class _Edges(NamedTuple):
    """The three parts of an edge vector."""

    transitions_LL: Tensor
    begin_L: Tensor
    end_L: Tensor

    @staticmethod
    def of(edges: Tensor, num_labels: int) -> _Edges:
        square = num_labels * num_labels
        transitions, begin, end = torch.split(edges, [square, num_labels, num_labels])
        return _Edges(transitions.view(num_labels, num_labels), begin, end)


class _Lattice:
    """Forward and backward probabilities of a batch.

    Args:
        scores_TBL: float64.
        edges: float64.
        lengths_B: places that count.
    """

    def __init__(self, scores_TBL: Tensor, edges: _Edges, lengths_B: Tensor) -> None:
        num_places, num_rows, _labels = scores_TBL.shape
        self.rows_B = torch.arange(num_rows)
        self.last_B = lengths_B.long() - 1
        self.inside_TB = torch.arange(num_places)[:, None] < lengths_B
        self.most_TB1 = scores_TBL.amax(2, keepdim=True)
        self.powers_TBL = (scores_TBL - self.most_TB1).exp()
        self.edges = _Edges(*(part.exp() for part in edges))
        self.alpha_TBL = torch.empty_like(scores_TBL)
        self.sums_TB1 = torch.empty_like(self.most_TB1)
        here_BL = self.powers_TBL[0] * self.edges.begin_L
        for t in range(num_places):
            if t:
                here_BL = (here_BL @ self.edges.transitions_LL) * self.powers_TBL[t]
            torch.sum(here_BL, 1, keepdim=True, out=self.sums_TB1[t])
            here_BL = torch.div(here_BL, self.sums_TB1[t], out=self.alpha_TBL[t])
        self.final_B = self.alpha_TBL[self.last_B, self.rows_B] @ self.edges.end_L

    def log_z_B(self) -> Tensor:
        """The logarithm of every sequence's normaliser."""
        steps_TB = (self.sums_TB1.log() + self.most_TB1).squeeze(2)
        return steps_TB.masked_fill(~self.inside_TB, 0.0).sum(0) + self.final_B.log()

    def expected(self) -> tuple[Tensor, Tensor]:
        """The probability of every label at every place, and the expected counts of edges."""
        beta_TBL = self._beta()
        marginals_TBL = self.alpha_TBL * beta_TBL * self.inside_TB[..., None]
        num_labels = marginals_TBL.shape[2]
        weighed_TBL = self.powers_TBL[1:] / self.sums_TB1[1:] * beta_TBL[1:]
        weighed_TBL = weighed_TBL * self.inside_TB[1:, :, None]
        before_NL = self.alpha_TBL[:-1].reshape(-1, num_labels)
        pairs_LL = before_NL.T @ weighed_TBL.reshape(-1, num_labels) * self.edges.transitions_LL
        ends_L = marginals_TBL[self.last_B, self.rows_B].sum(0)
        return marginals_TBL, torch.cat([pairs_LL.ravel(), marginals_TBL[0].sum(0), ends_L])

    def _beta(self) -> Tensor:
        beta_TBL = torch.empty_like(self.alpha_TBL)
        at_end_BL = self.edges.end_L / self.final_B[:, None]
        back_LL = self.edges.transitions_LL.T.contiguous()
        here_BL = torch.zeros_like(at_end_BL)
        for t in range(len(beta_TBL) - 1, -1, -1):
            is_last_B1 = (self.last_B == t)[:, None]
            beta_TBL[t] = here_BL = torch.where(is_last_B1, at_end_BL, here_BL)
            here_BL = (here_BL * self.powers_TBL[t] / self.sums_TB1[t]) @ back_LL
        return beta_TBL


class _ChainNats(torch.autograd.Function):
    """The loss; its gradient is what is expected minus what is true."""

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch gives it no type
        scores_BTL: Tensor,
        edges: Tensor,
        labels_BT: Tensor,
        lengths_B: Tensor,
    ) -> Tensor:
        """Return the loss and keep its gradient."""
        num_labels = scores_BTL.shape[2]
        scores_TBL = scores_BTL.detach().double().transpose(0, 1)
        parts = _Edges.of(edges.detach().double(), num_labels)
        lattice = _Lattice(scores_TBL, parts, lengths_B)
        labels_TB = labels_BT.T.clamp(0, num_labels - 1)
        inside_TB = lattice.inside_TB.double()
        own_TB = scores_TBL.gather(2, labels_TB[..., None]).squeeze(2)
        steps_TB = parts.transitions_LL[labels_TB[:-1], labels_TB[1:]]
        last_B = labels_TB[lattice.last_B, lattice.rows_B]
        true_B = (own_TB * inside_TB).sum(0) + (steps_TB * inside_TB[1:]).sum(0)
        true_B = true_B + parts.begin_L[labels_TB[0]] + parts.end_L[last_B]
        marginals_TBL, counts = lattice.expected()
        gradient_TBL = marginals_TBL.scatter_add(2, labels_TB[..., None], -inside_TB[..., None])
        pairs = (labels_TB[:-1] * num_labels + labels_TB[1:]).reshape(-1)
        counts.index_add_(0, pairs, -inside_TB[1:].reshape(-1))
        square = num_labels * num_labels
        for offset, at_B in ((square, labels_TB[0]), (square + num_labels, last_B)):
            counts.index_add_(0, offset + at_B, -torch.ones_like(true_B))
        ctx.save_for_backward(
            gradient_TBL.transpose(0, 1).to(scores_BTL.dtype), counts.to(edges.dtype)
        )
        return (lattice.log_z_B() - true_B).sum().to(scores_BTL.dtype)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, Tensor, None, None]:  # noqa: ANN401
        """Scale the gradient kept by forward."""
        gradient_BTL, counts = ctx.saved_tensors
        return outer[0] * gradient_BTL, outer[0] * counts, None, None
