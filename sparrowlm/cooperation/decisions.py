"""What is done with an answer: give it, ask back, pass it on, or admit not to know.

    score >= threshold of its label, nothing missing        answer
    an intent without a span it cannot do without           ask: which one
    two labels that are close, one of them surely right     ask: which of the two
    a large model, and budget left                          escalate
    otherwise                                               abstain

A decision depends on what stands in its inputs and in the policy, and on nothing else: written down
they give the same decision at any later time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sparrowlm.cooperation.confidence import Confident
from sparrowlm.cooperation.policy import Policy
from sparrowlm.foundation.messages import Language, current_language, render

Action = Literal["answer", "ask", "escalate", "abstain"]
Reason = Literal[
    "sure", "missing", "close", "unsure", "no-large", "no-budget", "no-template"
]  # "no-template": understood, and nobody wrote what is to be said (splitting.py)


@dataclass(frozen=True, slots=True)
class DecisionInputs:
    """All that a decision depends on, besides the policy.

    Attributes:
        score: of the answer.
        label: of the answer.
        rivals: the two likeliest labels, likeliest first, with their shares; () where there are no
            shares.
        missing: spans that the intent cannot do without and that were not found.
        has_large: whether there is a large model to ask.
        num_calls: of the large model so far.
        cost: of these calls.
    """

    score: float
    label: str
    rivals: tuple[tuple[str, float], ...] = ()
    missing: tuple[str, ...] = ()
    has_large: bool = False
    num_calls: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done, and why.

    Attributes:
        action: what.
        reason: why.
        threshold: that the score was compared with.
        choices: the labels to choose from, or the missing spans, of a question back.
    """

    action: Action
    reason: Reason
    threshold: float
    choices: tuple[str, ...] = ()


def inputs_of(
    answer: Confident, score: float, policy: Policy, *, has_large: bool, spent: tuple[int, float]
) -> DecisionInputs:
    """Return what a decision about an answer depends on.

    Args:
        answer: of the small model.
        score: of it.
        policy: knows what may not be missing.
        has_large: whether there is a large model to ask.
        spent: number and cost of its calls so far.
    """
    rivals: tuple[tuple[str, float], ...] = ()
    if len(answer.shares) > 1:
        first, second, *_rest = answer.shares.items()
        rivals = (first, second)
    needed = policy.manners.slots.get(answer.label, ())
    missing: tuple[str, ...] = ()
    if needed and isinstance(answer.answer, Mapping):
        found = {span[2] for span in answer.answer["spans"]}
        missing = tuple(name for name in needed if name not in found)
    return DecisionInputs(score, answer.label, rivals, missing, has_large, *spent)


def decide(inputs: DecisionInputs, policy: Policy) -> Decision:
    """Decide.

    Args:
        inputs: of one answer.
        policy: the rules.
    """
    threshold = policy.threshold(inputs.label)
    if inputs.score >= threshold:
        if inputs.missing:
            return Decision("ask", "missing", threshold, inputs.missing)
        return Decision("answer", "sure", threshold)
    question = _question(inputs, policy, threshold)
    if question is not None and policy.manners.asks_first:
        return question
    reason = why_not_large(inputs, policy)
    if reason is None:
        return Decision("escalate", "unsure", threshold)
    return question or Decision("abstain", reason, threshold)


def question_sentence(decision: Decision, language: Language | None = None) -> str | None:
    """Return the question that is asked back; None where none is.

    Args:
        decision: what was decided.
        language: "zh" or "en"; None means the user's own.
    """
    if decision.action != "ask":
        return None
    if decision.reason == "missing":
        is_chinese = (language or current_language()) == "zh"
        joined = ("、" if is_chinese else ", ").join(decision.choices)
        return render("cooperation.cascade-ask-missing", {"missing": joined}, language)
    first, second = decision.choices
    fields: dict[str, Any] = {"first": first, "second": second}
    return render("cooperation.cascade-ask-close", fields, language)


def _question(inputs: DecisionInputs, policy: Policy, threshold: float) -> Decision | None:
    if not inputs.rivals:
        return None
    (first, share), (second, other) = inputs.rivals
    if share + other < policy.manners.closeness:
        return None
    return Decision("ask", "close", threshold, (first, second))


def why_not_large(inputs: DecisionInputs, policy: Policy) -> Reason | None:
    """Return why the large model cannot be asked; None where it can.

    Args:
        inputs: of one answer.
        policy: knows what may be spent.
    """
    if not inputs.has_large:
        return "no-large"
    manners = policy.manners
    if manners.most_calls is not None and inputs.num_calls >= manners.most_calls:
        return "no-budget"
    if manners.most_cost is not None and inputs.cost >= manners.most_cost:
        return "no-budget"
    return None
