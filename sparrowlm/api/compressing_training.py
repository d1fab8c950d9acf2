"""Versions of a model that had to learn again: a narrower network, or matrices of very few bits.

A network is narrowed only where all its matrices would get less than four bits otherwise: above
that, bits are the cheaper way (docs/decisions/051-compression.md).
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

from sparrowlm.api.compressing_search import Found, Search
from sparrowlm.api.compressing_text import TextCompression, window_of
from sparrowlm.api.needs import TORCH_COMMAND
from sparrowlm.compression.inputs import input_products
from sparrowlm.compression.narrowing import narrowed, narrower_shapes, rounded_bytes
from sparrowlm.compression.parts import TextParts, Weights
from sparrowlm.compression.samples import windows
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.runtime.transformer_engine import TransformerEngine

_DEFAULT_MINUTES = 2.0
_SEEN_TOKENS = 65_536
# Bits that narrowing must leave to every matrix, rather than to take them away.
_WISHED_BITS, _FEWEST_BITS = 4, 3


class Training:
    """Changes networks and trains them.

    Args:
        minutes: of every training; 0 for none; None as long as is sensible, where it is needed.
        progress: told about everything.
    """

    def __init__(self, minutes: float | None, progress: Progress) -> None:
        self._minutes, self._progress = minutes, progress
        # What the narrower network learnt from, for what it has to learn later.
        self._teachers: dict[int, Weights] = {}

    def narrower(
        self, search: Search, found: Found | None, most_bytes: int | None
    ) -> TextCompression | None:
        """Return a version with a narrower network; None where that promises nothing.

        Args:
            search: of the best version so far, or of the smallest.
            found: the best of it; None where it did not become small enough.
            most_bytes: of the file; None where the smallest that is good enough is wanted.
        """
        model = search.model
        if not isinstance(model, TextCompression) or model.parts.decoder is None:
            return None
        if found is not None and not self._minutes:
            return None
        shape = self._shape(search, model.parts.decoder, found, most_bytes)
        if shape is None:
            return None
        parts = _narrowed(model, shape)
        changes = {"feed_forward_units": shape.feed_forward_width, "heads": shape.num_heads}
        before = model.parts.decoder.feed_forward_width
        self._progress.note(
            say(
                "compression.narrowing", before=before, units=shape.feed_forward_width,
                heads=shape.num_heads,
            )
        )  # fmt: skip
        weights, teacher = parts.network, model.parts.network
        seconds = self._seconds()
        if seconds > 0.0 and weights is not None and teacher is not None:
            from sparrowlm.compression.healing import HealingTime, healed

            result = healed(weights, teacher, model.documents, HealingTime(seconds), self._progress)
            parts = replace(parts, network=result.weights)
            changes["healing_steps"] = result.num_steps
        version = model.version(parts, changes, self._progress)
        if teacher is not None:
            self._teachers[id(version)] = teacher
        return version

    def rounded(self, search: Search, found: Found) -> TextCompression | None:
        """Return a version that was trained with its few bits; None where it has more.

        Args:
            search: of the best version so far.
            found: the best of it.
        """
        model = search.model
        if not self._minutes or not isinstance(model, TextCompression):
            return None
        codes, weights = model.codes(found.chosen), model.parts.network
        if weights is None or model.parts.decoder is None or not codes:
            return None
        fewest = sum(one.codes_OI.size for one in codes.values() if one.bits <= _FEWEST_BITS)
        if 2 * fewest < sum(one.codes_OI.size for one in codes.values()):
            return None
        from sparrowlm.compression.healing import HealingTime, healed

        self._progress.note(say("compression.healing-rounded"))
        plain = {name: one.plain() for name, one in codes.items()}
        start = Weights(weights.shape, {**weights.tensors, **plain})
        time = HealingTime(self._seconds())
        teacher = self._teachers.get(id(model), weights)
        result = healed(start, teacher, model.documents, time, self._progress, codes)
        parts = replace(model.parts, network=result.weights)
        changes = {"rounded_steps": result.num_steps}
        return model.version(parts, changes, self._progress, result.codes)

    def _shape(
        self,
        search: Search,
        whole: TransformerShape,
        found: Found | None,
        most_bytes: int | None,
    ) -> TransformerShape | None:
        """Return the widest shape that leaves enough bits, else the one that is small enough."""
        shapes = narrower_shapes(whole)
        if not shapes:
            return None
        if most_bytes is None:
            return shapes[0]
        others = search.extremes()[0] - rounded_bytes(whole, _fewest_bits(search))
        if rounded_bytes(whole, _WISHED_BITS) + others <= most_bytes and found is not None:
            return None
        for bits in (_WISHED_BITS, _fewest_bits(search)):
            for shape in shapes:
                if rounded_bytes(shape, bits) + others <= most_bytes:
                    return shape
        return None

    def _seconds(self) -> float:
        """Return how long to train; 0 where nobody asked for it and torch is missing."""
        if self._minutes is not None:
            return 60.0 * self._minutes
        if find_spec("torch") is None:
            self._progress.note(say("compression.no-healing", command=TORCH_COMMAND))
            return 0.0
        return 60.0 * _DEFAULT_MINUTES


def smallest_bytes(search: Search) -> int:
    """Return what the file takes with the narrowest network and the fewest bits."""
    least, model = search.extremes()[0], search.model
    whole = model.parts.decoder if isinstance(model, TextCompression) else None
    shapes = [] if whole is None else narrower_shapes(whole)
    if whole is None or not shapes:
        return least
    bits = _fewest_bits(search)
    return least - rounded_bytes(whole, bits) + rounded_bytes(shapes[-1], bits)


def _fewest_bits(search: Search) -> int:
    is_common = isinstance(search.model, TextCompression) and search.model.is_common
    return _WISHED_BITS if is_common else _FEWEST_BITS


def _narrowed(model: TextCompression, shape: TransformerShape) -> TextParts:
    weights = model.parts.network
    assert weights is not None  # noqa: S101 - it has a decoder
    engine = weights.engine()
    assert isinstance(engine, TransformerEngine)  # noqa: S101 - the same
    windows_BT = windows(model.documents, window_of(model.parts), _SEEN_TOKENS)
    products = input_products(engine, windows_BT)
    return replace(model.parts, network=narrowed(weights, shape, products))
