r"""Checkpoints that survive kill -9 at any moment: two generations, each whole or absent.

offset 0    "SPARROW-CHECKPOINT\\n" (19 bytes), SHA-256 of the rest (32 bytes)
51          a safetensors file; its metadata hold the state as JSON under "state"
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.messages import say

_MAGIC = b"SPARROW-CHECKPOINT\n"
_DIGEST_BYTES = 32
_PATTERN = "step-*.checkpoint"
_NUM_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stood.

    Args:
        step: optimisation steps done.
        state: JSON values: curve, elapsed seconds, plan, fingerprint.
        tensors: weights, averages and optimizer state, by name.
    """

    step: int
    state: dict[str, Any]
    tensors: dict[str, Tensor]


def save_checkpoint(directory: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint and drop all but the two newest.

    Args:
        directory: created when missing.
        checkpoint: what to keep.

    Raises:
        ResourceError: disk full or not writable; older checkpoints are intact.
    """
    metadata = {"state": json.dumps({"step": checkpoint.step, **checkpoint.state})}
    tensors = {n: t.detach().contiguous().clone() for n, t in checkpoint.tensors.items()}
    payload = save(tensors, metadata)
    path = directory / f"step-{checkpoint.step:09d}.checkpoint"
    with atomic.opened(path) as handle:
        handle.write(_MAGIC)
        handle.write(hashlib.sha256(payload).digest())
        handle.write(payload)
    for old in sorted(directory.glob(_PATTERN))[:-_NUM_KEPT]:
        old.unlink(missing_ok=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check one checkpoint.

    Raises:
        DamagedFileError: truncated, changed, or not one of ours.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DamagedFileError("foundation.file-damaged", path=path, reason=error) from error
    start = len(_MAGIC) + _DIGEST_BYTES
    payload = data[start:]
    if data[:start] != _MAGIC + hashlib.sha256(payload).digest():
        raise DamagedFileError("foundation.file-damaged", path=path, reason="checksum differs")
    header_length = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + header_length])
    state = json.loads(header["__metadata__"]["state"])
    return Checkpoint(int(state.pop("step")), state, load(payload))


def newest_checkpoint(
    directory: Path, fingerprint: str, note: Callable[[str], None]
) -> Checkpoint | None:
    """Load the newest checkpoint that is whole and belongs to this training.

    Args:
        directory: may be missing.
        fingerprint: names data, shape and settings; others' checkpoints are left alone.
        note: told when a damaged checkpoint is passed over.

    Returns:
        None where there is nothing to continue from.
    """
    atomic.remove_leftovers(directory)
    for path in sorted(directory.glob(_PATTERN), reverse=True):
        try:
            checkpoint = load_checkpoint(path)
        except DamagedFileError as error:
            note(say("training.checkpoint-passed-over", reason=error.sentence()))
            continue
        if checkpoint.state.get("fingerprint") == fingerprint:
            return checkpoint
        note(say("training.checkpoint-of-another", path=path))
    return None


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a prefix before every name."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def unprefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, torch.Tensor]:
    """Pick the tensors with a prefix and take it off."""
    cut = len(prefix) + 1
    return {n[cut:]: t for n, t in tensors.items() if n.startswith(f"{prefix}.")}
