"""The door to the compiled training kernels, and the fused loss (torch).

The kernels run on the threads that torch keeps: see native/team.h. Where the compiled part or
torch's OpenMP runtime is missing, callers compute the same in plain torch.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sparrowlm.foundation.native_part import native_part

PRECISIONS = (torch.float32, torch.bfloat16)
_THREAD_DOORS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads")


@cache
def _prepared() -> Any | None:  # noqa: ANN401 - a compiled module without types
    native = native_part()
    if native is None or not hasattr(native, "use_team"):
        return None
    library = _loaded_openmp()
    if library is None:
        return None
    native.use_team(*(_address(library, name) for name in _THREAD_DOORS))
    return native


def kernels() -> Any | None:  # noqa: ANN401 - a compiled module without types
    """Return the compiled kernels, sharing torch's threads, or None where that is not possible."""
    return None if native_part() is None else _prepared()


def _address(library: ctypes.CDLL, name: str) -> int:
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0


def _loaded_openmp() -> ctypes.CDLL | None:
    """Return the OpenMP runtime beside torch, which importing torch has loaded."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("lib*omp*.so*")):
        try:
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        if all(hasattr(library, name) for name in _THREAD_DOORS):
            return library
    return None


class FusedLoss(torch.autograd.Function):
    """Mean cross-entropy; the logits are overwritten by their gradient."""

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, targets_N: Tensor) -> Tensor:  # noqa: ANN401
        """Return the mean over rows, float32.

        Args:
            ctx: torch's.
            logits_NV: contiguous, float32 or bfloat16; not to be used afterwards.
            targets_N: int64, contiguous, below V.
        """
        native: Any = kernels()
        num_rows, vocab_size = logits_NV.shape
        losses_N = torch.empty(num_rows)
        native.loss_and_gradient(
            logits_NV.data_ptr(), targets_N.data_ptr(), losses_N.data_ptr(), num_rows, vocab_size,
            1.0 / num_rows, logits_NV.dtype == torch.bfloat16, torch.get_num_threads(),
        )  # fmt: skip
        ctx.grad_NV = logits_NV
        return losses_N.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Any:  # noqa: ANN401
        """Return the gradient of the logits."""
        factor = float(grad)
        return ctx.grad_NV if factor == 1.0 else ctx.grad_NV * factor, None


def can_fuse_loss(logits_NV: Tensor) -> bool:
    """Say whether fused_loss takes these logits."""
    return logits_NV.dtype in PRECISIONS and kernels() is not None


def fused_loss(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    """Return the mean cross-entropy in nats, float32.

    Args:
        logits_NV: not to be used afterwards; their memory then holds the gradient.
        targets_N: int64, below V.
    """
    loss: Tensor = FusedLoss.apply(logits_NV.contiguous(), targets_N.contiguous())  # type: ignore[no-untyped-call]
    return loss
