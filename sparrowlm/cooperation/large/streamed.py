"""An answer that comes in pieces, put together into what it would have been at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparrowlm.cooperation.large.failures import LargeFailure
from sparrowlm.cooperation.large.settings import LargeSettings


class StreamedAnswer:
    """Takes the events of a stream in order.

    Args:
        settings: named in failures.
        is_chat: whether a conversation is answered; otherwise a text is continued.
    """

    def __init__(self, settings: LargeSettings, *, is_chat: bool) -> None:
        self._settings = settings
        self._is_chat = is_chat
        self._texts: list[str] = []
        self._facts: dict[str, Any] = {}
        self._chances: list[Any] = []
        self._finish_reason: str | None = None

    def take(self, event: Mapping[str, Any]) -> str:
        """Return the text that an event adds, "" where it adds none.

        Raises:
            LargeFailure: "broken", where an event is none of the usual.
        """
        for name in ("model", "usage"):
            # Some count in every event, some in the last, and the last count is the whole.
            if event.get(name):
                self._facts[name] = event[name]
        choices = event.get("choices")
        if not choices:
            return ""
        try:
            return self._take_choice(choices[0])
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise self._broken("choices") from error

    def body(self) -> dict[str, Any]:
        """Return the whole answer in the form of one that came at once.

        Raises:
            LargeFailure: "cut-off", where the server broke off; "empty", where nothing came.
        """
        names = {"url": self._settings.url, "model": self._settings.model}
        if self._finish_reason is None:
            if not self._texts:
                raise LargeFailure.of("empty", **names)
            raise LargeFailure.of("cut-off", reason="no finish_reason", **names)
        text = "".join(self._texts)
        choice: dict[str, Any] = {"index": 0, "finish_reason": self._finish_reason}
        choice |= {"message": {"content": text}} if self._is_chat else {"text": text}
        if self._chances:
            choice["logprobs"] = {"content": self._chances}
        return {**self._facts, "choices": [choice]}

    def _take_choice(self, choice: Mapping[str, Any]) -> str:
        if choice.get("finish_reason"):
            self._finish_reason = str(choice["finish_reason"])
        if self._is_chat:
            text = (choice.get("delta") or choice.get("message") or {}).get("content") or ""
        else:
            text = choice.get("text") or ""
        if not isinstance(text, str):
            raise self._broken("content")
        self._chances += (choice.get("logprobs") or {}).get("content") or []
        if text:
            self._texts.append(text)
        return text

    def _broken(self, what: str) -> LargeFailure:
        names = {"url": self._settings.url, "model": self._settings.model}
        return LargeFailure.of("broken", reason=what, **names)
