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

    def as_wide(self, search: Search, found: Found) -> list[TextCompression]:
        """Return a version that only learnt the texts, none where it has four bits and more.

        Training on texts that a model never saw makes it better on such texts, whatever else is
        done: what a narrower network gains must be seen beside that.

        Args:
            search: of the best version so far.
            found: the best of it.
        """
        model = search.model
        if not isinstance(model, TextCompression) or not self._has_few_bits(model, found):
            return []
        parts, num_steps = self._trained(model.parts, model)
        if not num_steps or model.parts.network is None:
            return []
        version = model.version(parts, {"healing_steps": num_steps}, self._progress)
        self._teachers[id(version)] = model.parts.network
        return [version]

    def narrower(
        self, search: Search, found: Found | None, most_bytes: int | None
    ) -> list[TextCompression]:
        """Return a version with a narrower network, none where that promises nothing.

        Args:
            search: of the best version so far, or of the smallest.
            found: the best of it; None where it did not become small enough.
            most_bytes: of the file; None where the smallest that is good enough is wanted.
        """
        model = search.model
        if not isinstance(model, TextCompression) or model.parts.decoder is None:
            return []
        if found is not None and not self._minutes:
            return []
        shape = self._shape(search, model.parts.decoder, found, most_bytes)
        if shape is None:
            return []
        whole, teacher = model.parts.decoder, model.parts.network
        units, heads = shape.feed_forward_width, shape.num_heads
        before = whole.feed_forward_width
        self._progress.note(say("compression.narrowing", before=before, units=units, heads=heads))
        parts, num_steps = self._trained(_narrowed(model, shape), model)
        changes = {"feed_forward_units": units, "heads": heads}
        if num_steps is not None:
            changes["healing_steps"] = num_steps
        version = model.version(parts, changes, self._progress)
        if teacher is not None:
            self._teachers[id(version)] = teacher
        return [version]

    def _trained(self, parts: TextParts, model: TextCompression) -> tuple[TextParts, int | None]:
        """Let a network learn from the whole one; return steps, None without training."""
        seconds = self._seconds()
        if not seconds or parts.network is None or model.parts.network is None:
            return parts, None
        from sparrowlm.compression.healing import HealingTime, healed

        time, teacher = HealingTime(seconds), model.parts.network
        result = healed(parts.network, teacher, model.documents, time, self._progress)
        return replace(parts, network=result.weights), result.num_steps

    def rounded(self, search: Search, found: Found) -> list[TextCompression]:
        """Return a version that was trained with its few bits, none where they are four and more.

        Args:
            search: of the best version so far.
            found: the best of it.
        """
        model = search.model
        if not isinstance(model, TextCompression) or not self._has_few_bits(model, found):
            return []
        codes, weights = model.codes(found.chosen), model.parts.network
        if weights is None:
            return []
        from sparrowlm.compression.healing import HealingTime, healed

        self._progress.note(say("compression.healing-rounded"))
        plain = {name: one.plain() for name, one in codes.items()}
        start = Weights(weights.shape, {**weights.tensors, **plain})
        time = HealingTime(self._seconds())
        teacher = self._teachers.get(id(model), weights)
        result = healed(start, teacher, model.documents, time, self._progress, codes)
        parts = replace(model.parts, network=result.weights)
        changes = {"rounded_steps": result.num_steps}
        return [model.version(parts, changes, self._progress, result.codes)]

    def _has_few_bits(self, model: TextCompression, found: Found) -> bool:
        """Say whether training was asked for, and matrices have less than four bits on average."""
        codes = model.codes(found.chosen).values()
        if not self._minutes or model.parts.decoder is None or not codes:
            return False
        size = sum(one.codes_OI.size for one in codes)
        return sum(one.bits * one.codes_OI.size for one in codes) < _WISHED_BITS * size

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
