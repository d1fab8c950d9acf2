"""What puts answers in order, the surest first: one number an answer, learnt from few rows.

    raw           log-odds of the model's own probability: nothing is learnt
    temperature   softmax(log p / T) of the answer; one T for all labels, by the loss of true labels
    logistic      a weighted sum of all signals, by the loss of being right
    vector        softmax(a * log p + b) of the answer; an a and a b for every label

Cross-validation chooses; the answer itself stays the model's.

Shape letters: B answers, F signals, L labels.

Source: Guo et al. 2017, arXiv:1706.04599, section 4.2 (temperature and vector scaling); Platt 1999
(logistic).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np

from sparrowlm.cooperation.confidence import Confident
from sparrowlm.cooperation.named_values import from_named_json, named_json
from sparrowlm.foundation.array_types import Float64, Int64
from sparrowlm.tasks.logistic import fitted_logistic

_SMALLEST = 1e-9
_RIDGE = 1.0
_VECTOR_STEPS = 150
_VECTOR_RATE = 0.03
_TEMPERATURE_HALVINGS = 60

Numbers = np.ndarray[Any, np.dtype[np.float64]]


class Evidence(NamedTuple):
    """Answers as arrays.

    Attributes:
        confidence_B: the model's own.
        signals_BF: what speaks for each.
        logs_BL: logarithm of the probability of every label; no columns where there are none.
        chosen_B: number of the label answered; zeros where there are none.
    """

    confidence_B: Float64[np.ndarray, " answers"]
    signals_BF: Float64[np.ndarray, "answers signals"]
    logs_BL: Float64[np.ndarray, "answers labels"]
    chosen_B: Int64[np.ndarray, " answers"]

    def part(self, chosen: np.ndarray[Any, np.dtype[Any]]) -> Evidence:
        """Return some of the answers."""
        return Evidence(*(array[chosen] for array in self))


def evidence_of(answers: Sequence[Confident], labels: Sequence[str] = ()) -> Evidence:
    """Return answers of one model as arrays.

    Args:
        answers: at least one; all with the same signals.
        labels: whose shares are wanted; () for none.
    """
    signals_BF = np.array([list(one.signals.values()) for one in answers], dtype=np.float64)
    places = {label: number for number, label in enumerate(labels)}
    logs_BL = np.zeros((len(answers), len(labels)))
    if labels:
        shares = [[one.shares.get(label, 0.0) for label in labels] for one in answers]
        logs_BL = np.log(np.maximum(np.array(shares), _SMALLEST))
    chosen_B = np.array([places.get(one.label, 0) for one in answers], dtype=np.int64)
    confidence_B = np.array([one.confidence for one in answers], dtype=np.float64)
    return Evidence(confidence_B, signals_BF, logs_BL, chosen_B)


@runtime_checkable
class Ranker(Protocol):
    """Puts answers in order."""

    name: ClassVar[str]
    needs_shares: ClassVar[bool]

    def scores(self, evidence: Evidence) -> Float64[np.ndarray, " answers"]:
        """Return log-odds of being right, up to a monotone change."""
        ...


def odds_logs(shares_B: Float64[np.ndarray, " answers"]) -> Float64[np.ndarray, " answers"]:
    """Return ln(p / (1 - p)) of probabilities kept off 0 and 1 by 1e-9."""
    kept_B = np.clip(shares_B, _SMALLEST, 1.0 - _SMALLEST)
    found_B: Numbers = np.log(kept_B) - np.log1p(-kept_B)
    return found_B


@dataclass(frozen=True, slots=True)
class RawRanker:
    """The model's own probability."""

    name: ClassVar[str] = "raw"
    needs_shares: ClassVar[bool] = False

    def scores(self, evidence: Evidence) -> Float64[np.ndarray, " answers"]:
        """Return log-odds of the model's own probability."""
        return odds_logs(evidence.confidence_B)


@dataclass(frozen=True, slots=True)
class ScalingRanker:
    """Probabilities of labels, made sharper or flatter: softmax(scales * log p + offsets).

    Attributes:
        scales: one for all labels (the inverse of a temperature), or one for each.
        offsets: as many.
    """

    scales: tuple[float, ...]
    offsets: tuple[float, ...]

    name: ClassVar[str] = "scaling"
    needs_shares: ClassVar[bool] = True

    def scores(self, evidence: Evidence) -> Float64[np.ndarray, " answers"]:
        """Return log-odds of the answer after scaling."""
        scaled_BL = evidence.logs_BL * np.array(self.scales) + np.array(self.offsets)
        rows = np.arange(len(scaled_BL))
        own_B = scaled_BL[rows, evidence.chosen_B].copy()
        scaled_BL[rows, evidence.chosen_B] = -np.inf
        largest_B = np.maximum(scaled_BL.max(axis=1), -1e300)
        others_B = largest_B + np.log(np.exp(scaled_BL - largest_B[:, None]).sum(axis=1))
        limit = -np.log(_SMALLEST)
        found_B: Numbers = np.clip(own_B - others_B, -limit, limit)
        return found_B


@dataclass(frozen=True, slots=True)
class LogisticRanker:
    """A weighted sum of all signals.

    Attributes:
        means: of the signals.
        spreads: of the signals.
        weights: of the signals, standardised.
        offset: added.
    """

    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    offset: float

    name: ClassVar[str] = "logistic"
    needs_shares: ClassVar[bool] = False

    def scores(self, evidence: Evidence) -> Float64[np.ndarray, " answers"]:
        """Return the sums."""
        standard_BF = (evidence.signals_BF - np.array(self.means)) / np.array(self.spreads)
        sums_B: Numbers = standard_BF @ np.array(self.weights) + self.offset
        return sums_B


_RANKERS: dict[str, Callable[..., Ranker]] = {
    "raw": RawRanker,
    "scaling": ScalingRanker,
    "logistic": LogisticRanker,
}


def ranker_as_json(ranker: Ranker) -> dict[str, Any]:
    """Return JSON values."""
    return named_json(ranker)


def ranker_from_json(values: Mapping[str, Any]) -> Ranker:
    """Rebuild from ranker_as_json.

    Raises:
        KeyError, TypeError, ValueError: it is something else.
    """
    return from_named_json(values, _RANKERS)


class Judged(NamedTuple):
    """Answers, and what would have been right.

    Attributes:
        evidence: about the answers.
        is_right_B: whether each is right.
        true_B: number of the true label; -1 where it is none that the model knows.
    """

    evidence: Evidence
    is_right_B: np.ndarray[Any, np.dtype[np.bool_]]
    true_B: np.ndarray[Any, np.dtype[np.int64]]

    def part(self, chosen: np.ndarray[Any, np.dtype[Any]]) -> Judged:
        """Return some of the answers."""
        return Judged(self.evidence.part(chosen), self.is_right_B[chosen], self.true_B[chosen])


def fitted_raw(_judged: Judged) -> Ranker:
    """Return the ranker that needs no rows."""
    return RawRanker()


def fitted_temperature(judged: Judged) -> Ranker:
    """Return the temperature with the least loss on true labels (golden section on ln T)."""
    known = judged.true_B >= 0
    logs_BL, true_B = judged.evidence.logs_BL[known], judged.true_B[known]

    def loss(log_scale: float) -> float:
        return _label_loss(logs_BL * np.exp(log_scale), true_B)

    low, high, golden = -3.0, 3.0, (5**0.5 - 1) / 2
    for _step in range(_TEMPERATURE_HALVINGS):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return ScalingRanker((float(np.exp(0.5 * (low + high))),), (0.0,))


def fitted_vector(judged: Judged) -> Ranker:
    """Return a scale and an offset for every label, pulled to those of the temperature (Adam)."""
    start = fitted_temperature(judged)
    assert isinstance(start, ScalingRanker)  # noqa: S101 - our own invariant
    known = judged.true_B >= 0
    logs_BL, true_B = judged.evidence.logs_BL[known], judged.true_B[known]
    count, num_labels = logs_BL.shape
    anchor = np.stack([np.full(num_labels, start.scales[0]), np.zeros(num_labels)])
    weights, mean, spread = anchor.copy(), np.zeros_like(anchor), np.zeros_like(anchor)
    for step in range(1, _VECTOR_STEPS + 1):
        errors_BL = _softmax(logs_BL * weights[0] + weights[1])
        errors_BL[np.arange(count), true_B] -= 1.0
        gradient = np.stack([(errors_BL * logs_BL).sum(axis=0), errors_BL.sum(axis=0)])
        gradient = (gradient + _RIDGE * (weights - anchor)) / max(count, 1)
        mean, spread = 0.9 * mean + 0.1 * gradient, 0.99 * spread + 0.01 * gradient**2
        change = (mean / (1 - 0.9**step)) / (np.sqrt(spread / (1 - 0.99**step)) + 1e-12)
        weights = weights - _VECTOR_RATE * (1 - step / _VECTOR_STEPS) * change
    return ScalingRanker(tuple(weights[0].tolist()), tuple(weights[1].tolist()))


def fitted_weights(judged: Judged) -> Ranker:
    """Return the weighted sum of signals with the least loss of being right."""
    signals_BF = judged.evidence.signals_BF
    means_F, spreads_F = signals_BF.mean(axis=0), signals_BF.std(axis=0) + 1e-9
    inputs_BF = np.column_stack([(signals_BF - means_F) / spreads_F, np.ones(len(signals_BF))])
    ridge_F = np.append(np.full(signals_BF.shape[1], _RIDGE), 1e-6)
    targets_B = judged.is_right_B.astype(np.float64)
    weights_F = fitted_logistic(inputs_BF, targets_B, ridge_F)
    return LogisticRanker(
        tuple(means_F.tolist()), tuple(spreads_F.tolist()), tuple(weights_F[:-1].tolist()),
        float(weights_F[-1]),
    )  # fmt: skip


FITTED: dict[str, Callable[[Judged], Ranker]] = {
    "raw": fitted_raw,
    "temperature": fitted_temperature,
    "logistic": fitted_weights,
    "vector": fitted_vector,
}
"""How each ranker is learnt, the simplest first."""


def _softmax(logits_BL: Numbers) -> Numbers:
    powers_BL = np.exp(logits_BL - logits_BL.max(axis=1, keepdims=True))
    shares_BL: Numbers = powers_BL / powers_BL.sum(axis=1, keepdims=True)
    return shares_BL


def _label_loss(logits_BL: Numbers, true_B: np.ndarray[Any, np.dtype[np.int64]]) -> float:
    largest_B = logits_BL.max(axis=1)
    sums_B = largest_B + np.log(np.exp(logits_BL - largest_B[:, None]).sum(axis=1))
    return float((sums_B - logits_BL[np.arange(len(true_B)), true_B]).mean())
