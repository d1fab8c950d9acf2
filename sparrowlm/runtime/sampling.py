"""From scores to one id: bias, penalties, temperature, top-k, top-p, min-p, in this order.

Everything is defined on probabilities, so that a count and a network, whose logits live on
different scales, are treated alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Never

import numpy as np

from sparrowlm.foundation.array_types import Bool, Float, Float64
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.native_part import native_part

# How far back an id counts as a repetition.
REPETITION_WINDOW_TOKENS = 64

_EVERY_ID = np.zeros(0, dtype=np.bool_)
_NO_IDS = np.zeros(0, dtype=np.int32)

Probabilities = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingSettings:
    """How the next id is drawn.

    Attributes:
        temperature: logits are divided by it, >= 0; 0 takes the likeliest id (the lowest of
            equals) and ignores the rest.
        top_k: keep the k likeliest ids, >= 1; None keeps all.
        top_p: keep the smallest set of likeliest ids whose probabilities sum to at least p, above
            0 to 1; None keeps all. Source: Holtzman et al. 2020, arXiv:1904.09751, section 3.1.
        min_p: keep ids at least min_p times as likely as the likeliest, 0 to 1; None keeps all.
            Source: Nguyen et al. 2024, arXiv:2407.01082, section 3.
        repetition_penalty: the log-probability of an id among the last 64 is multiplied by it,
            above 0; 1 changes nothing, above 1 avoids repetition. Source: Keskar et al. 2019,
            arXiv:1909.05858, section 4.1, applied to log-probabilities, whose sign is known.
        presence_penalty: subtracted from the logarithm of an id that was drawn before, -2 to 2.
        frequency_penalty: the same for every time that it was drawn, -2 to 2.
        logit_bias: pairs of an id and what is added to its logarithm, -100 to 100; ids that the
            model does not have are left out.
        seed: 0 to 2**63 - 1; None draws another one every time.
    """

    temperature: float | int = 1.0
    top_k: int | None = None
    top_p: float | int | None = None
    min_p: float | int | None = None
    repetition_penalty: float | int = 1.0
    presence_penalty: float | int = 0.0
    frequency_penalty: float | int = 0.0
    logit_bias: tuple[tuple[int, float | int], ...] = ()
    seed: int | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning.

        Raises:
            SettingError: "runtime.setting-range", naming the setting.
        """
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            refuse_setting("temperature", self.temperature, ">= 0")
        if self.top_k is not None and self.top_k < 1:
            refuse_setting("top_k", self.top_k, ">= 1")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            refuse_setting("top_p", self.top_p, "0 < top_p <= 1")
        if self.min_p is not None and not 0 <= self.min_p <= 1:
            refuse_setting("min_p", self.min_p, "0 <= min_p <= 1")
        if not (math.isfinite(self.repetition_penalty) and self.repetition_penalty > 0):
            refuse_setting("repetition_penalty", self.repetition_penalty, "> 0")
        for name in ("presence_penalty", "frequency_penalty"):
            if not -2 <= getattr(self, name) <= 2:
                refuse_setting(name, getattr(self, name), f"-2 <= {name} <= 2")
        for _token_id, bias in self.logit_bias:
            if not -100 <= bias <= 100:
                refuse_setting("logit_bias", bias, "-100 <= logit_bias <= 100")

    def counts_ids(self) -> bool:
        """Say whether it matters how often an id was drawn."""
        return bool(self.presence_penalty or self.frequency_penalty)


def refuse_setting(name: str, received: object, allowed: str) -> Never:
    """Refuse a dial that is out of its range.

    Args:
        name: of the dial.
        received: its value.
        allowed: what it may be.

    Raises:
        SettingError: "runtime.setting-range", always.
    """
    raise SettingError("runtime.setting-range", name=name, received=received, allowed=allowed)


class Draw(NamedTuple):
    """What one id is drawn with.

    Attributes:
        settings: see SamplingSettings.
        chance: 0 to below 1; see chance_of.
        recent_ids: what stands before, for the repetition penalty.
        allowed_V: ids that may be drawn at all; None allows every one.
        drawn_counts: how often ids were drawn, for the other penalties.
    """

    settings: SamplingSettings
    chance: float
    recent_ids: Sequence[int] = ()
    allowed_V: Bool[np.ndarray, " vocab"] | None = None
    drawn_counts: Mapping[int, int] | None = None


def chance_of(settings: SamplingSettings, generator: np.random.Generator) -> float:
    """Take one number from a generator, none at temperature 0."""
    return 0.0 if settings.temperature == 0 else generator.random()


def draw(
    logits_V: Float[np.ndarray, " vocab"],
    settings: SamplingSettings,
    generator: np.random.Generator,
    recent_ids: Sequence[int] = (),
    allowed_V: Bool[np.ndarray, " vocab"] | None = None,
    drawn_counts: Mapping[int, int] | None = None,
) -> int:
    """Draw one id; arguments as in draw_id and Draw."""
    chance = chance_of(settings, generator)
    return draw_id(logits_V, Draw(settings, chance, recent_ids, allowed_V, drawn_counts))


def draw_id(logits_V: Float[np.ndarray, " vocab"], wish: Draw) -> int:
    """Draw one id.

    Args:
        logits_V: scores of every id; any constant may be added to all.
        wish: see Draw.
    """
    sampler = _compiled_sampler(len(logits_V))
    if sampler is not None:
        scores_V = np.ascontiguousarray(logits_V, dtype=np.float32)
        return int(sampler.draw(scores_V, compiled_wish(wish, len(logits_V))))
    settings, chance, recent_ids, allowed_V, drawn_counts = wish
    probabilities_V = distribution(logits_V, settings, recent_ids, allowed_V, drawn_counts)
    if settings.temperature == 0:
        return int(probabilities_V.argmax())
    cumulative_V = probabilities_V.cumsum()
    place = int(cumulative_V.searchsorted(chance * cumulative_V[-1], side="right"))
    # Rounding may point behind the last id that has any probability.
    return min(place, int(probabilities_V.nonzero()[0][-1]))


def _compiled_sampler(vocab_size: int) -> Any:  # noqa: ANN401 - of the compiled part
    """Return what draws like this module several times as fast; None where nothing is compiled."""
    return None if native_part() is None else _made_sampler(vocab_size)


@lru_cache(maxsize=16)
def _made_sampler(vocab_size: int) -> Any:  # noqa: ANN401
    native = native_part()
    return None if native is None else native.Sampler(vocab_size)


def compiled_wish(wish: Draw, vocab_size: int) -> tuple[Any, ...]:
    """Return a draw as the compiled part takes it.

    Args:
        wish: see Draw.
        vocab_size: number of ids, V.
    """
    settings = wish.settings
    is_penalised = settings.repetition_penalty != 1.0 and len(wish.recent_ids) > 0
    recent = wish.recent_ids[-REPETITION_WINDOW_TOKENS:] if is_penalised else ()
    shifted, shifts = _shifts(settings, wish.drawn_counts or {}, vocab_size)
    return (
        settings.temperature,
        settings.top_k or 0,
        1.0 if settings.top_p is None else settings.top_p,
        settings.min_p or 0.0,
        settings.repetition_penalty,
        wish.chance,
        _EVERY_ID if wish.allowed_V is None else wish.allowed_V,
        np.array(recent, dtype=np.int32) if recent else _NO_IDS,
        shifted,
        shifts,
    )


def distribution(
    logits_V: Float[np.ndarray, " vocab"],
    settings: SamplingSettings,
    recent_ids: Sequence[int] = (),
    allowed_V: Bool[np.ndarray, " vocab"] | None = None,
    drawn_counts: Mapping[int, int] | None = None,
) -> Float64[np.ndarray, " vocab"]:
    """Return the probabilities that ids are drawn with; arguments as in draw."""
    logs_V = logits_V.astype(np.float64)
    if allowed_V is not None:
        logs_V[~allowed_V] = -np.inf
    if settings.logit_bias or drawn_counts:
        shifted, shifts = _shifts(settings, drawn_counts or {}, len(logs_V))
        np.add.at(logs_V, shifted, shifts)
    logs_V -= logs_V.max()
    if settings.repetition_penalty != 1.0 and len(recent_ids):
        logs_V -= math.log(np.exp(logs_V).sum())
        repeated = np.unique(np.asarray(recent_ids[-REPETITION_WINDOW_TOKENS:], dtype=np.int64))
        logs_V[repeated] *= settings.repetition_penalty
        logs_V -= logs_V.max()
    if settings.temperature == 0:
        chosen_V = np.zeros(len(logs_V))
        chosen_V[logs_V.argmax()] = 1.0
        return chosen_V
    probabilities_V: Probabilities = np.exp(logs_V / settings.temperature)
    probabilities_V /= probabilities_V.sum()
    return _filtered(probabilities_V, settings)


def _shifts(
    settings: SamplingSettings, drawn_counts: Mapping[int, int], vocab_size: int
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.float32]]]:
    """Return ids, some of them twice, and what is added to each: biases, less what was drawn."""
    shifted, shifts = _biases(settings.logit_bias, vocab_size)
    if not drawn_counts:
        return shifted, shifts
    counts = np.fromiter(drawn_counts.values(), dtype=np.float64, count=len(drawn_counts))
    drawn = np.fromiter(drawn_counts, dtype=np.int32, count=len(drawn_counts))
    lost = -(settings.presence_penalty + counts * settings.frequency_penalty)
    return np.concatenate([shifted, drawn]), np.concatenate([shifts, lost.astype(np.float32)])


@lru_cache(maxsize=256)
def _biases(
    logit_bias: tuple[tuple[int, float | int], ...], vocab_size: int
) -> tuple[np.ndarray[Any, np.dtype[np.int32]], np.ndarray[Any, np.dtype[np.float32]]]:
    known = [(token_id, bias) for token_id, bias in logit_bias if 0 <= token_id < vocab_size]
    ids = np.array([token_id for token_id, _bias in known], dtype=np.int32)
    return ids, np.array([bias for _token_id, bias in known], dtype=np.float32)


def _filtered(probabilities_V: Probabilities, settings: SamplingSettings) -> Probabilities:
    if settings.top_k is not None and settings.top_k < len(probabilities_V):
        probabilities_V = _kept(probabilities_V, _likeliest(probabilities_V)[: settings.top_k])
    if settings.top_p is not None and settings.top_p < 1.0:
        order = _likeliest(probabilities_V)
        needed = int(probabilities_V[order].cumsum().searchsorted(settings.top_p)) + 1
        probabilities_V = _kept(probabilities_V, order[:needed])
    if settings.min_p is not None:
        least = settings.min_p * probabilities_V.max()
        probabilities_V = _kept(probabilities_V, (probabilities_V >= least).nonzero()[0])
    return probabilities_V


def _likeliest(probabilities_V: Probabilities) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return all ids, likeliest first, the lower id first among equals."""
    order_V: np.ndarray[Any, np.dtype[np.int64]] = np.argsort(-probabilities_V, kind="stable")
    return order_V


def _kept(
    probabilities_V: Probabilities, ids: np.ndarray[Any, np.dtype[np.int64]]
) -> Probabilities:
    kept_V = np.zeros_like(probabilities_V)
    kept_V[ids] = probabilities_V[ids]
    kept_V /= kept_V.sum()
    return kept_V
