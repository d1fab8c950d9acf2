"""What every training for a task ends with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparrowlm.export.model_directory import ModelParts

DEFAULT_BYTES = 5_000_000


@dataclass(frozen=True)
class FinishedTask:
    """The end of a training.

    Attributes:
        parts: files of the model directory, without card and report.
    """

    parts: ModelParts
