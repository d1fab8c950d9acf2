"""Sparrow: small language models from your own text. 麻雀虽小，五脏俱全。"""

from __future__ import annotations

__version__ = "0.1.0"
