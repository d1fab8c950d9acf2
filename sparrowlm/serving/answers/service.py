"""What every endpoint needs: the models, the limits, and who asks."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from sparrowlm.serving.access import Caller
from sparrowlm.serving.chat_format import PLAIN, ChatFormat
from sparrowlm.serving.metrics import Metrics
from sparrowlm.serving.settings import Limits
from sparrowlm.serving.shelf import Shelf

Json = dict[str, Any]
# Values of one answer, or the chunks of a stream; each chunk may be named, as in /v1/responses.
Chunks = AsyncGenerator[Json, None]


@dataclass(frozen=True, kw_only=True)
class Service:
    """What every endpoint needs.

    Attributes:
        shelf: the models.
        limits: of prompts and answers.
        chat: how conversations become texts.
        metrics: what is counted.
        began_at: seconds since 1970.
    """

    shelf: Shelf
    limits: Limits = field(default_factory=Limits)
    chat: ChatFormat = PLAIN
    metrics: Metrics = field(default_factory=Metrics)
    began_at: float = field(default_factory=time.time)

    def count_tokens(self, caller: Caller, model: str, num_read: int, num_written: int) -> None:
        """Count what a request took.

        Args:
            caller: whose budget it is.
            model: its name.
            num_read: tokens of prompts.
            num_written: tokens of answers.
        """
        caller.use(num_read + num_written)
        self.metrics.tokens_read.labels(model).inc(num_read)
        self.metrics.tokens_written.labels(model).inc(num_written)
