"""What was calibrated and promised, as one JSON file that belongs to one model.

The file checks itself: its checksum covers all else. It names the checksum of its model, because a
threshold says nothing about the scores of another one.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sparrowlm.api.model import Model
from sparrowlm.cooperation.calibrators import Calibrator
from sparrowlm.cooperation.promise import Promise, PromiseSettings
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError, ModelError

FORMAT = 1
Failure = Literal["small", "abstain"]


@dataclass(frozen=True, kw_only=True)
class Manners:
    """What is done about answers that are not sure enough.

    Attributes:
        asks_first: whether a question back comes before the large model.
        closeness: least share of the two likeliest labels together at which a question names both;
            above 1 never asks.
        slots: spans that an intent cannot do without: {"book_flight": ("city",)}.
        failure: what is answered when the large model fails: the small model's answer, marked as
            not sure, or that nobody is sure.
        most_calls: of the large model; None for any number.
        most_cost: of all calls together; None for any.
    """

    asks_first: bool = False
    closeness: float = 0.9
    slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    failure: Failure = "small"
    most_calls: int | None = None
    most_cost: float | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """When the small model answers.

    Attributes:
        model_checksum: of the model it belongs to.
        kind: of that model.
        settings: what was promised.
        calibrator: from signals to score and confidence.
        promise: for all answers together.
        by_label: promises of labels; None: answers of this label are never given. Empty where one
            threshold is for all.
        others: promise of labels that are not in by_label; None as there.
        manners: what is done about the rest.
        figures: what was measured, as JSON values.
    """

    model_checksum: str
    kind: str
    settings: PromiseSettings
    calibrator: Calibrator
    promise: Promise
    by_label: Mapping[str, Promise | None] = field(default_factory=dict)
    others: Promise | None = None
    manners: Manners = field(default_factory=Manners)
    figures: Mapping[str, Any] = field(default_factory=dict)

    def threshold(self, label: str) -> float:
        """Return the least score of an answer that is given.

        Args:
            label: of the answer.
        """
        if not self.by_label:
            return self.promise.threshold
        promise = self.by_label.get(label, self.others)
        return math.inf if promise is None else promise.threshold

    def least_confidence(self, label: str) -> float:
        """Return the threshold of a label as a calibrated confidence; 1 where none is enough.

        Args:
            label: of the answer.
        """
        threshold = self.threshold(label)
        if math.isinf(threshold):
            return 0.0 if threshold < 0 else 1.0
        return float(self.calibrator.scale.probabilities(np.array([threshold]))[0])

    def with_manners(self, **changes: Any) -> Policy:  # noqa: ANN401 - fields of Manners
        """Return a policy with other manners: all that may change without calibrating anew."""
        return replace(self, manners=replace(self.manners, **changes))

    @property
    def checksum(self) -> str:
        """What its file would be named by: changes with any part of it."""
        return _checksum(self._as_json())

    def save(self, path: Path) -> None:
        """Write the policy.

        Raises:
            ResourceError: disk full or not writable.
        """
        content = self._as_json()
        atomic.write_json(path, {"format": FORMAT, "checksum": _checksum(content), **content})

    def check(self, model: Model) -> None:
        """Refuse a model that was not calibrated.

        Raises:
            ModelError: the policy belongs to another model.
        """
        found = model.checksum()
        if found != self.model_checksum:
            raise ModelError(
                "cooperation.cascade-other-model", expected=self.model_checksum[:12],
                received=found[:12],
            )  # fmt: skip

    def _as_json(self) -> dict[str, Any]:
        return {
            "model_checksum": self.model_checksum,
            "kind": self.kind,
            "settings": asdict(self.settings),
            "calibrator": self.calibrator.as_json(),
            "promise": _promise_json(self.promise),
            "by_label": {label: _promise_json(one) for label, one in self.by_label.items()},
            "others": _promise_json(self.others),
            "manners": {**asdict(self.manners), "slots": _lists(self.manners.slots)},
            "figures": dict(self.figures),
        }


def load_policy(path: Path) -> Policy:
    """Read a policy.

    Args:
        path: of what Policy.save wrote.

    Raises:
        ModelError: there is no such file, or it is of a newer format.
        DamagedFileError: it is not what was written.
    """
    try:
        content = atomic.read_json(path)
    except OSError as error:
        raise ModelError("cooperation.cascade-no-policy", path=path) from error
    expected, found_format = content.pop("checksum", None), content.pop("format", None)
    if expected != _checksum(content):
        raise _damaged(path, "checksum differs")
    if found_format != FORMAT:
        raise ModelError("runtime.newer-format", path=path, received=found_format, known=FORMAT)
    try:
        return _policy_from(content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, reason: object) -> DamagedFileError:
    return DamagedFileError("foundation.file-damaged", path=path, reason=reason)


def _policy_from(values: Mapping[str, Any]) -> Policy:
    promise = _promise_from(values["promise"])
    if promise is None:
        raise ValueError("promise")
    manners = dict(values["manners"])
    slots = {intent: tuple(names) for intent, names in manners.pop("slots").items()}
    return Policy(
        model_checksum=str(values["model_checksum"]),
        kind=str(values["kind"]),
        settings=PromiseSettings(**values["settings"]),
        calibrator=Calibrator.from_json(values["calibrator"]),
        promise=promise,
        by_label={label: _promise_from(one) for label, one in values["by_label"].items()},
        others=_promise_from(values["others"]),
        manners=Manners(slots=slots, **manners),
        figures=values["figures"],
    )


def _promise_json(promise: Promise | None) -> dict[str, Any] | None:
    if promise is None:
        return None
    values = asdict(promise)
    if promise.threshold == -math.inf:
        values["threshold"] = None  # JSON knows no infinity: there is no threshold
    return values


def _promise_from(values: Mapping[str, Any] | None) -> Promise | None:
    if values is None:
        return None
    threshold = values["threshold"]
    return Promise(**{**values, "threshold": -math.inf if threshold is None else float(threshold)})


def _lists(slots: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {intent: list(names) for intent, names in slots.items()}


def _checksum(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
