"""Sparrow: small language models from your own text, on your own computer.

>>> import sparrowlm as sp
>>> sorted(name for name in sp.__all__)
['Model', 'TextClassifier', 'load', 'train']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Model", "TextClassifier", "load", "train"]

if TYPE_CHECKING:
    from sparrowlm.api import Model, TextClassifier, load, train


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Bring in the API when it is first used: importing the package alone costs nothing."""
    if name in __all__:
        from sparrowlm import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
