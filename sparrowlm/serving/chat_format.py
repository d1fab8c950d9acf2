"""How what was said becomes one text for a model that continues texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparrowlm.foundation.errors import SettingError
from sparrowlm.serving.wire.texts import Message

_CONTENT = "{content}"
_ROLES = ("system", "user", "assistant")
# Who speaks like whom.
_SPEAKS_AS = {"developer": "system", "tool": "user", "function": "user"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatFormat:
    """Templates, each with "{content}" where the words stand.

    Attributes:
        system: of instructions.
        user: of what the person said.
        assistant: of what the model said.
        answer: what stands before the answer.
        stop: where an answer ends.
        begin: what the whole text begins with.
    """

    system: str
    user: str
    assistant: str
    answer: str = ""
    stop: tuple[str, ...] = ()
    begin: str = ""

    def prompt(self, messages: Sequence[Message]) -> str:
        """Return the text that the model continues.

        Args:
            messages: at least one; where the last is the model's own, it is continued.
        """
        *before, last = messages
        text = self.begin + "".join(self._said(message) for message in before)
        if last.role == "assistant":
            return text + self.assistant.partition(_CONTENT)[0] + last.text()
        return text + self._said(last) + self.answer

    def _said(self, message: Message) -> str:
        template = getattr(self, _SPEAKS_AS.get(message.role, message.role))
        return str(template).replace(_CONTENT, message.text())


# A model of plain text has never seen a conversation: it goes on where the last words end.
PLAIN = ChatFormat(system="{content}\n", user="{content}", assistant="{content}\n")
DIALOGUE = ChatFormat(
    system="{content}\n", user="User: {content}\n", assistant="Assistant: {content}\n",
    answer="Assistant:", stop=("\nUser:",),
)  # fmt: skip
DIALOGUE_ZH = ChatFormat(
    system="{content}\n", user="用户：{content}\n", assistant="助手：{content}\n",
    answer="助手：", stop=("\n用户：",),
)  # fmt: skip
NAMED = {"plain": PLAIN, "dialogue": DIALOGUE, "dialogue-zh": DIALOGUE_ZH}


def chat_format(wanted: str) -> ChatFormat:
    """Return a format by its name, or from a file.

    Args:
        wanted: "plain", "dialogue", "dialogue-zh", or a JSON file with system, user, assistant and,
            if wanted, answer, stop and begin.

    Raises:
        SettingError: there is no such name or file, or the file is no format.
    """
    if wanted in NAMED:
        return NAMED[wanted]
    path = Path(wanted)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingError("serving.chat-format", received=wanted, reason=error) from error
    return _from_json(found, wanted)


def _from_json(found: object, source: str) -> ChatFormat:
    if not isinstance(found, Mapping):
        raise SettingError("serving.chat-format", received=source, reason="{}")
    unknown = set(found) - {*_ROLES, "answer", "stop", "begin"}
    if unknown:
        raise SettingError("serving.chat-format", received=source, reason=min(unknown))
    for role in _ROLES:
        if _CONTENT not in str(found.get(role)):
            raise SettingError("serving.chat-format", received=source, reason=f"{role}: {_CONTENT}")
    stop = found.get("stop", ())
    stops = (stop,) if isinstance(stop, str) else tuple(map(str, stop))
    texts = {name: str(found[name]) for name in (*_ROLES, "answer", "begin") if name in found}
    return ChatFormat(**texts, stop=tuple(one for one in stops if one))
