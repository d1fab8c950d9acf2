"""Every decision as a line of JSON, and what the lines say when they are read again.

A line holds what the decision depended on, so that the policy decides it again; a hash of the text
stands for the text. Short texts can be guessed from a plain hash: with a key they cannot.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from sparrowlm.cooperation.asking import Answer, Question
from sparrowlm.cooperation.decisions import Decision, DecisionInputs, decide
from sparrowlm.cooperation.policy import Policy
from sparrowlm.foundation.atomic import resource_error
from sparrowlm.foundation.errors import DamagedFileError, DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One decision and what came of it.

    Attributes:
        time: seconds since 1970, UTC.
        policy: checksum of the policy.
        text_hash: of the question.
        inputs: what the decision depended on.
        confidence: calibrated, 0 to 1.
        decision: what was decided.
        answered_by: "small", "large", or "nobody".
        failure: code of the error of the large model; None where it answered or was not asked.
        cost: of the call.
        small_ms: that the small model took.
        large_ms: that the large one took.
        router_ms: that everything else took.
        text: the question; None unless asked for.
        answer: what was answered; None unless asked for.
        task: kind of the small model, which says what the answer is; None unless asked for.
    """

    time: float
    policy: str
    text_hash: str
    inputs: DecisionInputs
    confidence: float
    decision: Decision
    answered_by: str
    failure: str | None = None
    cost: float = 0.0
    small_ms: float = 0.0
    large_ms: float = 0.0
    router_ms: float = 0.0
    text: str | None = None
    answer: Answer = None
    task: str | None = None

    def as_line(self) -> str:
        """Return the record as a line of JSON, without what is not there."""
        fields = {name: value for name, value in asdict(self).items() if value is not None}
        if fields["decision"]["threshold"] in (float("inf"), float("-inf")):
            # JSON knows no infinity; which one it was is said by the action.
            fields["decision"]["threshold"] = None
        return json.dumps(fields, ensure_ascii=False, allow_nan=False)


def text_hash(question: Question, key: bytes | None = None) -> str:
    """Return what stands for a question in a log.

    Args:
        question: any.
        key: secret; None hashes plainly, so that whoever knows the text finds it.
    """
    text = json.dumps([question.text, question.second], ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    if key is None:
        return hashlib.sha256(data).hexdigest()
    return hmac.new(key, data, hashlib.sha256).hexdigest()


class DecisionLog:
    """Appends decisions to a file, one line each.

    Args:
        path: of the file; it is made where it is missing, and gone on with where it is not.
        keeps_text: whether questions and answers are written too.
        key: of the hashes; see text_hash.

    Raises:
        ResourceError: the file cannot be written.
    """

    def __init__(self, path: Path, *, keeps_text: bool = False, key: bytes | None = None) -> None:
        self.keeps_text = keeps_text
        self.key = key
        self._path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _end_last_line(path)
            self._file: TextIO = path.open("a", encoding="utf-8", errors="surrogatepass")
        except OSError as error:
            raise resource_error(error, path) from error

    def write(self, record: DecisionRecord) -> None:
        """Append a decision; whoever reads the file sees it at once.

        Raises:
            ResourceError: the disk is full.
        """
        try:
            with self._lock:
                self._file.write(record.as_line() + "\n")
                self._file.flush()
        except OSError as error:
            raise resource_error(error, self._path) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> DecisionLog:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()


def read_log(path: Path) -> Iterator[DecisionRecord]:
    """Yield the decisions of a log.

    Args:
        path: of what DecisionLog wrote. A last line that a killed writer did not finish is left
            out.

    Raises:
        DataError: there is no such file.
        DamagedFileError: a line is no decision.
    """
    try:
        lines = path.open(encoding="utf-8", errors="surrogatepass")
    except OSError as error:
        raise DataError(
            "foundation.file-missing", path=path, directory=path.absolute().parent
        ) from error
    with lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield _record(json.loads(line))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                if not line.endswith("\n"):
                    return
                reason = f"line {number}: {error}"
                raise DamagedFileError(
                    "foundation.file-damaged", path=path, reason=reason
                ) from error


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A line whose decision the policy does not give.

    Attributes:
        number: of the line, from 1.
        logged: what stands there.
        replayed: what the policy decides.
    """

    number: int
    logged: Decision
    replayed: Decision


def replay(records: Iterable[DecisionRecord], policy: Policy) -> list[Disagreement]:
    """Decide everything again and compare.

    Args:
        records: of a log.
        policy: that was in force.

    Returns:
        What differs; empty where the log is what the policy does.
    """
    found = []
    for number, record in enumerate(records, start=1):
        replayed = decide(record.inputs, policy)
        is_same = (replayed.action, replayed.reason, replayed.choices) == (
            record.decision.action, record.decision.reason, record.decision.choices,
        )  # fmt: skip
        if not is_same or record.policy != policy.checksum:
            found.append(Disagreement(number, record.decision, replayed))
    return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy does with logged questions.

    Attributes:
        num_questions: in the log.
        actions: how many of each.
        num_calls: of the large model.
        cost: of these calls: what each cost where it was made, else the mean of those that were.
        num_changed: decisions that differ from those of the log.
    """

    num_questions: int
    actions: dict[str, int]
    num_calls: int
    cost: float
    num_changed: int


def what_if(records: Iterable[DecisionRecord], policy: Policy) -> Outcome:
    """Say what another policy would have done: another threshold, budget, or manners.

    Args:
        records: of a log, in their order; budgets are spent as it goes.
        policy: instead of the one in force.
    """
    known = list(records)
    paid = [one.cost for one in known if one.decision.action == "escalate"]
    mean_cost = sum(paid) / len(paid) if paid else 0.0
    actions = dict.fromkeys(("answer", "ask", "escalate", "abstain"), 0)
    num_calls, cost, num_changed = 0, 0.0, 0
    for record in known:
        decision = decide(replace(record.inputs, num_calls=num_calls, cost=cost), policy)
        actions[decision.action] += 1
        num_changed += decision.action != record.decision.action
        if decision.action == "escalate":
            num_calls += 1
            was_paid = record.decision.action == "escalate"
            cost += record.cost if was_paid else mean_cost
    return Outcome(len(known), actions, num_calls, cost, num_changed)


def _record(values: dict[str, Any]) -> DecisionRecord:
    inputs, decision = dict(values.pop("inputs")), dict(values.pop("decision"))
    inputs["rivals"] = tuple((str(label), float(share)) for label, share in inputs["rivals"])
    inputs["missing"] = tuple(inputs["missing"])
    decision["choices"] = tuple(decision["choices"])
    if decision["threshold"] is None:
        was_given = decision["reason"] in ("sure", "missing")
        decision["threshold"] = float("-inf") if was_given else float("inf")
    return DecisionRecord(inputs=DecisionInputs(**inputs), decision=Decision(**decision), **values)


def _end_last_line(path: Path) -> None:
    """Cut off what a killed writer left of its last line."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        content = file.read()
        if content and not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)
