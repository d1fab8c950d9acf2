"""Muon for the matrices, AdamW for everything else, under one schedule.

Muon replaces the momentum of a matrix by the nearest orthogonal matrix, so that every direction
learns at the same speed. The orthogonalisation runs in float32 or bfloat16, as the machine likes:
torch's own always runs in bfloat16, which is a hundred times slower on some processors.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks" (the
quintic Newton–Schulz iteration); Loshchilov and Hutter 2019, arXiv:1711.05101 (AdamW).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.network import Network

# The polynomial of Jordan et al.: steep at zero, so that five rounds suffice.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5
# Wider matrices are made orthogonal in blocks of so many rows: a fraction of the products, no loss
# seen (docs/decisions/001-muon-and-small-batches.md).
_MOST_BLOCK_ROWS = 128
_LEAST_BLOCK_ROWS = 32
_MOMENTUM_WARM_UP_STEPS = 100
_MOMENTUM_AT_START = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerSettings:
    """Learning rates at the top of the schedule, and what pulls weights back.

    Attributes:
        matrix_rate: Muon's learning rate; an update moves a matrix by about this much.
        other_rate: AdamW's learning rate for embeddings, norms and biases.
        momentum: Muon's momentum once warm.
        weight_decay: share of every inner matrix lost per step and unit of learning rate.
        adam_betas: decay of AdamW's two averages.
    """

    matrix_rate: float = 0.02
    other_rate: float = 0.004
    momentum: float = 0.95
    weight_decay: float = 0.0
    adam_betas: tuple[float, float] = (0.9, 0.95)


class HybridOptimizer:
    """Updates a network in place.

    Args:
        model: its matrices() go to Muon, the rest to AdamW.
        settings: rates.
        dtype: precision of the orthogonalisation.
    """

    def __init__(self, model: Network, settings: OptimizerSettings, dtype: torch.dtype) -> None:
        self._settings = settings
        self._dtype = dtype
        self._matrices = [
            (matrix, num_row_blocks(matrix, joined)) for matrix, joined in model.matrices()
        ]
        inner = {id(matrix) for matrix, _blocks in self._matrices}
        self._momenta = [torch.zeros_like(matrix) for matrix, _blocks in self._matrices]
        self._others = [p for p in model.parameters() if id(p) not in inner]
        self._adam = torch.optim.AdamW(
            self._others, lr=settings.other_rate, betas=settings.adam_betas, weight_decay=0.0
        )
        self._num_steps = 0

    @torch.no_grad()
    def step(self, rate_scale: float) -> None:
        """Apply the gradients and forget them.

        Args:
            rate_scale: both learning rates are multiplied by it, 0 to 1.
        """
        for group in self._adam.param_groups:
            group["lr"] = self._settings.other_rate * rate_scale
        self._adam.step()
        self._step_matrices(self._settings.matrix_rate * rate_scale)
        self._num_steps += 1
        for weight in (*self._others, *(matrix for matrix, _blocks in self._matrices)):
            weight.grad = None

    def _step_matrices(self, rate: float) -> None:
        momentum = self._momentum()
        # Blocks of the same shape are made orthogonal together: one wide call, not many small.
        groups: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for (matrix, num_blocks), average in zip(self._matrices, self._momenta, strict=True):
            if matrix.grad is None:
                continue
            average.lerp_(matrix.grad, 1 - momentum)
            update = matrix.grad.lerp(average, momentum)  # Nesterov's look ahead
            for part, direction in zip(
                matrix.chunk(num_blocks), update.chunk(num_blocks), strict=True
            ):
                groups[direction.shape].append((part, direction))
        keep = 1.0 - rate * self._settings.weight_decay
        for size, members in groups.items():
            stacked = torch.stack([direction for _part, direction in members])
            scale = max(1.0, size[0] / size[1]) ** 0.5
            for (part, _direction), update in zip(
                members, orthogonalised(stacked, self._dtype), strict=True
            ):
                part.mul_(keep).add_(update, alpha=-rate * scale)

    def _momentum(self) -> float:
        warm = min(self._num_steps / _MOMENTUM_WARM_UP_STEPS, 1.0)
        return _MOMENTUM_AT_START + warm * (self._settings.momentum - _MOMENTUM_AT_START)

    def state_tensors(self) -> dict[str, Tensor]:
        """Return everything a continuation needs, by name."""
        state = {f"muon.{index}": average for index, average in enumerate(self._momenta)}
        for index, weight in enumerate(self._others):
            for name, value in self._adam.state.get(weight, {}).items():
                state[f"adam.{index}.{name}"] = torch.as_tensor(value)
        state["num_steps"] = torch.tensor(self._num_steps)
        return state

    def load_state_tensors(self, state: Mapping[str, Tensor]) -> None:
        """Put back what state_tensors returned.

        Raises:
            DamagedFileError: a tensor is missing or has another shape.
        """
        try:
            for index, average in enumerate(self._momenta):
                average.copy_(state[f"muon.{index}"])
            for index, weight in enumerate(self._others):
                prefix = f"adam.{index}."
                own = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
                if own:
                    self._adam.state[weight] = {n: t.clone() for n, t in own.items()}
            self._num_steps = int(state["num_steps"])
        except (KeyError, RuntimeError) as error:
            raise DamagedFileError(
                "foundation.file-damaged", path="optimizer", reason=error
            ) from error


def num_row_blocks(matrix: Tensor, num_joined: int) -> int:
    """Return into how many blocks of rows a matrix is cut before each is made orthogonal.

    Args:
        matrix: several matrices of equal height, one below the other.
        num_joined: how many they are.

    Returns:
        A multiple of num_joined. The update's size per row is that of uncut matrices.

    >>> num_row_blocks(torch.empty(3 * 128, 128), 3), num_row_blocks(torch.empty(3 * 320, 320), 3)
    (3, 12)
    >>> num_row_blocks(torch.empty(2 * 257, 320), 2)  # a prime height
    2
    """
    rows, columns = matrix.shape[0] // num_joined, matrix.shape[1]
    if min(rows, columns) <= _MOST_BLOCK_ROWS:
        return num_joined
    fewest, most = -(-rows // _MOST_BLOCK_ROWS), rows // _LEAST_BLOCK_ROWS
    # A height without a fitting divisor stays whole: single rows would make it another method.
    return num_joined * next((n for n in range(fewest, most + 1) if rows % n == 0), 1)


def orthogonalised(matrices_NRC: Tensor, dtype: torch.dtype) -> Tensor:
    """Bring every matrix near the orthogonal one with the same singular vectors.

    Args:
        matrices_NRC: a stack of matrices.
        dtype: float32, or bfloat16 where the machine is faster in it.

    Returns:
        float32, singular values between about 0.7 and 1.2.
    """
    x_NRC = matrices_NRC.to(dtype)
    is_tall = x_NRC.shape[-2] > x_NRC.shape[-1]
    if is_tall:
        x_NRC = x_NRC.mT
    x_NRC = x_NRC / (x_NRC.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    first, second, third = _NEWTON_SCHULZ
    for _round in range(_ROUNDS):
        gram_NRR = x_NRC @ x_NRC.mT
        # second * gram + third * gram gram, then first * x + polynomial x: one call each.
        polynomial_NRR = torch.baddbmm(gram_NRR, gram_NRR, gram_NRR, beta=second, alpha=third)
        x_NRC = torch.baddbmm(x_NRC, polynomial_NRR, x_NRC, beta=first)
    orthogonal_NRC: Tensor = x_NRC.mT if is_tall else x_NRC
    return orthogonal_NRC.float()


class WeightAverage:
    """An exponential moving average of weights, younger in the beginning.

    Args:
        weights: the live weights, watched.
        decay: share that stays per step once warm; 0 switches the average off.
    """

    def __init__(self, weights: Iterable[Tensor], decay: float) -> None:
        self._weights = list(weights)
        self._decay = decay
        self.averages = [weight.detach().clone() for weight in self._weights] if decay else []

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step (counted from 0)."""
        if self._decay:
            pull = 1.0 - min(self._decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.averages, self._weights, pull)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange live and averaged weights; a second call undoes the first."""
        for weight, average in zip(self._weights, self.averages, strict=False):
            kept = weight.clone()
            weight.copy_(average)
            average.copy_(kept)
