"""In which precision products run fastest on this machine (torch)."""

from __future__ import annotations

import torch

from sparrowlm.foundation.hardware import probe_machine


def fastest_precision() -> torch.dtype:
    """Return bfloat16 where it measured clearly faster than float32, else float32."""
    return torch.bfloat16 if probe_machine().precision == "bfloat16" else torch.float32
