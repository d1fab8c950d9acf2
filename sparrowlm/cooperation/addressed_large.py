"""A large model behind an address, asked what a small one was not sure of.

The answer is bound to a JSON schema, so that a label is one of the labels; of spans the large model
says the words, and where they stand is found here. Personal data is masked on the way out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from sparrowlm.cooperation.asking import LargeAnswer, LargeRequest
from sparrowlm.cooperation.large import (
    Answer,
    AnswerCache,
    ChatRequest,
    LargeFailure,
    LargeSettings,
    Ledger,
    MaskedLarge,
    Message,
    Patience,
    Prices,
    key_from_environment,
)
from sparrowlm.cooperation.large import LargeModel as Client
from sparrowlm.cooperation.large.budget import NANO
from sparrowlm.foundation.errors import ModelError

_MAX_TOKENS = 512
_LABEL = "Say which of the labels fits the text. Labels: {labels}."
_SEVERAL = "Say which of the labels fit the text: none, one or several. Labels: {labels}."
_PAIR = "Compare the two texts and say which label fits the pair. Labels: {labels}."
_SPANS = (
    "Copy from the text, in their order, the stretches that have one of these labels, exactly as "
    "they stand there. Labels: {spans}."
)
_INTENT = " Also say what the text wants, as one of: {labels}."


class AddressedLarge:
    """Asks a client of a large model; see asking.LargeModel.

    Args:
        client: of an address; its ledger binds what is spent, its cache what is asked again.
        cost: of one call that was sent, >= 0, in any currency; where the client's ledger has
            prices, what the tokens of the answer cost counts instead.
        masks: whether personal data is masked before it leaves.
    """

    def __init__(self, client: Client, cost: float = 0.0, *, masks: bool = True) -> None:
        self._client = client
        self._cost = cost
        self._masks = masks

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> AddressedLarge:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def answer(self, request: LargeRequest, deadline: float) -> LargeAnswer:
        """Answer within the client's own limits of time, and not after the deadline.

        Raises:
            LargeFailure: there is no answer that can be used.
            ModelError: a large model cannot do this task.
        """
        chat, read = _asked(request)
        if time.monotonic() >= deadline:
            raise LargeFailure.of("deadline", url=self._client.settings.url, seconds=0)
        # Every question is a conversation of its own: nothing of one is kept for the next.
        masked = MaskedLarge(self._client) if self._masks else None
        found = (masked or self._client).ask(chat)
        cost = answer_cost(self._client, found, chat, self._cost)
        kinds = () if masked is None else masked.vault.kinds
        return LargeAnswer(read(found), cost, found.is_from_cache, kinds)

    @property
    def mean_cost(self) -> float:
        """What a call has cost on average, failed ones included; else what one is said to cost."""
        ledger = self._client.ledger
        if ledger is None or ledger.budget.prices == Prices():
            return self._cost
        spent = ledger.spent()
        return spent.cost / spent.calls if spent.calls else self._cost


def answer_cost(client: Client, found: Answer, chat: ChatRequest, per_call: float) -> float:
    """Return what an answer cost; where the server did not count, the most it can have.

    Args:
        client: that asked; where its ledger has prices, tokens cost.
        found: the answer.
        chat: what was asked.
        per_call: of a call, where there are no prices.
    """
    if found.is_from_cache:
        return 0.0
    if client.ledger is None or client.ledger.budget.prices == Prices():
        return per_call
    tokens = chat.most_tokens()
    if found.usage is not None:
        tokens = found.usage.num_read, found.usage.num_written
    return client.ledger.budget.prices.cost_nano(*tokens) / NANO


def open_address(
    url: str,
    model: str | None = None,
    key_variable: str | None = None,
    cost: float = 0.0,
    *,
    ledger: Ledger | None = None,
    cache: AnswerCache | None = None,
    patience: Patience | None = None,
) -> AddressedLarge:
    """Open a large model behind an OpenAI-style address.

    Args:
        url: "http://host/v1".
        model: the name the server knows it by; None asks the server and takes the first.
        key_variable: environment variable that holds the key; None where the server wants none.
        cost: of one call, >= 0, in any currency; see AddressedLarge.
        ledger: caps and prices; None: no limit, and nothing is counted. Whoever gives it closes it.
        cache: answers already paid for; None keeps none. Whoever gives it closes it.
        patience: times; None for the usual ones.

    Raises:
        DependencyError: httpx2 is not installed.
        LargeFailure: the server cannot be asked for its models.
        SettingError: address or key are none.
    """
    key = None if key_variable is None else key_from_environment(key_variable)
    patience = Patience() if patience is None else patience
    if model is None:
        with Client(LargeSettings(url, "-", key, patience)) as client:
            names = client.models()
        if not names:
            raise ModelError("cooperation.cascade-no-models", received=url)
        model = names[0]
    return AddressedLarge(Client(LargeSettings(url, model, key, patience), ledger, cache), cost)


def _asked(request: LargeRequest) -> tuple[ChatRequest, Callable[[Answer], Any]]:
    """Return what is sent, and what reads the answer."""
    question = request.question
    if request.task == "segment":
        raise ModelError("cooperation.cascade-no-words")
    if request.task in ("tag", "intent"):
        schema = _spans_schema(request)
        return _chat(_spans_wish(request), question.text, schema), lambda found: spans_of(
            question.text, found.value
        )
    if not request.labels:
        # Free text: no schema, the answer is what is said.
        return _chat(None, question.text, None), lambda found: found.text.strip()
    labels = {"type": "string", "enum": list(request.labels)}
    shown = json.dumps(request.labels, ensure_ascii=False)
    if isinstance(request.answer, list):
        wish, kind = _SEVERAL, {"type": "array", "items": labels}
        return _chat(wish.format(labels=shown), question.text, _object(labels=kind)), (
            lambda found: sorted(set(found.value["labels"]))
        )
    wish, text = _LABEL, question.text
    if question.second is not None:
        wish, text = _PAIR, json.dumps([question.text, question.second], ensure_ascii=False)
    chat = _chat(wish.format(labels=shown), text, _object(label=labels))
    return chat, lambda found: found.value["label"]


def spans_of(text: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Find where copied stretches stand, each behind the one before.

    Args:
        text: that they were copied from.
        value: {"spans": [{"label": ..., "text": ...}], "intent": ...}.

    Returns:
        The answer in the form of a tagger's; what does not stand in the text is left out.
    """
    spans: list[list[Any]] = []
    behind = 0
    for span in value["spans"]:
        start = text.find(span["text"], behind)
        if start >= 0 and span["text"]:
            behind = start + len(span["text"])
            spans.append([start, behind, span["label"]])
    return {"intent": value.get("intent"), "spans": spans}


def _spans_wish(request: LargeRequest) -> str:
    wish = _SPANS.format(spans=json.dumps(request.spans, ensure_ascii=False))
    if request.labels:
        wish += _INTENT.format(labels=json.dumps(request.labels, ensure_ascii=False))
    return wish


def _spans_schema(request: LargeRequest) -> dict[str, Any]:
    label = {"type": "string", "enum": list(request.spans)}
    spans = {"type": "array", "items": _object(label=label, text={"type": "string"})}
    if not request.labels:
        return _object(spans=spans)
    return _object(spans=spans, intent={"type": "string", "enum": list(request.labels)})


def _object(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any schemas
    return {
        "type": "object", "properties": properties, "required": list(properties),
        "additionalProperties": False,
    }  # fmt: skip


def _chat(wish: str | None, text: str, schema: Mapping[str, Any] | None) -> ChatRequest:
    system = () if wish is None else (Message("system", wish),)
    messages = (*system, Message("user", text))
    return ChatRequest(messages, max_tokens=_MAX_TOKENS, json_schema=schema)
