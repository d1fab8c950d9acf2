"""One sentence, in the user's language, for each way a command line can be wrong."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING

from cyclopts import (
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from sparrowlm.cli.application import verb_helps
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from cyclopts import Argument


def usage_sentence(error: CycloptsError) -> str:
    """Say what was wrong with the command line, what was received, and what to do."""
    command = " ".join(["sparrow", *(error.command_chain or ())])
    for kind, explain in _EXPLANATIONS.items():
        if isinstance(error, kind):
            return explain(error, command)
    return say("cli.wrong-usage", reason=str(error).strip().splitlines()[0], command=command)


def _unknown_option(error: CycloptsError, command: str) -> str:
    received = _received(error)
    known = error.argument_collection if isinstance(error, UnknownOptionError) else ()
    names = [name for argument in known for name in argument.names]
    close = difflib.get_close_matches(received, names, n=1)
    hint = say("cli.did-you-mean", name=close[0]) if close else ""
    return say("cli.unknown-option", received=received, command=command, hint=hint)


def _missing_argument(error: CycloptsError, command: str) -> str:
    return say("cli.missing-argument", name=_name(error.argument), command=command)


def _unreadable_value(error: CycloptsError, command: str) -> str:
    received = _received(error)
    name = _name(error.argument)
    return say("cli.unreadable-value", name=name, received=received, command=command)


def _option_twice(error: CycloptsError, command: str) -> str:
    return say("cli.option-twice", name=_received(error), command=command)


def _unexpected_words(error: CycloptsError, command: str) -> str:
    return say("cli.unexpected-words", received=_received(error), command=command)


def _unknown_verb(error: CycloptsError, _command: str) -> str:
    received = _received(error)
    verbs = list(verb_helps())
    close = difflib.get_close_matches(received, verbs, n=1)
    hint = say("cli.did-you-mean", name=close[0]) if close else ""
    return say("cli.unknown-verb", received=received, verbs=" ".join(verbs), hint=hint)


def _received(error: CycloptsError) -> str:
    token = getattr(error, "token", None)
    if token is not None:
        is_value_wrong = isinstance(error, CoercionError)
        return str(token.value if is_value_wrong else token.keyword or token.value)
    return " ".join(error.unused_tokens or ())


def _name(argument: Argument | None) -> str:
    if argument is None:
        return "?"
    return argument.name if argument.name.startswith("-") else argument.name.upper()


_EXPLANATIONS: dict[type[CycloptsError], Callable[[CycloptsError, str], str]] = {
    UnknownCommandError: _unknown_verb,
    UnknownOptionError: _unknown_option,
    MissingArgumentError: _missing_argument,
    CoercionError: _unreadable_value,
    RepeatArgumentError: _option_twice,
    UnusedCliTokensError: _unexpected_words,
}
