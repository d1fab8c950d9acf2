"""`sparrow cooperate` without its command line: calibrate, promise, measure, write."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import Answer, LargeAnswer, LargeModel, LargeRequest, Question
from sparrowlm.cooperation.calibrating import (
    Calibration,
    CalibrationSettings,
    calibrated,
)
from sparrowlm.cooperation.confidence import confident_answers, large_request
from sparrowlm.cooperation.judged_rows import JudgedRow, judged_rows
from sparrowlm.cooperation.large import Budget, LargeFailure, Patience
from sparrowlm.cooperation.local_large import LocalLarge
from sparrowlm.cooperation.policy import Policy
from sparrowlm.cooperation.promise import Promise, naive_threshold
from sparrowlm.cooperation.trade_off import TradeOff, trade_off
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import SettingError, SparrowError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress

_CALL_DEADLINE_S = 120.0
_CALLS_AT_ONCE = 4
# One call in twenty may fail before the figures say nothing any more.
_MOST_FAILURES = 0.05
_FEWEST_CALLS = 20
_ADDRESSES = ("http://", "https://")

Numbers = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class CooperationRequest:
    """What is asked for.

    Attributes:
        model: directory or file of the small model.
        data: labelled, not trained on.
        settings: what is promised, and how.
        large: directory or file of a larger model of the same task, or an address; None for none.
        cost_per_call: of the large model, in any currency, >= 0.
        trained_on: data that the model was trained on: rows that stand there are left out.
        output: where the policy is written; None for nowhere.
        report: where the page is written; None for nowhere.
        encoding: of text files; None finds it for each.
        large_model: the name that an address knows the large model by; None takes its first.
        key_variable: environment variable that holds the key of an address; None for no key.
        budget: what may be spent at an address, and prices; None: no limit.
        kept_in: file of an address's answers and of what was spent; None keeps nothing.
    """

    model: Path
    data: Sequence[Path]
    settings: CalibrationSettings = field(default_factory=CalibrationSettings)
    large: str | None = None
    cost_per_call: float = 0.0
    trained_on: Sequence[Path] = ()
    output: Path | None = None
    report: Path | None = None
    encoding: str | None = None
    large_model: str | None = None
    key_variable: str | None = None
    budget: Budget | None = None
    kept_in: Path | None = None


def cooperate(request: CooperationRequest, progress: Progress) -> dict[str, Any]:
    """Calibrate a model, prove a promise, measure what a large model is worth.

    Args:
        request: what is asked for.
        progress: told about the stages and what is noteworthy.

    Returns:
        All figures, as JSON values.

    Raises:
        SparrowError: data, model, or promise are not possible; says why.
    """
    model = Model(request.model)
    rows = _fresh_rows(model, request, progress)
    answers, cost_per_call = _large_answers(model, rows, request, progress)
    calibration = calibrated(model, rows, request.settings, answers)
    if request.settings.per_label and not calibration.policy.by_label:
        progress.note(say("cooperation.promise-no-labels"))
    trade = _trade_off(calibration, cost_per_call)
    policy = calibration.policy
    if trade is not None:
        policy = replace(policy, figures={**policy.figures, "trade_off": _short(trade)})
    facts = cooperation_facts(replace(calibration, policy=policy), trade)
    if request.output is not None:
        policy.save(request.output)
        facts["policy"] = str(request.output)
    if request.report is not None:
        from sparrowlm.cooperation.report import cooperation_page

        atomic.write_text(request.report, cooperation_page(facts, request.model.name))
    return facts


def cooperation_facts(calibration: Calibration, trade: TradeOff | None) -> dict[str, Any]:
    """Return everything that was calibrated, promised and measured, as JSON values."""
    policy = calibration.policy
    scores_B = calibration.scores_B
    is_given_B = scores_B >= _thresholds(calibration)
    naive = naive_threshold(calibration.scored(), policy.settings.max_error)
    facts: dict[str, Any] = {
        **policy.figures,
        "kind": policy.kind,
        "ranker": policy.calibrator.ranker_way,
        "scale": policy.calibrator.scale_way,
        "promise": promise_facts(policy.promise, policy),
        "coverage": float(is_given_B.mean()),
        "naive_coverage": float((scores_B >= naive).mean()),
        "reliability": _reliability(calibration),
    }
    if policy.by_label:
        facts["by_label"] = {
            label: None if one is None else promise_facts(one, policy)
            for label, one in sorted(policy.by_label.items())
        }
        if policy.others is not None:
            facts["others"] = promise_facts(policy.others, policy)
        elif calibration.thresholds.has_refused_others:
            facts["others"] = None
    if trade is not None:
        facts["trade_off"] = trade.as_json()
    return facts


def promise_facts(promise: Promise, policy: Policy) -> dict[str, Any]:
    """Return a promise as JSON values, its threshold as a calibrated confidence too."""
    is_always = promise.threshold == -math.inf
    least = 0.0
    if not is_always:
        score = np.array([promise.threshold])
        least = float(policy.calibrator.scale.probabilities(score)[0])
    return {
        "kind": promise.kind,
        "max_error": promise.max_error,
        "confidence": promise.confidence,
        "threshold": None if is_always else promise.threshold,
        "least_confidence": least,
        "num_rows": promise.num_rows,
        "num_answered": promise.num_answered,
        "num_wrong": promise.num_wrong,
        "coverage": promise.coverage,
        "bound": promise.bound,
    }


@contextmanager
def opened_large(
    received: str,
    cost: float,
    model: str | None = None,
    key_variable: str | None = None,
    budget: Budget | None = None,
    kept_in: Path | None = None,
    deadline_s: float | None = None,
) -> Iterator[LargeModel]:
    """Yield the large model that a user named, and close it afterwards.

    Args:
        received: an address, or a model directory or file.
        cost: of one call, >= 0.
        model: the name that the server knows it by; None takes the server's first.
        key_variable: environment variable that holds the server's key; None for no key.
        budget: what may be spent at an address, and prices; None: no limit.
        kept_in: file of an address's answers and of what was spent; None keeps nothing.
        deadline_s: of every call, with all its attempts, > 0; None for the usual one.

    Raises:
        SparrowError: there is no model, or it cannot be asked.
    """
    if received.startswith(_ADDRESSES):
        from sparrowlm.cooperation.large_terms import LargeTerms

        terms = LargeTerms(
            model=model, key_variable=key_variable, cost_per_call=cost,
            budget=budget or Budget(), kept_in=kept_in,
            patience=None if deadline_s is None else Patience(deadline_s=deadline_s),
        )  # fmt: skip
        with terms.opened(received) as large:
            yield large
        return
    if kept_in is not None or (budget is not None and budget != Budget(budget.run)):
        raise SettingError("cooperation.cascade-local-budget", received=received)
    yield LocalLarge(Model(Path(received)), cost)


def _fresh_rows(model: Model, request: CooperationRequest, progress: Progress) -> list[JudgedRow]:
    """Read the rows, without those that the model was trained on, where that can be known."""
    rows = judged_rows(model, request.data, request.encoding)
    if request.trained_on:
        known = {row.question for row in judged_rows(model, request.trained_on, request.encoding)}
        fresh = [row for row in rows if row.question not in known]
        if len(fresh) < len(rows):
            number = f"{len(rows) - len(fresh):,}"
            progress.note(say("cooperation.calibrate-trained-on", number=number))
        return fresh
    evidence = str(model.info().get("data", {}).get("evidence", ""))
    for path in request.data:
        if path.name in evidence:
            progress.note(say("cooperation.calibrate-same-name", file=path))
    return rows


def _large_answers(
    model: Model, rows: Sequence[JudgedRow], request: CooperationRequest, progress: Progress
) -> tuple[list[Answer] | None, float]:
    """Return what the large model answers, and what a call costs."""
    if request.large is None:
        return None, 0.0
    where = request.large, request.cost_per_call, request.large_model, request.key_variable
    with opened_large(*where, request.budget, request.kept_in) as large:
        questions = [row.question for row in rows]
        progress.start(
            say("cooperation.calibrate-asking"), len(rows), say("cooperation.calibrate-unit")
        )
        found = asked_answers(model, large, questions, progress)
        progress.finish()
        cost = getattr(large, "mean_cost", request.cost_per_call)
    return found, cost


def asked_answers(
    model: Model, large: LargeModel, questions: Sequence[Question], progress: Progress
) -> list[Answer]:
    """Ask the large model everything.

    Args:
        model: the small one, whose answers go along.
        large: the large one, asked from several threads.
        questions: what is asked.
        progress: told about every answer.

    Returns:
        One answer a question; None where the call failed: that is no right answer.

    Raises:
        SparrowError: the first call failed, or too many did, or the budget is used up.
    """
    small = confident_answers(model, questions)
    requests = [
        large_request(model, question, one) for question, one in zip(questions, small, strict=True)
    ]
    found: list[Answer] = []
    num_failed = 0

    def ask(request: LargeRequest) -> LargeAnswer | SparrowError:
        try:
            return large.answer(request, time.monotonic() + _CALL_DEADLINE_S)
        except SparrowError as error:
            return error

    with ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="large") as pool:
        for start in range(0, len(requests), _FEWEST_CALLS):
            # Few at a time: where nothing works, hardly anything is sent.
            for result in pool.map(ask, requests[start : start + _FEWEST_CALLS]):
                if isinstance(result, SparrowError):
                    num_failed += 1
                    # An empty budget answers nobody: what is missing is no wrong answer.
                    is_spent = isinstance(result, LargeFailure) and result.kind == "budget"
                    if is_spent or not found or num_failed > max(_MOST_FAILURES * len(found), 1):
                        raise result
                found.append(None if isinstance(result, SparrowError) else result.answer)
                progress.advance(1)
    return found


def _trade_off(calibration: Calibration, cost: float) -> TradeOff | None:
    if calibration.large_is_right_B is None:
        return None
    return trade_off(
        calibration.scores_B, calibration.is_right_B, calibration.large_is_right_B,
        calibration.scores_B >= _thresholds(calibration), cost,
    )  # fmt: skip


def _thresholds(calibration: Calibration) -> Numbers:
    """Return the threshold of every row's answer."""
    policy = calibration.policy
    thresholds_B: Numbers = np.array([policy.threshold(label) for label in calibration.labels])
    return thresholds_B


def _short(trade: TradeOff) -> dict[str, Any]:
    curves = ("calls", "accuracy", "random_accuracy")
    return {name: value for name, value in trade.as_json().items() if name not in curves}


def _reliability(calibration: Calibration) -> list[list[float | int]]:
    """Return mean confidence, share of right answers and their number, for every bin."""
    from sparrowlm.tasks.calibration import confidence_bins

    given_B = calibration.policy.calibrator.scale.probabilities(calibration.scores_B)
    bins_B = confidence_bins(given_B)
    found: list[list[float | int]] = []
    for number in np.unique(bins_B):
        own = bins_B == number
        found.append([
            float(given_B[own].mean()), float(calibration.is_right_B[own].mean()), int(own.sum())
        ])  # fmt: skip
    return found
