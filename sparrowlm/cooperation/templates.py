"""Answers that a customer wrote beforehand, one an intent, with places for what was said.

{"track_parcel": "包裹 {number} 正在路上。", "opening_hours": "We are open from 9 to 5."}
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from sparrowlm.foundation.errors import DataError, SettingError


@dataclass(frozen=True)
class Templates:
    """Texts by intent; "{name}" stands for what was found of that name, "{{" for a brace.

    Attributes:
        by_intent: texts.
    """

    by_intent: Mapping[str, str]

    def __post_init__(self) -> None:
        """Refuse texts that cannot be filled in.

        Raises:
            SettingError: a text with braces that do not fit, or that name nothing.
        """
        for intent, text in self.by_intent.items():
            try:
                parts = list(Formatter().parse(text))
            except ValueError as error:
                raise _unfit(intent, text) from error
            for _text, name, form, way in parts:
                if name is not None and (not name.strip() or form or way or "." in name):
                    raise _unfit(intent, text)

    def names(self, intent: str) -> tuple[str, ...]:
        """Return what the text of an intent cannot do without, each once."""
        parts = Formatter().parse(self.by_intent[intent])
        return tuple(dict.fromkeys(name for _text, name, _form, _way in parts if name is not None))

    def filled(self, intent: str, slots: Mapping[str, Sequence[str]]) -> str:
        """Return the text of an intent with what was found.

        Args:
            intent: one of those that have a text.
            slots: all that its text names; several of one name are joined.
        """
        pieces = []
        for text, name, _form, _way in Formatter().parse(self.by_intent[intent]):
            pieces.append(text)
            if name is not None:
                is_ascii = all(value.isascii() for value in slots[name])
                pieces.append((", " if is_ascii else "、").join(slots[name]))
        return "".join(pieces)

    def check(self, intents: Collection[str], labels: Collection[str]) -> None:
        """Refuse intents and names that a model never finds.

        Args:
            intents: of the model.
            labels: of its spans.

        Raises:
            SettingError: names the first.
        """
        for intent in self.by_intent:
            unknown = [name for name in self.names(intent) if name not in labels]
            if intent not in intents:
                raise SettingError(
                    "cooperation.split-unknown-intent", received=intent, known=_some(intents)
                )
            if unknown:
                raise SettingError(
                    "cooperation.split-unknown-slot", received=unknown[0], intent=intent,
                    known=_some(labels),
                )  # fmt: skip


def load_templates(path: Path) -> Templates:
    """Read the texts of a JSON file.

    Args:
        path: of one object, intents to texts.

    Raises:
        DataError: there is no such file, or it is no such object.
        SettingError: a text cannot be filled in.
    """
    try:
        values = json.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError as error:
        raise DataError(
            "foundation.file-missing", path=path, directory=path.absolute().parent
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise DataError("cooperation.split-templates", path=path, reason=error) from error
    is_fit = isinstance(values, dict) and all(isinstance(text, str) for text in values.values())
    if not is_fit:
        raise DataError("cooperation.split-templates", path=path, reason=type(values).__name__)
    return Templates(values)


def _unfit(intent: str, text: str) -> SettingError:
    return SettingError("cooperation.split-template", intent=intent, received=text[:80])


def _some(names: Collection[str]) -> str:
    return " ".join(sorted(names)[:20]) or "-"
