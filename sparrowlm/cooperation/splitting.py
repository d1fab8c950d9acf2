"""One task in two parts: a small model understands, a large one writes.

    text -> intent and slots (here)
        sure, and the intent has a text    answered here
        something is missing               asked back
        otherwise                          the large model writes the answer

The large model gets the text and what was understood, both without personal data; what its answer
says of them is put back here. Nothing else leaves.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparrowlm.api.model import Model
from sparrowlm.cooperation.addressed_large import answer_cost
from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.confidence import Confident, answering
from sparrowlm.cooperation.decisions import (
    Decision,
    decide,
    inputs_of,
    question_sentence,
    why_not_large,
)
from sparrowlm.cooperation.large import ChatRequest, LargeModel, Message
from sparrowlm.cooperation.large.masked import EXPLANATION, refuse_raw
from sparrowlm.cooperation.policy import Policy
from sparrowlm.cooperation.templates import Templates
from sparrowlm.foundation.errors import ModelError, SettingError, SparrowError
from sparrowlm.privacy import NamesIn, Vault
from sparrowlm.privacy.redacting import Spans

_KINDS = ("intent", "tag", "classify")
INSTRUCTION = (
    "Answer the text of a user, briefly and in the user's language. The JSON behind it is what "
    "another program understood: the intent, how sure it is of it (0 to 1), and stretches of the "
    "text by their meaning. It may be wrong: the text decides."
)


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How the large model is asked.

    Attributes:
        instruction: what it is to do, without personal data.
        max_tokens: of its answer, >= 1.
        masks: whether personal data stays here.
        names_in: finds names, addresses and organisations to mask; None looks for none.
        cost_per_call: in any currency, where the client's ledger has no prices.
    """

    instruction: str = INSTRUCTION
    max_tokens: int = 512
    masks: bool = True
    names_in: NamesIn | None = None
    cost_per_call: float = 0.0


@dataclass(frozen=True, kw_only=True)
class SplitAnswer:
    """What is answered, and how it came about.

    Attributes:
        text: the answer, personal data in their places; None where there is none.
        answered_by: "small" (a text of the templates), "large" or "nobody".
        is_sure: whether the small model was sure, or the large one answered.
        ask_back: a question to the person; None where none is asked.
        intent: that was understood; None where the model knows no intents.
        slots: stretches of the text by label, in their order.
        confidence: that intent and slots are right, calibrated where there is a policy, 0 to 1.
        decision: what was decided, and why.
        sent: what left this machine, apart from the instruction; None where nothing did.
        failure: sentence of why the large model did not answer; None where it did.
        cost: of the call.
        small_ms: that understanding took.
        large_ms: that the large model took.
    """

    text: str | None
    answered_by: str
    is_sure: bool
    ask_back: str | None = None
    intent: str | None
    slots: Mapping[str, tuple[str, ...]]
    confidence: float
    decision: Decision
    sent: str | None = None
    failure: str | None = None
    cost: float = 0.0
    small_ms: float = 0.0
    large_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class _Understood:
    """What the small model made of a text."""

    text: str
    spans: Spans
    intent: str | None
    answer: Confident
    decision: Decision
    small_ms: float

    def slots(self) -> dict[str, tuple[str, ...]]:
        return _slots(self.text, self.spans)


@dataclass(frozen=True, slots=True)
class _Written:
    """What the large model wrote, or why it did not."""

    text: str | None
    sent: str | None
    failure: SparrowError | None = None
    cost: float = 0.0
    large_ms: float = 0.0


class Splitter:
    """Understands here, and has the rest written elsewhere; may be asked from several threads.

    Args:
        understanding: a tagger, with or without intents, or a classifier of intents.
        large: the client of a large model; None where there is none.
        policy: of the small model: when it is sure, what may not be missing, what may be spent.
        templates: answers to intents; None where the large model answers everything.
        settings: None for the defaults.

    Raises:
        ModelError: the model understands no texts, or the policy is another model's.
        SettingError: templates without a policy, or for what the model does not know.
    """

    def __init__(
        self,
        understanding: Model,
        large: LargeModel | None,
        policy: Policy | None = None,
        templates: Templates | None = None,
        settings: SplitSettings | None = None,
    ) -> None:
        if understanding.kind not in _KINDS or understanding.is_multi_label:
            raise ModelError("cooperation.split-no-intents", received=understanding.kind)
        if policy is not None:
            policy.check(understanding)
        elif templates is not None:
            raise SettingError("cooperation.split-no-policy")
        self.num_calls = 0
        self.cost = 0.0
        self._large = large
        self._policy = policy
        self._templates = templates or Templates({})
        self._settings = settings or SplitSettings()
        self._answering = answering(understanding)
        self._lock = threading.Lock()
        if templates is not None:
            known = next(self._answering([Question("?")])).shares
            is_tagger = understanding.kind != "classify"
            templates.check(known, understanding.labels if is_tagger else ())

    def answer(self, text: str) -> SplitAnswer:
        """Answer a text.

        Args:
            text: any text of a user.
        """
        found = self._understood(text)
        decision = found.decision
        if decision.action == "answer":
            return self._finished(found, self._template(found), "small", is_sure=True)
        if decision.action != "escalate":
            return self._finished(found, None, "nobody", is_sure=False)
        written = self._written(found)
        if written.failure is None:
            return self._finished(found, written.text, "large", is_sure=True, written=written)
        is_small = self._policy is not None and self._policy.manners.failure == "small"
        text_here = self._template(found) if is_small else None
        by = "nobody" if text_here is None else "small"
        return self._finished(found, text_here, by, is_sure=False, written=written)

    def _understood(self, text: str) -> _Understood:
        began = time.perf_counter()
        raw = next(self._answering([Question(text)]))
        is_tagged = isinstance(raw.answer, Mapping)
        spans = [(a, b, name) for a, b, name in raw.answer["spans"]] if is_tagged else []
        intent = raw.label or None
        with self._lock:
            answer, decision = self._decided(raw, intent, {name for _a, _b, name in spans})
            self.num_calls += decision.action == "escalate"
        return _Understood(text, spans, intent, answer, decision, _ms_since(began))

    def _decided(
        self, raw: Confident, intent: str | None, found: set[str]
    ) -> tuple[Confident, Decision]:
        """Return the calibrated answer and what is done about it."""
        has_large = self._large is not None
        if self._policy is None:
            action = Decision("escalate", "unsure", math.inf)
            return raw, action if has_large else Decision("abstain", "no-large", math.inf)
        answer, score = self._policy.calibrator.calibrated(raw)
        spent = (self.num_calls, self.cost)
        inputs = inputs_of(answer, score, self._policy, has_large=has_large, spent=spent)
        decision = decide(inputs, self._policy)
        if decision.action != "answer":
            return answer, decision
        if intent in self._templates.by_intent:
            missing = tuple(n for n in self._templates.names(str(intent)) if n not in found)
            if missing:
                return answer, Decision("ask", "missing", decision.threshold, missing)
            return answer, decision
        # It was understood, and nobody wrote what is to be said: that is the large model's part.
        reason = why_not_large(inputs, self._policy)
        if reason is None:
            return answer, Decision("escalate", "no-template", decision.threshold)
        return answer, Decision("abstain", reason, decision.threshold)

    def _template(self, found: _Understood) -> str | None:
        """Return the text of the intent; None where there is none, or something is missing."""
        intent, slots = str(found.intent), found.slots()
        if intent not in self._templates.by_intent:
            return None
        if any(name not in slots for name in self._templates.names(intent)):
            return None
        return self._templates.filled(intent, slots)

    def _written(self, found: _Understood) -> _Written:
        """Have the large model write the answer."""
        assert self._large is not None  # noqa: S101 - only then is anything passed on
        began = time.perf_counter()
        sent = None
        try:
            vault = Vault(names_in=self._settings.names_in)
            chat = self._chat(found, vault)
            refuse_raw(chat, vault, self._large.settings)
            sent = chat.messages[-1].content
            answer = self._large.ask(chat)
        except SparrowError as error:
            return _Written(None, sent, error, large_ms=_ms_since(began))
        cost = answer_cost(self._large, answer, chat, self._settings.cost_per_call)
        with self._lock:
            self.cost += cost
        text = vault.restore(answer.text).strip()
        return _Written(text, sent, None, cost, _ms_since(began))

    def _chat(self, found: _Understood, vault: Vault) -> ChatRequest:
        """Return what is sent: the instruction, and the text with what was understood."""
        text, spans, instruction = found.text, found.spans, self._settings.instruction
        if self._settings.masks:
            text, spans = vault.mask_spans(text, spans)
            instruction = vault.mask(instruction)
            if len(vault):
                instruction = f"{instruction} {EXPLANATION}"
        context: dict[str, Any] = {"confidence": round(found.answer.confidence, 2)}
        if found.intent is not None:
            context = {"intent": found.intent, **context}
        if spans:
            context["slots"] = _slots(text, spans)
        shown = f"{text}\n\n{json.dumps(context, ensure_ascii=False)}"
        messages = (Message("system", instruction), Message("user", shown))
        return ChatRequest(messages, max_tokens=self._settings.max_tokens)

    def _finished(
        self, found: _Understood, text: str | None, by: str, *, is_sure: bool,
        written: _Written | None = None,
    ) -> SplitAnswer:  # fmt: skip
        written = written or _Written(None, None)
        return SplitAnswer(
            text=text,
            answered_by=by,
            is_sure=is_sure,
            ask_back=question_sentence(found.decision),
            intent=found.intent,
            slots=found.slots(),
            confidence=found.answer.confidence,
            decision=found.decision,
            sent=written.sent,
            failure=None if written.failure is None else written.failure.sentence(),
            cost=written.cost,
            small_ms=found.small_ms,
            large_ms=written.large_ms,
        )


def _slots(text: str, spans: Spans) -> dict[str, tuple[str, ...]]:
    """Return the stretches of a text by label, in their order."""
    found: dict[str, tuple[str, ...]] = {}
    for start, end, label in spans:
        found[label] = (*found.get(label, ()), text[start:end])
    return found


def _ms_since(began: float) -> float:
    return 1000.0 * (time.perf_counter() - began)
