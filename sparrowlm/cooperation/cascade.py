"""A small model that answers what it is sure of, and a large one for the rest.

    with DecisionLog(Path("decisions.jsonl")) as log:
        cascade = Cascade(model, load_policy(Path("policy.json")), large, log)
        cascade.answer("我的卡丢了")

Source: Viola and Jones 2001, "Rapid object detection using a boosted cascade of simple features";
Chen, Zaharia and Zou 2023, "FrugalGPT", arXiv:2305.05176, section 3 (cascades of language models).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import Answer, LargeModel, Question
from sparrowlm.cooperation.confidence import (
    Confident,
    answering,
    confident,
    large_request,
)
from sparrowlm.cooperation.decision_log import DecisionLog, DecisionRecord, text_hash
from sparrowlm.cooperation.decisions import (
    Decision,
    DecisionInputs,
    decide,
    inputs_of,
    question_sentence,
)
from sparrowlm.cooperation.policy import Policy
from sparrowlm.foundation.errors import SettingError, SparrowError

_BATCH_QUESTIONS = 256
DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadeAnswer:
    """What a cascade says.

    Attributes:
        answer: a JSON value; None where nobody is sure, or a question is asked back.
        is_sure: whether the promise is about this answer: the small model was sure, or the large
            one answered.
        confidence: calibrated, that the small model's answer is right, 0 to 1.
        decision: what was decided, and why.
        answered_by: "small", "large" or "nobody".
        ask_back: a question to the person; None where none is asked.
        failure: sentence of why the large model did not answer; None where it did or was not asked.
        cost: of the call.
        masked: kinds of personal data that the large model did not see.
        small_ms: that the small model took; a batch's time is divided among its questions.
        large_ms: that the large one took.
        router_ms: that everything else took.
    """

    answer: Answer
    is_sure: bool
    confidence: float
    decision: Decision
    answered_by: str
    ask_back: str | None = None
    failure: str | None = None
    cost: float = 0.0
    masked: tuple[str, ...] = ()
    small_ms: float = 0.0
    large_ms: float = 0.0
    router_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Decided:
    """A question halfway: the small model has answered, and it is decided what is done.

    Attributes:
        question: that was asked.
        small: answer of the small model, its confidence calibrated.
        inputs: what the decision depended on.
        decision: what is done, and why.
        small_ms: that the small model took.
        router_ms: that deciding took.
    """

    question: Question
    small: Confident
    inputs: DecisionInputs
    decision: Decision
    small_ms: float
    router_ms: float


@dataclass(frozen=True, slots=True)
class _Called:
    """What came of a call."""

    answer: Answer = None
    cost: float = 0.0
    failure: SparrowError | None = None
    large_ms: float = 0.0
    masked: tuple[str, ...] = ()


class Cascade:
    """Answers questions with two models; may be asked from several threads.

    Args:
        model: the small one.
        policy: of this model.
        large: the large one; None where there is none.
        log: where decisions are written; None for nowhere.
        deadline_s: within which the large model must answer.

    Raises:
        ModelError: the policy belongs to another model.
    """

    def __init__(
        self,
        model: Model,
        policy: Policy,
        large: LargeModel | None = None,
        log: DecisionLog | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        policy.check(model)
        self.policy = policy
        self.num_calls = 0
        self.cost = 0.0
        self._model = model
        self._large = large
        self._log = log
        self._deadline_s = deadline_s
        self._answering = answering(model)
        self._policy_checksum = policy.checksum
        self._lock = threading.Lock()

    def answer(self, question: Question | str) -> CascadeAnswer:
        """Answer one question.

        Args:
            question: a text, or a pair for a model that judges pairs.

        Raises:
            SettingError: a pair for a model that judges none.
        """
        return self.end(self.begin([question])[0])

    def begin(
        self,
        questions: Sequence[Question | str],
        found: Sequence[Any] | None = None,
        found_ms: float = 0.0,
    ) -> list[Decided]:
        """Let the small model answer, and decide: all that needs the small model.

        Args:
            questions: as in answer.
            found: what the model has said of each already, see confident; None asks it now.
            found_ms: that it took for all of them.

        Raises:
            SettingError: as answer.
        """
        asked = [_question(one) for one in questions]
        began = time.perf_counter()
        if found is None:
            smalls = list(self._answering(asked))
        else:
            smalls = [confident(self._model, one) for one in found]
        small_ms = (found_ms + _ms_since(began)) / max(len(asked), 1)
        return [self._decide(*pair, small_ms) for pair in zip(asked, smalls, strict=True)]

    def end(self, decided: Decided) -> CascadeAnswer:
        """Do what was decided: call the large model where it is to be called, and write the log.

        Args:
            decided: by begin; may be ended in another thread.
        """
        called = self._call(decided) if decided.decision.action == "escalate" else _Called()
        return self._finish(decided, called)

    def answers(
        self, questions: Iterable[Question | str], num_parallel: int = 4
    ) -> Iterator[CascadeAnswer]:
        """Answer any number of questions, in their order, at constant memory.

        Args:
            questions: as in answer.
            num_parallel: calls of the large model at once, >= 1.

        Raises:
            SettingError: as answer; or num_parallel is below 1.
        """
        if num_parallel < 1:
            raise SettingError(
                "foundation.number-range", name="num_parallel", received=num_parallel, minimum=1
            )
        waiting = iter(questions)
        with ThreadPoolExecutor(num_parallel, thread_name_prefix="cascade") as pool:
            while batch := [_question(one) for one in islice(waiting, _BATCH_QUESTIONS)]:
                yield from self._batch(batch, pool)

    def _batch(self, batch: list[Question], pool: ThreadPoolExecutor) -> Iterator[CascadeAnswer]:
        started: list[tuple[Decided, Future[_Called] | None]] = []
        for decided in self.begin(batch):
            is_call = decided.decision.action == "escalate"
            started.append((decided, pool.submit(self._call, decided) if is_call else None))
        for decided, future in started:
            yield self._finish(decided, _Called() if future is None else future.result())

    def _decide(self, question: Question, small: Confident, small_ms: float) -> Decided:
        began = time.perf_counter()
        answer, score = self.policy.calibrator.calibrated(small)
        with self._lock:
            inputs = inputs_of(
                answer, score, self.policy, has_large=self._large is not None,
                spent=(self.num_calls, self.cost),
            )  # fmt: skip
            decision = decide(inputs, self.policy)
            self.num_calls += decision.action == "escalate"
        return Decided(question, answer, inputs, decision, small_ms, _ms_since(began))

    def _call(self, decided: Decided) -> _Called:
        assert self._large is not None  # noqa: S101 - only then is anything passed on
        request = large_request(self._model, decided.question, decided.small)
        began = time.perf_counter()
        try:
            found = self._large.answer(request, time.monotonic() + self._deadline_s)
        except SparrowError as error:
            return _Called(failure=error, large_ms=_ms_since(began))
        with self._lock:
            self.cost += found.cost
        return _Called(found.answer, found.cost, None, _ms_since(began), found.masked)

    def _finish(self, decided: Decided, called: _Called) -> CascadeAnswer:
        began = time.perf_counter()
        answer, answered_by, is_sure = self._chosen(decided, called)
        found = CascadeAnswer(
            answer=answer,
            is_sure=is_sure,
            confidence=decided.small.confidence,
            decision=decided.decision,
            answered_by=answered_by,
            ask_back=question_sentence(decided.decision),
            failure=None if called.failure is None else called.failure.sentence(),
            cost=called.cost,
            masked=called.masked,
            small_ms=decided.small_ms,
            large_ms=called.large_ms,
            router_ms=decided.router_ms + _ms_since(began),
        )
        if self._log is not None:
            self._log.write(self._record(decided, called, found, self._log))
        return found

    def _chosen(self, decided: Decided, called: _Called) -> tuple[Answer, str, bool]:
        """Return the answer, who gave it, and whether the promise is about it."""
        action = decided.decision.action
        if action == "answer":
            return decided.small.answer, "small", True
        if action == "escalate" and called.failure is None:
            return called.answer, "large", True
        if action == "escalate" and self.policy.manners.failure == "small":
            return decided.small.answer, "small", False
        return None, "nobody", False

    def _record(
        self, decided: Decided, called: _Called, found: CascadeAnswer, log: DecisionLog
    ) -> DecisionRecord:
        question = decided.question
        text = question.text if question.second is None else f"{question.text}\t{question.second}"
        return DecisionRecord(
            time=time.time(),
            policy=self._policy_checksum,
            text_hash=text_hash(question, log.key),
            inputs=decided.inputs,
            confidence=found.confidence,
            decision=found.decision,
            answered_by=found.answered_by,
            failure=None if called.failure is None else called.failure.code,
            cost=found.cost,
            small_ms=round(found.small_ms, 4),
            large_ms=round(found.large_ms, 4),
            router_ms=round(found.router_ms, 4),
            text=text if log.keeps_text else None,
            answer=found.answer if log.keeps_text else None,
            task=self._model.kind if log.keeps_text else None,
        )


def _question(given: Question | str) -> Question:
    return Question(given) if isinstance(given, str) else given


def _ms_since(began: float) -> float:
    return 1000.0 * (time.perf_counter() - began)
