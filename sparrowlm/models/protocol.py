"""The one door of all models: ids in, logits out. No model ever sees text.

Shape letters used in this room: B sequences, T positions, V vocabulary, N orders, D width,
H heads, K heads of keys and values, E width of a head, F width of the feed-forward part.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

Array = TypeVar("Array")


@runtime_checkable
class LanguageModel(Protocol[Array]):
    """Predicts the next id at every position.

    Neural models take and give torch tensors, counting models NumPy arrays.
    """

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        ...

    def config(self) -> Mapping[str, Any]:
        """Describe the model as the JSON object of config.json."""
        ...

    def forward(self, ids_BT: Array) -> Array:
        """Return logits_BTV: row t scores the id that follows ids_BT[:, : t + 1].

        Counting models return natural logarithms of probabilities, which are logits too.
        """
        ...
