"""`sparrow next`: the next words of a text, with their probabilities."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, visible, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say


def next_command(
    model: ModelPath,
    text: Annotated[
        str, Parameter(name="TEXT", help=say("cli.next-text"), allow_leading_hyphen=True)
    ],
    *,
    k: Annotated[int, Parameter(name=("-k", "--count"), help=say("cli.next-count"))] = 5,
    json: JsonFlag = False,
) -> None:
    """Print the likeliest next words, best first."""
    if k < 1:
        raise SettingError("foundation.number-range", name="-k", received=k, minimum=1)
    from sparrowlm import api

    candidates = api.load(model).next(text, k=k)
    if json:
        write_json(
            [{"word": found.word, "probability": float(found.probability)} for found in candidates]
        )
        return
    for found in candidates:
        write_line(f"{found.probability:8.4f}  {visible(found.word)}")
