"""A larger model of the same task, on the same machine, as the one that is asked."""

from __future__ import annotations

import threading

from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import LargeAnswer, LargeRequest
from sparrowlm.cooperation.confidence import answering
from sparrowlm.foundation.errors import ModelError


class LocalLarge:
    """Asks a model of Sparrow; see asking.LargeModel.

    Args:
        model: the larger one.
        cost: of one call, >= 0, in any currency.
    """

    def __init__(self, model: Model, cost: float = 0.0) -> None:
        self._model = model
        self._cost = cost
        self._answering = answering(model)
        self._lock = threading.Lock()

    def answer(self, request: LargeRequest, deadline: float) -> LargeAnswer:
        """Answer; it takes what it takes, a deadline has no meaning for a local model.

        Raises:
            ModelError: the model is for another task.
        """
        if self._model.kind != request.task:
            raise ModelError(
                "cooperation.cascade-other-task", received=self._model.kind, known=request.task
            )
        with self._lock:
            found = next(self._answering([request.question]))
        return LargeAnswer(found.answer, self._cost)
