"""What a network is trained for: one door, and the first that goes through it, the next id.

An objective is a function of the step: same step, same examples, whatever happened before. So a
run that was killed continues with the same bits.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor
from torch.nn import functional

from sparrowlm.models.fused_kernels import can_fuse_loss, fused_loss
from sparrowlm.models.network import Network
from sparrowlm.training.batches import WindowBatches

_EVALUATION_BATCH_TOKENS = 8192
NetworkT = TypeVar("NetworkT", bound=Network)
NetworkT_contra = TypeVar("NetworkT_contra", bound=Network, contravariant=True)


@runtime_checkable
class Objective(Protocol[NetworkT_contra]):
    """Examples and a loss over them."""

    @property
    def targets_per_step(self) -> int:
        """How many predictions a step trains, about."""
        ...

    def loss(self, model: NetworkT_contra, step: int) -> Tensor:
        """Return the mean loss of the examples of a step, with a gradient.

        Args:
            model: in training mode.
            step: counted from 0.
        """
        ...

    def held_out_loss(self, model: NetworkT_contra) -> float | None:
        """Return the mean loss on held-out examples, lower is better; None where there are none.

        Args:
            model: left in evaluation mode.
        """
        ...


@runtime_checkable
class CountsErrors(Protocol[NetworkT_contra]):
    """An objective whose answers are right or wrong: the weights with the fewest errors are kept.

    Where loss and errors disagree about the best weights, errors are what a user meets.
    """

    def held_out_error(self, model: NetworkT_contra) -> float | None:
        """Return the share of held-out answers that are wrong; None where there are none.

        Args:
            model: left in evaluation mode.
        """
        ...


class NextIdObjective(Generic[NetworkT]):
    """Predict the next id at every position.

    Args:
        batches: the training text.
        held_out: windows of held-out text, see evaluation_windows; None for none.
    """

    def __init__(self, batches: WindowBatches, held_out: Tensor | None) -> None:
        self._batches = batches
        self._held_out = held_out

    @property
    def targets_per_step(self) -> int:
        """Targets in one batch."""
        return self._batches.tokens_per_batch

    def loss(self, model: NetworkT, step: int) -> Tensor:
        """Return the cross-entropy per target in nats."""
        windows = self._batches.batch(step)
        return cross_entropy(model(windows[:, :-1]), windows[:, 1:])

    def held_out_loss(self, model: NetworkT) -> float | None:
        """Return the cross-entropy per held-out target in nats."""
        return None if self._held_out is None else mean_nats(model, self._held_out)


def cross_entropy(logits_BTV: Tensor, targets_BT: Tensor) -> Tensor:
    """Return the mean loss per target in nats, computed in float32.

    Args:
        logits_BTV: not to be used afterwards, their memory may hold the gradient.
        targets_BT: the ids that follow.
    """
    flat_NV = logits_BTV.flatten(0, 1)
    if can_fuse_loss(flat_NV):
        return fused_loss(flat_NV, targets_BT.flatten())
    return functional.cross_entropy(flat_NV.float(), targets_BT.flatten())


@torch.no_grad()
def mean_nats(model: Network, windows: Tensor) -> float:
    """Return the loss per target over windows, without dropout.

    Args:
        model: left in evaluation mode.
        windows: ids with the one that follows, shape (windows, time + 1).
    """
    model.eval()
    rows = max(_EVALUATION_BATCH_TOKENS // windows.shape[1], 1)
    total = 0.0
    for part in windows.split(rows):  # type: ignore[no-untyped-call]
        total += float(cross_entropy(model(part[:, :-1]), part[:, 1:])) * len(part)
    return total / len(windows)
